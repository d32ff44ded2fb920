"""Fine-tunes MiniLM in PyTorch, as the package transformers reads it.

    python meaning_pytorch.py --data meaning.json --model all-MiniLM-L6-v2 --seed 42 --scores scores/meaning
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import AutoModel

import course
import meaning

args = meaning.arguments(__doc__.splitlines()[0])
torch.manual_seed(args.seed)
torch.set_num_threads(course.cores())

# %% Data

names = meaning.Names(args.data)
random = np.random.default_rng(args.seed)

# %% Network


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        # Without dropout, as the network that it is compared with.
        options = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "add_pooling_layer": False}
        self.encoder = AutoModel.from_pretrained(args.model, **options)
        self.head = nn.Linear(self.encoder.config.hidden_size, names.classes)
        self.head.load_state_dict({"weight": torch.tensor(names.weight), "bias": torch.tensor(names.bias)})

    def forward(self, tokens):
        mask = tokens != 0
        vectors = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        sum = (vectors * mask.unsqueeze(2)).sum(1)
        return self.head(F.normalize(sum) * self.encoder.config.hidden_size**0.5)


net = Classifier()

# %% Training

optimizer = torch.optim.AdamW(net.parameters(), lr=meaning.LEARNING_RATE, weight_decay=0.01)
steps_per_epoch = -(-names.sizes()[0] // meaning.BATCH)
steps = args.epochs * steps_per_epoch


def train(epoch):
    """Returns the loss and the accuracy, each the mean over the steps."""
    net.train()
    losses, accuracies = [], []
    for step, (tokens, labels) in enumerate(names.batches(random), start=epoch * steps_per_epoch):
        tokens, labels = torch.from_numpy(tokens), torch.from_numpy(labels)
        optimizer.param_groups[0]["lr"] = course.one_cycle(step, steps, meaning.LEARNING_RATE)
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
    tokens, labels = map(torch.from_numpy, names.whole(part))
    logits = torch.cat([net(some) for some in tokens.split(64)])
    return F.cross_entropy(logits, labels).item(), (logits.argmax(1) == labels).float().mean().item()


# %% Run

parameters = sum(parameter.numel() for parameter in net.parameters())
scores = course.Scores(
    "PyTorch", "fine-tuned", torch.__version__.split("+")[0], args, torch.get_num_threads(),
    data=names.name, sizes=names.sizes(), batch=meaning.BATCH, parameters=parameters,
)
for epoch in range(args.epochs):
    start = time.perf_counter()
    trained = train(epoch)
    seconds = time.perf_counter() - start
    validation = test("validation")
    print(f"Epoch [{epoch + 1}/{args.epochs}], Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}")
    scores.epoch(train=trained, validation=validation, test=test("test"), seconds=seconds)
scores.save()
