"""One measurement of `encoder.rs`: an encoder of MiniLM's size on PyTorch.

    encoder.py VARIANT SENTENCES BATCH

The variants are `encoder-pytorch`, which computes attention by `scaled_dot_product_attention` as the library `transformers` does, and
`encoder-pytorch-compiled` (the same, by `torch.compile`). Computes on THREADS threads, and prints JSON as `encoder.rs` does.
"""

import json
import os
import sys
import time
from pathlib import Path

VARIANT, SENTENCES, BATCH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
THREADS = int(os.environ["THREADS"])
os.environ["OMP_NUM_THREADS"] = str(THREADS)

import torch
import torch.nn.functional as F
from torch import nn

TOKENS, BLOCKS, SIZE, WIDE, HEADS, VOCABULARY, CLASSES = 128, 6, 384, 1536, 12, 30_522, 10


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(SIZE, SIZE) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(SIZE, eps=1e-12), nn.LayerNorm(SIZE, eps=1e-12)
        self.wide, self.narrow = nn.Linear(SIZE, WIDE), nn.Linear(WIDE, SIZE)

    def forward(self, x):
        heads = lambda y: y.view(len(x), TOKENS, HEADS, SIZE // HEADS).transpose(1, 2)
        y = F.scaled_dot_product_attention(heads(self.query(x)), heads(self.key(x)), heads(self.value(x)))
        x = self.norm1(x + self.out(y.transpose(1, 2).flatten(2)))
        return self.norm2(x + self.narrow(F.gelu(self.wide(x))))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, SIZE), nn.Embedding(TOKENS, SIZE)
        self.norm = nn.LayerNorm(SIZE, eps=1e-12)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.dense = nn.Linear(SIZE, CLASSES)

    def forward(self, tokens):
        return self.dense(self.blocks(self.norm(self.tokens(tokens) + self.places.weight)).mean(1))


torch.set_num_threads(THREADS)
torch.manual_seed(42)
net = Encoder()
forward = torch.compile(net) if VARIANT == "encoder-pytorch-compiled" else net
tokens = torch.randint(0, VOCABULARY, (BATCH, TOKENS))
labels = torch.arange(BATCH) % CLASSES
adam = torch.optim.AdamW(net.parameters(), lr=1e-5, fused=VARIANT == "encoder-pytorch-compiled")


def seconds(repeats, act):
    act()
    start = time.perf_counter()
    for _ in range(repeats):
        act()
    return (time.perf_counter() - start) / repeats


def step():
    loss = F.cross_entropy(forward(tokens), labels)
    adam.zero_grad()
    loss.backward()
    adam.step()
    assert torch.isfinite(loss)


repeats = -(-SENTENCES // BATCH)
with torch.inference_mode():
    one = seconds(SENTENCES, lambda: forward(tokens[:1]).tolist())
    many = seconds(repeats, lambda: forward(tokens).tolist())
measured = {"one": one, "many": many, "step": seconds(repeats, step)}
measured["memory"] = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps(measured))
