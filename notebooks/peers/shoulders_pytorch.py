"""Fine-tunes EfficientNet-Lite0 in PyTorch, with the weights of the file.

    python shoulders_pytorch.py --data shoulders.safetensors --model efficientnet-lite0-57934424.pth --scores scores/shoulders
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import course
import shoulders

args = shoulders.arguments(__doc__.splitlines()[0])
torch.manual_seed(args.seed)
torch.set_num_threads(course.cores())

# %% Data

pictures = shoulders.Pictures(args.data)
random = np.random.default_rng(args.seed)

# %% Network


class Conv(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow does: of an odd number of zeros, the last is at the end."""

    def __init__(self, inputs, outputs, window, stride=1, groups=1):
        super().__init__(inputs, outputs, window, stride, groups=groups, bias=False)

    def forward(self, x):
        sizes = zip(x.shape[:1:-1], self.kernel_size, self.stride)
        zeros = [max((-(-size // stride) - 1) * stride + window - size, 0) for size, window, stride in sizes]
        return super().forward(F.pad(x, [part for n in zeros for part in (n // 2, n - n // 2)]))


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    def __init__(self, inputs, outputs, factor, window, stride):
        super().__init__()
        wide = factor * inputs
        if factor > 1:
            self._expand_conv, self._bn0 = Conv(inputs, wide, 1), norm(wide)
        self._depthwise_conv, self._bn1 = Conv(wide, wide, window, stride, wide), norm(wide)
        self._project_conv, self._bn2 = Conv(wide, outputs, 1), norm(outputs)
        self.expands, self.has_shortcut = factor > 1, stride == 1 and inputs == outputs

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.has_shortcut else y


class EfficientNet(nn.Module):
    """With the names of the file."""

    def __init__(self, classes):
        super().__init__()
        self._conv_stem, self._bn0 = Conv(3, 32, 3, 2), norm(32)
        self._blocks = nn.Sequential(*(Block(*block) for block in shoulders.blocks()))
        self._conv_head, self._bn1 = Conv(320, shoulders.FEATURES, 1), norm(shoulders.FEATURES)
        self._fc = nn.Linear(shoulders.FEATURES, classes)

    def forward(self, x):
        x = F.interpolate(x, size=args.side, mode="bilinear")
        x = F.relu6(self._bn0(self._conv_stem(x * (255 / 128) - 127 / 128)))
        x = F.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return self._fc(x.mean((2, 3)))


net = EfficientNet(len(pictures.bias))
head = {"_fc.weight": torch.from_numpy(pictures.weight), "_fc.bias": torch.from_numpy(pictures.bias)}
net.load_state_dict(torch.load(args.model, weights_only=True) | head)

# %% Training

optimizer = torch.optim.AdamW(net.parameters(), lr=shoulders.LEARNING_RATE, weight_decay=0.01)
steps_per_epoch = -(-pictures.sizes()[0] // shoulders.BATCH)
steps = args.epochs * steps_per_epoch


def train(epoch):
    """Returns the loss and the accuracy, each the mean over the steps."""
    net.train()
    losses, accuracies = [], []
    for step, (images, labels) in enumerate(pictures.batches(random), start=epoch * steps_per_epoch):
        images, labels = torch.from_numpy(images), torch.from_numpy(labels)
        optimizer.param_groups[0]["lr"] = course.one_cycle(step, steps, shoulders.LEARNING_RATE)
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
def test(part):
    """Returns the loss and the accuracy over all pictures of a part."""
    net.eval()
    images, labels = map(torch.from_numpy, pictures.parts[part])
    logits = torch.cat([net(some) for some in images.split(shoulders.BATCH)])
    return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


# %% Run

parameters = sum(parameter.numel() for parameter in net.parameters())
scores = course.Scores(
    "PyTorch", "fine-tuned", torch.__version__.split("+")[0], args, torch.get_num_threads(),
    data=args.name, sizes=pictures.sizes(), batch=shoulders.BATCH, parameters=parameters,
)
for epoch in range(args.epochs):
    start = time.perf_counter()
    trained = train(epoch)
    seconds = time.perf_counter() - start
    validation = test("validation")
    print(f"Epoch [{epoch + 1}/{args.epochs}], Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}")
    scores.epoch(train=trained, validation=validation, test=test("test"), seconds=seconds)
scores.save()
