"""One measurement of `resnet.rs`: ResNet-20 on PyTorch.

    resnet.py VARIANT PICTURES BATCH

The variants are `resnet-pytorch`, `resnet-pytorch-channels-last` (in the layout that its CPU kernels prefer), and
`resnet-pytorch-compiled` (the same, by `torch.compile`). Computes on THREADS threads, and prints JSON as `resnet.rs` does.
"""

import json
import os
import sys
import time
from pathlib import Path

VARIANT, PICTURES, BATCH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
THREADS = int(os.environ["THREADS"])
os.environ["OMP_NUM_THREADS"] = str(THREADS)

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.new, self.stride = channels - inputs, channels // inputs
        self.conv1 = nn.Conv2d(inputs, channels, 3, self.stride, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.new:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.new // 2, self.new // 2))
        return F.relu(y + x)


torch.set_num_threads(THREADS)
torch.manual_seed(42)
layout = torch.contiguous_format if VARIANT == "resnet-pytorch" else torch.channels_last
images = torch.randint(0, 256, (PICTURES, 3, 32, 32), dtype=torch.uint8)
labels = torch.arange(PICTURES) % 10
channels = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    *[Block(inputs, outputs) for inputs, outputs in zip(channels, channels[1:])],
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
).to(memory_format=layout)
sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
forward = torch.compile(net) if VARIANT == "resnet-pytorch-compiled" else net


def epoch(pictures):
    for start in range(0, pictures, BATCH):
        x = images[start : start + BATCH].contiguous(memory_format=layout) / 255
        loss = F.cross_entropy(forward(x), labels[start : start + BATCH])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        assert torch.isfinite(loss)


epoch(2 * BATCH)
start, processor = time.perf_counter(), time.process_time()
epoch(PICTURES)
seconds, processor = time.perf_counter() - start, time.process_time() - processor
memory = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "processor": processor, "memory": memory}))
