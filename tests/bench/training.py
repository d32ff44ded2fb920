"""One measurement of `training.rs`: the course's network on PyTorch or Keras, as people write it or as it is fastest.

    training.py VARIANT IMAGES BATCH

The variants are `pytorch` (batches from a `DataLoader`, as the course's script has it), `pytorch-indexed` (batches by indexing),
`pytorch-channels-last` (the same, in the layout that its CPU kernels prefer), `pytorch-compiled` (the same, by `torch.compile`),
`keras` (as the course's script has it) and `keras-jit` (compiled by XLA).

Reads MNIST's files in MNIST_DIR, computes on THREADS threads, and prints JSON as `variants.rs` does.
"""

import gzip
import json
import os
import sys
import time
from pathlib import Path

VARIANT, IMAGES, BATCH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
THREADS = int(os.environ["THREADS"])
os.environ |= {"OMP_NUM_THREADS": str(THREADS), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}

import numpy as np


def data(kind, header):
    """The bytes of one of the four files, plain or with .gz."""
    path = Path(os.environ["MNIST_DIR"]) / f"{kind}-ubyte"
    raw = path.read_bytes() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=header)


def split(part, count):
    images = data(f"{part}-images-idx3", 16).reshape(-1, 28, 28)[:count]
    return images, data(f"{part}-labels-idx1", 8)[:count]


def memory():
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def median_seconds(times, act):
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[times // 2]


def pytorch():
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(THREADS)
    torch.manual_seed(42)
    layout = torch.contiguous_format if VARIANT in ("pytorch", "pytorch-indexed") else torch.channels_last

    def tensors(part, count):
        images, labels = split(part, count)
        return torch.tensor(images).unsqueeze(1), torch.tensor(labels).long()

    images, labels = tensors("train", IMAGES)
    test_images, test_labels = tensors("t10k", 10_000)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10),
    ).to(memory_format=layout)
    adam = torch.optim.Adam(net.parameters(), lr=0.001)
    forward = torch.compile(net) if VARIANT == "pytorch-compiled" else net

    def batches(count):
        if VARIANT == "pytorch":
            yield from DataLoader(TensorDataset(images[:count], labels[:count]), batch_size=BATCH, shuffle=True)
        else:
            for indices in torch.randperm(count).split(BATCH):
                yield images[indices].contiguous(memory_format=layout), labels[indices]

    def epoch(count):
        loss_sum = right = 0
        for x, y in batches(count):
            logits = forward(x / 255)
            loss = nn.functional.cross_entropy(logits, y)
            adam.zero_grad()
            loss.backward()
            adam.step()
            loss_sum += loss.item()
            right += (logits.argmax(1) == y).sum().item()
        assert np.isfinite(loss_sum)

    @torch.inference_mode()
    def test():
        parts = zip(test_images.split(500), test_labels.split(500))
        return sum((forward(x / 255).argmax(1) == y).sum().item() for x, y in parts) / len(test_labels)

    one = (test_images[:1] / 255).contiguous(memory_format=layout)
    return epoch, net.eval, torch.inference_mode()(lambda: forward(one)), test


def keras():
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(THREADS)
    tensorflow.config.threading.set_inter_op_parallelism_threads(THREADS)
    import keras
    from keras import layers

    keras.utils.set_random_seed(42)
    images, labels = split("train", IMAGES)
    test_images, test_labels = split("t10k", 10_000)
    images, test_images = images[..., None], test_images[..., None]
    net = keras.Sequential([
        keras.Input((28, 28, 1)), layers.Rescaling(1 / 255),
        layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dropout(0.5), layers.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    jit = True if VARIANT == "keras-jit" else "auto"
    net.compile(keras.optimizers.Adam(0.001), loss, metrics=["accuracy"], jit_compile=jit)
    epoch = lambda count: net.fit(images[:count], labels[:count], batch_size=BATCH, verbose=0)

    def test():
        return float((net.predict(test_images, batch_size=500, verbose=0).argmax(1) == test_labels).mean())

    return epoch, lambda: None, lambda: net.predict_on_batch(test_images[:1]), test


epoch, rest, one, test = {"pytorch": pytorch, "keras": keras}[VARIANT.split("-")[0]]()
# With a last batch of the size that the epoch has, for what compiles the network anew for each size.
epoch(min(3 * BATCH + IMAGES % BATCH, IMAGES))
processor = time.process_time()
seconds = median_seconds(1, lambda: epoch(IMAGES))
processor = time.process_time() - processor
most = memory()
rest()
print(json.dumps({
    "seconds": seconds,
    "processor": processor,
    "memory": most,
    "latency": 1e3 * median_seconds(220, one),
    "ten_thousand": median_seconds(3, test),
    "accuracy": test(),
}))
