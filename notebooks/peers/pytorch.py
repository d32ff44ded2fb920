"""The course's network in PyTorch: a Module of layers, and a training loop of one's own.

    python pytorch.py --data FOLDER --epochs 6 --seed 42 --scores scores
"""

import time

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import course

args = course.arguments(__doc__.splitlines()[0])
torch.manual_seed(args.seed)
torch.set_num_threads(course.cores())

# %% Data


def dataset(part):
    """Images [n, 1, 28, 28] in 0 to 1, the channel first, and their labels, 0 to 9."""
    images, labels = course.digits(args, part)
    images = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 255
    return TensorDataset(images, torch.tensor(labels, dtype=torch.int64))


train_set, validation_set, test_set = map(dataset, ["train", "validation", "test"])
train_loader = DataLoader(train_set, batch_size=course.BATCH, shuffle=True)

# %% Network


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3)
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(1600, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.dropout(x.flatten(1))
        return self.dense(x)  # The softmax is part of the loss.


def he(module):
    """Weights uniform within ±√(6 / inputs), and biases 0. PyTorch's own are smaller: within ±√(1 / inputs), biases too."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


net = Net()
if args.weights == "he":
    net.apply(he)
print(net)
assert sum(parameter.numel() for parameter in net.parameters()) == course.PARAMETERS

# %% Training

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=course.LEARNING_RATE)


def train(epoch):
    """Returns the loss and the accuracy, each the mean over the steps."""
    net.train()
    losses, accuracies = [], []
    for step, (images, labels) in enumerate(train_loader, start=1):
        logits = net(images)
        loss = criterion(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        losses.append(loss.item())
        accuracies.append((logits.argmax(1) == labels).float().mean().item())
        if step % 100 == 0:
            print(f"Epoch [{epoch}/{args.epochs}], Step [{step}/{len(train_loader)}], Loss: {losses[-1]:.4f}")
    return sum(losses) / len(losses), sum(accuracies) / len(accuracies)


# %% Test


@torch.no_grad()
def test(digits):
    """Returns the loss and the accuracy over all digits, without dropout."""
    net.eval()
    loss = right = 0
    for images, labels in DataLoader(digits, batch_size=500):
        logits = net(images)
        loss += criterion(logits, labels).item() * len(labels)
        right += (logits.argmax(1) == labels).sum().item()
    return loss / len(digits), right / len(digits)


# %% Run

version = torch.__version__.split("+")[0]
scores = course.Scores("PyTorch", "Module", version, args, torch.get_num_threads())
for epoch in range(1, args.epochs + 1):
    start = time.perf_counter()
    trained = train(epoch)
    seconds = time.perf_counter() - start
    validation = test(validation_set)
    print(f"Epoch [{epoch}/{args.epochs}], Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}")
    scores.epoch(train=trained, validation=validation, test=test(test_set), seconds=seconds)
scores.save()
