"""One measurement of `mobile.rs`: EfficientNet-Lite0 on PyTorch.

    mobile.py VARIANT PICTURES BATCH

The variants are `mobile-pytorch`, `mobile-pytorch-channels-last` (in the layout that its CPU kernels prefer), and
`mobile-pytorch-compiled` (the same, by `torch.compile`). Computes on THREADS threads, and prints JSON as `mobile.rs` does.
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

SIDE, CLASSES = 128, 10
STAGES = [
    (1, 1, 3, 1, 16), (2, 6, 3, 2, 24), (2, 6, 5, 2, 40), (3, 6, 3, 2, 80), (3, 6, 5, 1, 112), (4, 6, 5, 2, 192), (1, 6, 3, 1, 320),
]


def layer(inputs, outputs, window=1, stride=1, groups=1, active=True):
    layers = [
        nn.Conv2d(inputs, outputs, window, stride, window // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    ]
    return layers + [nn.ReLU6(inplace=True)] * active


class Block(nn.Module):
    def __init__(self, inputs, outputs, factor, window, stride):
        super().__init__()
        wide = factor * inputs
        self.layers = nn.Sequential(
            *(layer(inputs, wide) if factor > 1 else []),
            *layer(wide, wide, window, stride, wide),
            *layer(wide, outputs, active=False),
        )
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.layers(x)
        return y + x if self.has_shortcut else y


def network():
    blocks, inputs = [], 32
    for count, factor, window, stride, outputs in STAGES:
        for at in range(count):
            blocks.append(Block(inputs, outputs, factor, window, stride if at == 0 else 1))
            inputs = outputs
    ends = layer(3, 32, 3, 2), layer(inputs, 1280)
    return nn.Sequential(
        *ends[0], *blocks, *ends[1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, CLASSES)
    )


torch.set_num_threads(THREADS)
torch.manual_seed(42)
layout = torch.contiguous_format if VARIANT == "mobile-pytorch" else torch.channels_last
net = network().to(memory_format=layout)
forward = torch.compile(net) if VARIANT == "mobile-pytorch-compiled" else net
images = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=layout)
labels = torch.arange(BATCH) % CLASSES
adam = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=VARIANT == "mobile-pytorch-compiled")


def seconds(repeats, act):
    act()
    start = time.perf_counter()
    for _ in range(repeats):
        act()
    return (time.perf_counter() - start) / repeats


def step():
    loss = F.cross_entropy(forward(images), labels)
    adam.zero_grad()
    loss.backward()
    adam.step()
    assert torch.isfinite(loss)


repeats = -(-PICTURES // BATCH)
net.eval()
with torch.inference_mode():
    one = seconds(PICTURES, lambda: forward(images[:1]).tolist())
    many = seconds(repeats, lambda: forward(images).tolist())
net.train()
measured = {"one": one, "many": many, "step": seconds(repeats, step)}
measured["memory"] = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps(measured))
