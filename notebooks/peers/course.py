"""What the scripts in this folder share: the command line, the digits, and the record of the scores."""

import argparse
import gzip
import hashlib
import json
import math
import os
import platform
import re
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PARAMETERS = 34_826
BATCH = 128
LEARNING_RATE = 0.001

# The SHA-256 of MNIST's training labels, uncompressed.
MNIST = "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"


def arguments(description):
    """The command line, which is the same for all frameworks."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with the four files of MNIST, or of its format")
    parser.add_argument("--name", help="what the record calls the data, if not MNIST or after the folder")
    parser.add_argument("--train-images", type=int, default=60_000)
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=42)
    weights = "how the initial weights are drawn: alike in all frameworks, or as each does by itself"
    parser.add_argument("--weights", choices=["he", "default"], default="he", help=weights)
    parser.add_argument("--scores", type=Path, help="folder for the record of the scores")
    return parser.parse_args()


def digits(args, part):
    """The images [n, 28, 28] and labels [n] of a part, as bytes.

    The parts are `train`, `validation`, which is the last tenth of the images to train on, and `test`.
    """
    name, count = ("t10k", args.test_images) if part == "test" else ("train", args.train_images)
    images = idx(args.data / f"{name}-images-idx3-ubyte", 0x803)[:count]
    labels = idx(args.data / f"{name}-labels-idx1-ubyte", 0x801)[:count]
    if images.shape != (len(labels), 28, 28):
        sys.exit(f"{args.data}: {len(labels)} labels for images of shape {images.shape}")
    learnt = len(labels) - len(labels) // 10
    places = {"train": slice(learnt), "validation": slice(learnt, None), "test": slice(None)}[part]
    return images[places], labels[places]


def idx(path, magic):
    """Reads an IDX file, plain or with .gz: a magic number, the lengths of the dimensions, and bytes."""
    zipped = Path(f"{path}.gz")
    if not path.exists() and not zipped.exists():
        sys.exit(f"{path}: not found")
    content = path.read_bytes() if path.exists() else gzip.decompress(zipped.read_bytes())
    if int.from_bytes(content[:4], "big") != magic:
        sys.exit(f"{path}: wrong magic number")
    dimensions = np.frombuffer(content, ">u4", count=magic & 0xFF, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(dimensions)).reshape(dimensions)


class Scores:
    """The record of one run: what was trained on what, and the scores of each epoch."""

    def __init__(
        self, framework, style, version, args, threads, *, data=None, sizes=None, batch=BATCH, parameters=PARAMETERS
    ):
        """`threads` is the number that the framework says it computes on. For other data than the digits, `data` is their name
        and `sizes` how many there are to train on, for validation, and to test on."""
        train, validation, test = sizes or [len(digits(args, part)[1]) for part in ("train", "validation", "test")]
        self.folder = args.scores
        self.record = {
            "format": 1,
            "framework": framework,
            "style": style if args.weights == "he" else f"{style}, default weights",
            "version": version,
            "data": data or args.name or name(args.data),
            "train_images": train,
            "validation_images": validation,
            "test_images": test,
            "device": f"CPU ({threads} thread{'s' if threads > 1 else ''})",
            "batch": batch,
            "seed": args.seed,
            "parameters": parameters,
            "epochs": [],
        }

    def epoch(self, train, validation, test, seconds):
        """Takes the scores of an epoch, each as (loss, accuracy), and the seconds that the training alone took."""
        score = lambda pair: {"loss": round(float(pair[0]), 6), "accuracy": round(float(pair[1]), 6)}
        self.record["epochs"].append({
            "train": score(train),
            "validation": score(validation),
            "test": score(test),
            "seconds": round(seconds, 3),
        })

    def save(self):
        """Prints the last scores, and writes the record into the folder, if there is one."""
        record = self.record | {
            "peak_memory_mib": round(peak_memory(), 1),
            "cpu": processor(),
            "cores": cores(),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
        }
        last, epochs = record["epochs"][-1]["test"], len(record["epochs"])
        seconds = sum(epoch["seconds"] for epoch in record["epochs"]) / epochs
        print(
            f"{record['framework']} {record['version']}, {record['style']}: "
            f"test accuracy {100 * last['accuracy']:.2f} %, loss {last['loss']:.4f}, "
            f"{seconds:.1f} s per epoch, {record['peak_memory_mib']:.0f} MiB"
        )
        if self.folder:
            images = record["train_images"] + record["validation_images"]
            words = [*map(slug, (record["framework"], record["style"], record["data"]))]
            words += [f"{images}x{epochs}", f"seed{record['seed']}"]
            write(self.folder / f"{'-'.join(words)}.json", json.dumps(record, indent=2) + "\n")


def name(folder):
    """What the data are called: by their checksum, else after their folder."""
    labels = idx(folder / "train-labels-idx1-ubyte", 0x801)
    content = bytes.fromhex("00000801") + len(labels).to_bytes(4, "big") + labels.tobytes()
    return "MNIST" if hashlib.sha256(content).hexdigest() == MNIST else f"digits from {folder.resolve().name}"


def slug(text):
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")


def write(path, text):
    """Whole or not at all, even if the machine stops meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def cores():
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory():
    """The most memory that this process has taken, in MiB. Linux's `getrusage` would count its parent's, too."""
    try:
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def one_cycle(step, steps, peak):
    """The learning rate of a step, counted from 0, as PyTorch's `OneCycleLR` has it."""
    first, top, end = peak / 25, 0.3 * steps - 1, steps - 1
    along = lambda start, stop, at: stop + (start - stop) / 2 * (1 + math.cos(math.pi * at))
    if step <= top:
        return along(first, peak, step / top)
    return along(peak, first / 1e4, (step - top) / (end - top))
