"""ResNet-20 for colour pictures in PyTorch.

    python pictures_pytorch.py --data FOLDER --seed 42 --scores scores/colour
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import course
import pictures

args = pictures.arguments(__doc__.splitlines()[0])
torch.manual_seed(args.seed)
torch.set_num_threads(course.cores())

# %% Data

train_set, validation_set, test_set = (pictures.pictures(args, part) for part in ["train", "validation", "test"])

# %% Network


class ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.new, self.stride = outputs - inputs, outputs // inputs
        self.first, self.second = ConvNorm(inputs, outputs, self.stride), ConvNorm(outputs, outputs)

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        if self.new:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new // 2))
        return torch.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first = ConvNorm(3, 16)
        self.blocks = nn.Sequential(*map(Block, pictures.CHANNELS, pictures.CHANNELS[1:]))
        self.dense = nn.Linear(64, classes)
        nn.init.kaiming_uniform_(self.dense.weight, nonlinearity="relu")
        nn.init.zeros_(self.dense.bias)

    def forward(self, x):
        x = self.blocks(torch.relu(self.first(4 * x - 2)))
        return self.dense(x.mean((2, 3)))


net = ResNet(pictures.classes(args))

# %% Training

decay = dict(momentum=0.9, weight_decay=5e-4, nesterov=True)
optimizer = torch.optim.SGD(net.parameters(), lr=pictures.LEARNING_RATE, **decay)
random = np.random.default_rng(args.seed)
steps_per_epoch = -(-len(train_set[1]) // pictures.BATCH)
steps = args.epochs * steps_per_epoch


def train(epoch):
    """Returns the loss and the accuracy, each the mean over the steps."""
    net.train()
    losses, accuracies = [], []
    for step, (images, labels) in enumerate(pictures.batches(*train_set, random), start=epoch * steps_per_epoch):
        images, labels = torch.from_numpy(images), torch.from_numpy(labels)
        optimizer.param_groups[0]["lr"] = course.one_cycle(step, steps, pictures.LEARNING_RATE)
        logits = net(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        accuracies.append((logits.argmax(1) == labels).float().mean().item())
    return sum(losses) / len(losses), sum(accuracies) / len(accuracies)


# %% Test


@torch.no_grad()
def test(images, labels):
    """Returns the loss and the accuracy over all pictures."""
    net.eval()
    loss = right = 0
    for start in range(0, len(labels), 500):
        x = torch.from_numpy(images[start : start + 500].astype(np.float32) / 255)
        y = torch.from_numpy(labels[start : start + 500].astype(np.int64))
        logits = net(x)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        right += (logits.argmax(1) == y).sum().item()
    return loss / len(labels), right / len(labels)


# %% Run

parameters = sum(parameter.numel() for parameter in net.parameters())
sizes = [len(part[1]) for part in (train_set, validation_set, test_set)]
scores = course.Scores(
    "PyTorch", "ResNet-20", torch.__version__.split("+")[0], args, torch.get_num_threads(),
    data=args.name, sizes=sizes, batch=pictures.BATCH, parameters=parameters,
)
for epoch in range(args.epochs):
    start = time.perf_counter()
    trained = train(epoch)
    seconds = time.perf_counter() - start
    validation = test(*validation_set)
    print(f"Epoch [{epoch + 1}/{args.epochs}], Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}")
    scores.epoch(train=trained, validation=validation, test=test(*test_set), seconds=seconds)
scores.save()
