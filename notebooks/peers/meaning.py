"""What the scripts that fine-tune a pretrained encoder share: the command line, the tokens, and batches of them."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

BATCH = 32
LEARNING_RATE = 2e-4


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="the file meaning.json, which 16_meaning writes")
    parser.add_argument("--model", type=Path, required=True, help="the folder all-MiniLM-L6-v2 with the network")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--scores", type=Path, help="folder for the record of the scores")
    args = parser.parse_args()
    args.weights = "he"
    for path in (args.data, args.model / "model.safetensors"):
        if not path.exists():
            sys.exit(f"{path}: not found")
    return args


class Names:
    """The tokens of the texts [n][tokens], and their classes [n], of the parts `train`, `validation` and `test`."""

    def __init__(self, path):
        names = json.loads(path.read_text())
        self.name, self.classes = names["name"], names["classes"]
        # Trained on frozen vectors: weights [classes, size] and biases [classes].
        self.weight = np.array(names["head"]["weight"], np.float32)
        self.bias = np.array(names["head"]["bias"][0], np.float32)
        self.parts = {
            part: (names[part]["tokens"], np.array(names[part]["classes"])) for part in ("train", "validation", "test")
        }
        self.longest = max(len(text) for texts, _ in self.parts.values() for text in texts)

    def sizes(self):
        return [len(classes) for _, classes in self.parts.values()]

    def batches(self, random, length=None):
        """Texts to train on, in a new order: tokens [batch, tokens], of `length` or as the longest, and classes [batch]."""
        texts, classes = self.parts["train"]
        order = random.permutation(len(classes))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            yield filled([texts[place] for place in places], length), classes[places]

    def whole(self, part, length=None):
        """All texts of a part, and their classes."""
        texts, classes = self.parts[part]
        return filled(texts, length), classes


def filled(texts, length=None):
    """The tokens, filled up with 0."""
    tokens = np.zeros((len(texts), length or max(map(len, texts))), np.int64)
    for row, text in zip(tokens, texts):
        row[: len(text)] = text
    return tokens
