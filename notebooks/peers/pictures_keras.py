"""ResNet-20 for colour pictures in Keras: the functional network, and fit.

    python pictures_keras.py --data FOLDER --seed 42 --scores scores/colour
"""

import os
import time

# Before Keras is imported: what computes for it, on the CPU, and that this need not tell about processors and GPUs.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import course
import pictures

args = pictures.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)
tf.config.threading.set_intra_op_parallelism_threads(course.cores())

# %% Data

train_set, validation_set, test_set = (pictures.pictures(args, part) for part in ["train", "validation", "test"])
random = np.random.default_rng(args.seed)
steps_per_epoch = -(-len(train_set[1]) // pictures.BATCH)
steps = args.epochs * steps_per_epoch


def channels_last(images):
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


class Batches(keras.utils.PyDataset):
    """The augmented pictures, in a new order in each epoch."""

    def __init__(self):
        super().__init__()
        self.on_epoch_end()

    def __len__(self):
        return steps_per_epoch

    def __getitem__(self, step):
        images, labels = next(self.batches)
        return channels_last(images), labels

    def on_epoch_end(self):
        self.batches = pictures.batches(*train_set, random)


def whole(images, labels):
    return channels_last(images.astype(np.float32) / 255), labels


# %% Network


# The weight decay of PyTorch's SGD, as part of the loss: half of the sum of squares of each parameter.
def decay():
    return keras.regularizers.L2(5e-4 / 2)


def conv_norm(x, outputs, stride=1):
    # PyTorch pads both sides of a convolution with stride 2; Keras would pad only the second.
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(
        outputs, 3, stride, use_bias=False, kernel_initializer="he_uniform", kernel_regularizer=decay()
    )(x)
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, beta_regularizer=decay(), gamma_regularizer=decay()
    )(x)


def block(x, outputs):
    inputs = x.shape[-1]
    stride, new = outputs // inputs, outputs - inputs
    y = layers.ReLU()(conv_norm(x, outputs, stride))
    y = conv_norm(y, outputs)
    if new:
        x = layers.AveragePooling2D(1, stride)(x)
        x = layers.Lambda(lambda x: ops.pad(x, [[0, 0], [0, 0], [0, 0], [new // 2, new // 2]]))(x)
    return layers.ReLU()(layers.Add()([y, x]))


inputs = keras.Input((32, 32, 3))
x = layers.Rescaling(4, -2)(inputs)
x = layers.ReLU()(conv_norm(x, 16))
for outputs in pictures.CHANNELS[1:]:
    x = block(x, outputs)
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(
    pictures.classes(args), kernel_initializer="he_uniform", kernel_regularizer=decay(), bias_regularizer=decay()
)(x)
model = keras.Model(inputs, outputs, name="resnet20")

# %% Training

model.compile(
    optimizer=keras.optimizers.SGD(pictures.LEARNING_RATE, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    # The loss that Keras reports has the weight decay in it.
    metrics=[keras.metrics.SparseCategoricalCrossentropy(name="entropy", from_logits=True), "accuracy"],
)

class Record(keras.callbacks.Callback):
    """Sets the learning rate of each step, tests after each epoch, and takes the time of the training alone."""

    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = course.one_cycle(self.step, steps, pictures.LEARNING_RATE)
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs):
        _, *test = self.model.evaluate(*whole(*test_set), batch_size=500, verbose=0)
        validation = (logs["val_entropy"], logs["val_accuracy"])
        scores.epoch(train=(logs["entropy"], logs["accuracy"]), validation=validation, test=test, seconds=self.seconds)


# %% Run

parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
sizes = [len(part[1]) for part in (train_set, validation_set, test_set)]
scores = course.Scores(
    "Keras", "ResNet-20", keras.__version__, args, tf.config.threading.get_intra_op_parallelism_threads(),
    data=args.name, sizes=sizes, batch=pictures.BATCH, parameters=parameters,
)
model.fit(Batches(), epochs=args.epochs, validation_data=whole(*validation_set), callbacks=[Record()], verbose=2)
scores.save()
