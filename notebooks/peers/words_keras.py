"""A small encoder for texts in Keras: the functional network, and fit.

    python words_keras.py --data words.json --seed 42 --scores scores/words
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
import words

args = words.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)
tf.config.threading.set_intra_op_parallelism_threads(course.cores())

# %% Data

data = words.Words(args.data)
random = np.random.default_rng(args.seed)
steps_per_epoch = -(-data.sizes()[0] // words.BATCH)
steps = args.epochs * steps_per_epoch


class Batches(keras.utils.PyDataset):
    """A random piece of each text, in a new order in each epoch."""

    def __init__(self):
        super().__init__()
        self.on_epoch_end()

    def __len__(self):
        return steps_per_epoch

    def __getitem__(self, step):
        return next(self.batches)

    def on_epoch_end(self):
        self.batches = data.batches(random)


# %% Network


class Start(layers.Layer):
    """The embedding of the tokens, and their places."""

    def __init__(self):
        super().__init__()
        self.embedding = layers.Embedding(data.vocabulary, words.SIZE, embeddings_initializer=he(words.SIZE))
        self.places = words.places()

    def call(self, tokens):
        return self.embedding(tokens) + self.places


class Mean(layers.Layer):
    """The mean over the tokens, without those that only fill up."""

    def call(self, x, is_token):
        is_token = ops.expand_dims(ops.cast(is_token, x.dtype), 2)
        return ops.sum(x * is_token, 1) / ops.sum(is_token, 1)


def he(inputs):
    bound = (6 / inputs) ** 0.5
    return keras.initializers.RandomUniform(-bound, bound)


def dense(outputs, inputs=words.SIZE, activation=None):
    return layers.Dense(outputs, activation, kernel_initializer=he(inputs))


def block(x, mask):
    y = layers.LayerNormalization(epsilon=1e-5)(x)
    heads = layers.MultiHeadAttention(words.HEADS, words.SIZE // words.HEADS, kernel_initializer=he(words.SIZE))
    x = x + heads(y, y, attention_mask=mask)
    y = layers.LayerNormalization(epsilon=1e-5)(x)
    y = dense(2 * words.SIZE, activation=lambda x: keras.activations.gelu(x, approximate=False))(y)
    return x + dense(words.SIZE, 2 * words.SIZE)(y)


inputs = keras.Input((words.WINDOW,), dtype="int32")
is_token = inputs != 0
x = Start()(inputs)
for _ in range(words.BLOCKS):
    x = block(x, is_token[:, None, :])
x = layers.LayerNormalization(epsilon=1e-5)(Mean()(x, is_token))
model = keras.Model(inputs, dense(data.classes)(x), name="encoder")

# %% Training

model.compile(
    optimizer=keras.optimizers.AdamW(words.LEARNING_RATE, weight_decay=0.01, epsilon=1e-8),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


class Record(keras.callbacks.Callback):
    """Sets the learning rate of each step, tests after each epoch, and takes the time of the training alone."""

    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = course.one_cycle(self.step, steps, words.LEARNING_RATE)
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs):
        test = self.model.evaluate(*data.whole("test"), batch_size=500, verbose=0)
        validation = (logs["val_loss"], logs["val_accuracy"])
        scores.epoch(train=(logs["loss"], logs["accuracy"]), validation=validation, test=test, seconds=self.seconds)


# %% Run

parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
scores = course.Scores(
    "Keras", "encoder", keras.__version__, args, tf.config.threading.get_intra_op_parallelism_threads(),
    data=data.name, sizes=data.sizes(), batch=words.BATCH, parameters=parameters,
)
model.fit(Batches(), epochs=args.epochs, validation_data=data.whole("validation"), callbacks=[Record()], verbose=2)
scores.save()
