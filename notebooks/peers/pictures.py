"""What the scripts for colour pictures share: the command line, the pictures, and their augmentation."""

import argparse
import sys
from pathlib import Path

import numpy as np

BATCH = 64
LEARNING_RATE = 0.1
CHANNELS = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
RECORD = 1 + 3 * 32 * 32


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    data = "folder with the files of CIFAR-10's binary version, or of its format"
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--name", help="what the record calls the data, if not after the folder")
    parser.add_argument("--train-images", type=int, default=50_000)
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--scores", type=Path, help="folder for the record of the scores")
    args = parser.parse_args()
    args.weights = "he"
    args.name = args.name or f"pictures from {args.data.resolve().name}"
    return args


def classes(args):
    """How many there are."""
    return len((args.data / "batches.meta.txt").read_text().split("\n\n")[0].strip().split("\n"))


def pictures(args, part):
    """The pictures [n, 3, 32, 32] and classes [n] of a part, as bytes.

    The parts are `train`, `validation`, which is the last tenth of the pictures to train on, and `test`.
    """
    files = ["test_batch"] if part == "test" else [f"data_batch_{number}" for number in range(1, 6)]
    contents = []
    for path in (args.data / f"{file}.bin" for file in files):
        if not path.exists():
            sys.exit(f"{path}: not found")
        contents.append(np.frombuffer(path.read_bytes(), np.uint8))
        if len(contents[-1]) % RECORD:
            sys.exit(f"{path}: not a whole number of pictures")
    records = np.concatenate(contents).reshape(-1, RECORD)
    records = records[: args.test_images if part == "test" else args.train_images]
    learnt = len(records) - len(records) // 10
    records = records[{"train": slice(learnt), "validation": slice(learnt, None), "test": slice(None)}[part]]
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def augment(pictures, random, shift=4, hole=8):
    """Each picture [n, 3, side, side], in 0 to 1, flipped or not, shifted, and with a grey hole."""
    n, _, side, _ = pictures.shape
    flipped = np.where(random.random(n) < 0.5, -1, 1)
    rows = np.arange(side)[None, :] + random.integers(-shift, shift + 1, (n, 1))
    columns = np.arange(side)[None, :] * flipped[:, None] + np.where(flipped < 0, side - 1, 0)[:, None]
    columns = columns + random.integers(-shift, shift + 1, (n, 1))
    white = np.pad(pictures, [(0, 0), (0, 0), (shift, shift), (shift, shift)], constant_values=1)
    changed = white[np.arange(n)[:, None, None], :, rows[:, :, None] + shift, columns[:, None, :] + shift]
    changed = np.ascontiguousarray(changed.transpose(0, 3, 1, 2))
    top, left = random.integers(0, side, (2, n)) - hole // 2
    for picture, row, column in zip(changed, top, left):
        picture[:, max(row, 0) : max(row + hole, 0), max(column, 0) : max(column + hole, 0)] = 0.5
    return changed


def batches(pictures, labels, random):
    """Augmented pictures, in 0 to 1, and labels, in a new order."""
    order = random.permutation(len(labels))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        yield augment(pictures[places].astype(np.float32) / 255, random), labels[places].astype(np.int64)
