"""Fine-tunes EfficientNet-Lite0 in Keras: the functional network, with the weights of the file, and fit.

    python shoulders_keras.py --data shoulders.safetensors --model efficientnet-lite0-57934424.pth --scores scores/shoulders
"""

import os
import time

# Before Keras is imported: what computes for it, on the CPU, and that this need not tell about processors and GPUs.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
import torch
from keras import layers

import course
import shoulders

args = shoulders.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)
tf.config.threading.set_intra_op_parallelism_threads(course.cores())

# %% Data

pictures = shoulders.Pictures(args.data)
random = np.random.default_rng(args.seed)
steps_per_epoch = -(-pictures.sizes()[0] // shoulders.BATCH)
steps = args.epochs * steps_per_epoch


def channels_last(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


class Batches(keras.utils.PyDataset):
    """The pictures, in a new order in each epoch."""

    def __init__(self):
        super().__init__()
        self.on_epoch_end()

    def __len__(self):
        return steps_per_epoch

    def __getitem__(self, step):
        images, labels = next(self.batches)
        return channels_last(images), labels

    def on_epoch_end(self):
        self.batches = pictures.batches(random)


def whole(part):
    images, labels = pictures.parts[part]
    return channels_last(images), labels


# %% Network


def norm(x):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)


def conv(x, outputs, window=1, stride=1):
    return norm(layers.Conv2D(outputs, window, stride, "same", use_bias=False)(x))


def block(x, inputs, outputs, factor, window, stride):
    y = layers.ReLU(6)(conv(x, factor * inputs)) if factor > 1 else x
    y = norm(layers.DepthwiseConv2D(window, stride, "same", use_bias=False)(y))
    y = conv(layers.ReLU(6)(y), outputs)
    return layers.Add()([y, x]) if stride == 1 and inputs == outputs else y


side = pictures.parts["train"][0].shape[-1]
inputs = keras.Input((side, side, 3))
x = layers.Resizing(args.side, args.side, "bilinear")(inputs)
x = layers.Rescaling(255 / 128, -127 / 128)(x)
x = layers.ReLU(6)(conv(x, 32, 3, 2))
for sizes in shoulders.blocks():
    x = block(x, *sizes)
x = layers.ReLU(6)(conv(x, shoulders.FEATURES))
model = keras.Model(inputs, layers.Dense(len(pictures.bias))(layers.GlobalAveragePooling2D()(x)), name="efficientnet")


def weights():
    """Those of the file, and those of the head, in the order and the shapes that Keras has them in."""
    file = {name: tensor.numpy() for name, tensor in torch.load(args.model, weights_only=True).items()}
    names = [("_conv_stem", "_bn0")]
    for at, (_, _, factor, _, _) in enumerate(shoulders.blocks()):
        pairs = [("_expand_conv", "_bn0")] * (factor > 1) + [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        names += [tuple(f"_blocks.{at}.{name}" for name in pair) for pair in pairs]
    names += [("_conv_head", "_bn1")]
    for conv, norm in names:
        is_depthwise = "depthwise" in conv
        yield file[f"{conv}.weight"].transpose((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0))
        yield from (file[f"{norm}.{name}"] for name in ["weight", "bias", "running_mean", "running_var"])
    yield pictures.weight.T
    yield pictures.bias


model.set_weights(list(weights()))

# %% Training

model.compile(
    optimizer=keras.optimizers.AdamW(shoulders.LEARNING_RATE, weight_decay=0.01, epsilon=1e-8),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


class Record(keras.callbacks.Callback):
    """Sets the learning rate of each step, tests after each epoch, and takes the time of the training alone."""

    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = course.one_cycle(self.step, steps, shoulders.LEARNING_RATE)
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs):
        test = self.model.evaluate(*whole("test"), batch_size=shoulders.BATCH, verbose=0)
        validation = (logs["val_loss"], logs["val_accuracy"])
        scores.epoch(train=(logs["loss"], logs["accuracy"]), validation=validation, test=test, seconds=self.seconds)


# %% Run

parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
scores = course.Scores(
    "Keras", "fine-tuned", keras.__version__, args, tf.config.threading.get_intra_op_parallelism_threads(),
    data=args.name, sizes=pictures.sizes(), batch=shoulders.BATCH, parameters=parameters,
)
model.fit(Batches(), epochs=args.epochs, validation_data=whole("validation"), callbacks=[Record()], verbose=2)
scores.save()
