"""What the scripts that fine-tune a pretrained EfficientNet-Lite0 share: the command line, the pictures, and batches of them."""

import argparse
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

BATCH = 32
LEARNING_RATE = 5e-4
FEATURES = 1280
# Of each stage: its blocks, how many times as many channels they have inside, the window, the stride of the first one, and the
# channels that come out.
STAGES = [
    (1, 1, 3, 1, 16), (2, 6, 3, 2, 24), (2, 6, 5, 2, 40), (3, 6, 3, 2, 80), (3, 6, 5, 1, 112), (4, 6, 5, 2, 192), (1, 6, 3, 1, 320),
]


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    data = "the file shoulders.safetensors, which 17_standing_on_shoulders writes"
    parser.add_argument("--data", type=Path, required=True, help=data)
    parser.add_argument("--model", type=Path, required=True, help="the file efficientnet-lite0-57934424.pth with the weights")
    parser.add_argument("--name", default="emoji", help="what the record calls the data")
    parser.add_argument("--side", type=int, default=96, help="what each picture is enlarged to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--scores", type=Path, help="folder for the record of the scores")
    args = parser.parse_args()
    args.weights = "he"
    for path in (args.data, args.model):
        if not path.exists():
            sys.exit(f"{path}: not found")
    return args


def blocks():
    """Of each block: the channels that come in and go out, how many times as many it has inside, the window, and the stride."""
    inputs = 32
    for count, factor, window, stride, outputs in STAGES:
        for at in range(count):
            yield inputs, outputs, factor, window, stride if at == 0 else 1
            inputs = outputs


class Pictures:
    """The pictures [n, 3, rows, columns], from 0 to 1, and their classes [n], of the parts `train`, `validation` and `test`."""

    def __init__(self, path):
        file = load_file(path)
        # Trained on frozen features: weights [classes, 1280] and biases [classes].
        self.weight, self.bias = file["head.weight"], file["head.bias"]
        self.parts = {
            part: (file[f"{part}.pictures"].astype(np.float32) / 255, file[f"{part}.classes"].astype(np.int64))
            for part in ("train", "validation", "test")
        }

    def sizes(self):
        return [len(classes) for _, classes in self.parts.values()]

    def batches(self, random):
        """Pictures to train on, in a new order, and their classes."""
        pictures, classes = self.parts["train"]
        order = random.permutation(len(classes))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            yield pictures[places], classes[places]
