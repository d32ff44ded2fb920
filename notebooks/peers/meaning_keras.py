"""Fine-tunes MiniLM in Keras: the functional network, with the weights of the file, and fit.

    python meaning_keras.py --data meaning.json --model all-MiniLM-L6-v2 --seed 42 --scores scores/meaning
"""

import json
import os
import time

# Before Keras is imported: what computes for it, on the CPU, and that this need not tell about processors and GPUs.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from safetensors.numpy import load_file

import course
import meaning

args = meaning.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)
tf.config.threading.set_intra_op_parallelism_threads(course.cores())

# %% Data

names = meaning.Names(args.data)
random = np.random.default_rng(args.seed)
steps_per_epoch = -(-names.sizes()[0] // meaning.BATCH)
steps = args.epochs * steps_per_epoch


class Batches(keras.utils.PyDataset):
    """The names in a new order in each epoch. All are filled up alike, for each new shape would be compiled anew."""

    def __init__(self):
        super().__init__()
        self.on_epoch_end()

    def __len__(self):
        return steps_per_epoch

    def __getitem__(self, step):
        return next(self.batches)

    def on_epoch_end(self):
        self.batches = names.batches(random, names.longest)


# %% Network

config = json.loads((args.model / "config.json").read_text())
size, heads = config["hidden_size"], config["num_attention_heads"]
file = load_file(args.model / "model.safetensors")


class Start(layers.Layer):
    """The embeddings of the tokens, of their places, and of the sentence that they belong to, which is always the first."""

    def build(self, shape):
        self.tokens, self.places, self.kinds = (
            self.add_weight(shape=(n, size), name=name)
            for n, name in [
                (config["vocab_size"], "tokens"),
                (config["max_position_embeddings"], "places"),
                (config["type_vocab_size"], "kinds"),
            ]
        )

    def call(self, tokens):
        return ops.take(self.tokens, tokens, 0) + self.places[: tokens.shape[1]] + self.kinds[0]


class Mean(layers.Layer):
    """The mean over the tokens, without those that only fill up, of length √size."""

    def call(self, x, is_token):
        sum = ops.sum(x * ops.expand_dims(ops.cast(is_token, x.dtype), 2), 1)
        return ops.normalize(sum) * size**0.5


def norm():
    return layers.LayerNormalization(epsilon=config["layer_norm_eps"])


def block(x, mask):
    y = layers.MultiHeadAttention(heads, size // heads)(x, x, attention_mask=mask)
    x = norm()(x + y)
    y = layers.Dense(config["intermediate_size"], lambda x: keras.activations.gelu(x, approximate=False))(x)
    return norm()(x + layers.Dense(size)(y))


inputs = keras.Input((names.longest,), dtype="int32")
is_token = inputs != 0
x = norm()(Start()(inputs))
for _ in range(config["num_hidden_layers"]):
    x = block(x, is_token[:, None, :])
model = keras.Model(inputs, layers.Dense(names.classes)(Mean()(x, is_token)), name="classifier")


def weights():
    """Those of the file, and those of the head, in the order and the shapes that Keras has them in."""
    embeddings = ["word", "position", "token_type"]
    yield from (file[f"embeddings.{name}_embeddings.weight"] for name in embeddings)
    yield from (file[f"embeddings.LayerNorm.{name}"] for name in ["weight", "bias"])
    for at in range(config["num_hidden_layers"]):
        of = lambda name: file[f"encoder.layer.{at}.{name}"]
        for name in ["query", "key", "value"]:
            yield of(f"attention.self.{name}.weight").T.reshape(size, heads, -1)
            yield of(f"attention.self.{name}.bias").reshape(heads, -1)
        yield of("attention.output.dense.weight").T.reshape(heads, -1, size)
        yield of("attention.output.dense.bias")
        yield from (of(f"attention.output.LayerNorm.{name}") for name in ["weight", "bias"])
        for name in ["intermediate", "output"]:
            yield of(f"{name}.dense.weight").T
            yield of(f"{name}.dense.bias")
        yield from (of(f"output.LayerNorm.{name}") for name in ["weight", "bias"])
    yield names.weight.T
    yield names.bias


model.set_weights(list(weights()))

# %% Training

model.compile(
    optimizer=keras.optimizers.AdamW(meaning.LEARNING_RATE, weight_decay=0.01, epsilon=1e-8),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)


class Record(keras.callbacks.Callback):
    """Sets the learning rate of each step, tests after each epoch, and takes the time of the training alone."""

    step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = course.one_cycle(self.step, steps, meaning.LEARNING_RATE)
        self.step += 1

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs):
        test = self.model.evaluate(*names.whole("test", names.longest), batch_size=64, verbose=0)
        validation = (logs["val_loss"], logs["val_accuracy"])
        scores.epoch(train=(logs["loss"], logs["accuracy"]), validation=validation, test=test, seconds=self.seconds)


# %% Run

parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
scores = course.Scores(
    "Keras", "fine-tuned", keras.__version__, args, tf.config.threading.get_intra_op_parallelism_threads(),
    data=names.name, sizes=names.sizes(), batch=meaning.BATCH, parameters=parameters,
)
checked = names.whole("validation", names.longest)
model.fit(Batches(), epochs=args.epochs, validation_data=checked, callbacks=[Record()], verbose=2)
scores.save()
