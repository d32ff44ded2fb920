"""A small encoder for texts in PyTorch, of its own TransformerEncoderLayer.

    python words_pytorch.py --data words.json --seed 42 --scores scores/words
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import course
import words

args = words.arguments(__doc__.splitlines()[0])
torch.manual_seed(args.seed)
torch.set_num_threads(course.cores())

# %% Data

data = words.Words(args.data)
random = np.random.default_rng(args.seed)

# %% Network


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(data.vocabulary, words.SIZE)
        self.register_buffer("places", torch.from_numpy(words.places()))
        block = nn.TransformerEncoderLayer(
            words.SIZE, words.HEADS, 2 * words.SIZE, dropout=0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, words.BLOCKS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(words.SIZE)
        self.dense = nn.Linear(words.SIZE, data.classes)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.kaiming_uniform_(parameter, nonlinearity="relu")
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens):
        is_nothing = tokens == 0
        x = self.blocks(self.embedding(tokens) + self.places, src_key_padding_mask=is_nothing)
        is_token = (~is_nothing).float().unsqueeze(2)
        mean = (x * is_token).sum(1) / is_token.sum(1)
        return self.dense(self.norm(mean))


net = Encoder()

# %% Training

optimizer = torch.optim.AdamW(net.parameters(), lr=words.LEARNING_RATE, weight_decay=0.01)
steps_per_epoch = -(-data.sizes()[0] // words.BATCH)
steps = args.epochs * steps_per_epoch


def train(epoch):
    """Returns the loss and the accuracy, each the mean over the steps."""
    net.train()
    losses, accuracies = [], []
    for step, (tokens, labels) in enumerate(data.batches(random), start=epoch * steps_per_epoch):
        tokens, labels = torch.from_numpy(tokens), torch.from_numpy(labels)
        optimizer.param_groups[0]["lr"] = course.one_cycle(step, steps, words.LEARNING_RATE)
        logits = net(tokens)
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
    """Returns the loss and the accuracy over all texts of a part."""
    net.eval()
    tokens, labels = map(torch.from_numpy, data.whole(part))
    logits = net(tokens)
    return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


# %% Run

parameters = sum(parameter.numel() for parameter in net.parameters())
scores = course.Scores(
    "PyTorch", "encoder", torch.__version__.split("+")[0], args, torch.get_num_threads(),
    data=data.name, sizes=data.sizes(), batch=words.BATCH, parameters=parameters,
)
for epoch in range(args.epochs):
    start = time.perf_counter()
    trained = train(epoch)
    seconds = time.perf_counter() - start
    validation = test("validation")
    print(f"Epoch [{epoch + 1}/{args.epochs}], Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}")
    scores.epoch(train=trained, validation=validation, test=test("test"), seconds=seconds)
scores.save()
