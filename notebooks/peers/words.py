"""What the scripts for texts share: the command line, the tokens, and pieces of the texts."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

BATCH = 64
LEARNING_RATE = 3e-3
WINDOW = 32
SIZE = 64
HEADS = 4
BLOCKS = 2


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="the file words.json, which 15_words writes")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--scores", type=Path, help="folder for the record of the scores")
    args = parser.parse_args()
    args.weights = "he"
    return args


class Words:
    """The tokens of the texts [n][tokens], and their classes [n], of the parts `train`, `validation` and `test`."""

    def __init__(self, path):
        if not path.exists():
            sys.exit(f"{path}: not found; 15_words writes it")
        words = json.loads(path.read_text())
        self.name, self.vocabulary, self.classes = words["name"], words["vocabulary"], words["classes"]
        self.parts = {
            part: (words[part]["tokens"], np.array(words[part]["classes"])) for part in ("train", "validation", "test")
        }

    def sizes(self):
        return [len(classes) for _, classes in self.parts.values()]

    def batches(self, random):
        """A random window of each text to train on, in a new order: tokens [batch, WINDOW] and classes [batch]."""
        texts, classes = self.parts["train"]
        order = random.permutation(len(classes))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            starts = [random.integers(max(len(texts[place]) - WINDOW, 0) + 1) for place in places]
            yield windows([texts[place][at:] for place, at in zip(places, starts)]), classes[places]

    def whole(self, part):
        """The first tokens of all texts of a part, and their classes."""
        texts, classes = self.parts[part]
        return windows(texts), classes


def windows(texts):
    """The first WINDOW tokens of each text, filled up with 0."""
    tokens = np.zeros((len(texts), WINDOW), np.int64)
    for row, text in zip(tokens, texts):
        text = text[:WINDOW]
        row[: len(text)] = text
    return tokens


def places():
    """The vector of each place [WINDOW, SIZE]: sines and cosines in turn."""
    columns = np.arange(SIZE)
    angles = np.arange(WINDOW)[:, None] / 10_000 ** (columns // 2 * 2 / SIZE)
    return np.where(columns % 2, np.cos(angles), np.sin(angles)).astype(np.float32)
