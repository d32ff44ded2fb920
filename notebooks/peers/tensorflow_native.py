"""The course's network in TensorFlow without layers: weights of one's own, and functions over tensors.

    python tensorflow_native.py --data FOLDER --epochs 6 --seed 42 --scores scores
"""

import math
import os
import time

# Before TensorFlow is imported: it computes on the CPU, and need not tell about processors and GPUs.
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import tensorflow as tf

import course

args = course.arguments(__doc__.splitlines()[0])
tf.random.set_seed(args.seed)
tf.config.threading.set_intra_op_parallelism_threads(course.cores())

# %% Data


def dataset(part):
    """Images [n, 28, 28, 1] in 0 to 1, the channel last, and their labels one-hot, [n, 10]."""
    images, labels = course.digits(args, part)
    images = images[..., None].astype("float32") / 255
    return tf.data.Dataset.from_tensor_slices((images, tf.one_hot(labels, 10)))


train_set, validation_set, test_set = map(dataset, ["train", "validation", "test"])
train_batches = train_set.shuffle(len(train_set)).batch(course.BATCH).prefetch(tf.data.AUTOTUNE)

# %% Network


def uniform(*shape):
    """Weights within ±√(6 / inputs) (He and others, 2015), or ±√(6 / (inputs + outputs)) (Glorot and Bengio, 2010), Keras's own."""
    field = math.prod(shape[:-2])
    fan = field * shape[-2] if args.weights == "he" else field * (shape[-2] + shape[-1])
    limit = (6 / fan) ** 0.5
    return tf.Variable(tf.random.uniform(shape, -limit, limit))


weights = {
    "conv1": uniform(3, 3, 1, 32),
    "conv1_bias": tf.Variable(tf.zeros(32)),
    "conv2": uniform(3, 3, 32, 64),
    "conv2_bias": tf.Variable(tf.zeros(64)),
    "dense": uniform(1600, 10),
    "dense_bias": tf.Variable(tf.zeros(10)),
}
for name, weight in weights.items():
    print(f"{name:12} {str(weight.shape):18} {tf.size(weight):6}")
assert sum(tf.size(weight) for weight in weights.values()) == course.PARAMETERS


def conv_block(x, kernel, bias):
    x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=1, padding="VALID") + bias)
    return tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")


def net(x, training):
    x = conv_block(x, weights["conv1"], weights["conv1_bias"])
    x = conv_block(x, weights["conv2"], weights["conv2_bias"])
    x = tf.reshape(x, [-1, 1600])
    if training:
        x = tf.nn.dropout(x, rate=0.5)
    return x @ weights["dense"] + weights["dense_bias"]  # The softmax is part of the loss.


# %% Training

optimizer = tf.optimizers.Adam(course.LEARNING_RATE)
variables = list(weights.values())


def measure(logits, labels):
    """The mean loss and the share of right predictions."""
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))
    right = tf.equal(tf.argmax(logits, 1), tf.argmax(labels, 1))
    return loss, tf.reduce_mean(tf.cast(right, tf.float32))


@tf.function
def train_step(images, labels):
    with tf.GradientTape() as tape:
        loss, accuracy = measure(net(images, training=True), labels)
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    return loss, accuracy


def train(epoch):
    """Returns the loss and the accuracy, each the mean over the steps."""
    steps = tf.stack([train_step(images, labels) for images, labels in train_batches])
    loss, accuracy = tf.reduce_mean(steps, axis=0)
    print(f"Epoch [{epoch}/{args.epochs}], Loss: {loss:.4f}, Accuracy: {accuracy:.4f}")
    return loss, accuracy


# %% Test


@tf.function
def test_step(images, labels):
    return measure(net(images, training=False), labels)


def test(digits):
    """Returns the loss and the accuracy over all digits, without dropout."""
    sums = sum(tf.stack(test_step(images, labels)) * len(labels) for images, labels in digits.batch(500))
    return sums / len(digits)


# %% Run

threads = tf.config.threading.get_intra_op_parallelism_threads()
scores = course.Scores("TensorFlow", "native functions", tf.__version__, args, threads)
for epoch in range(1, args.epochs + 1):
    start = time.perf_counter()
    trained = train(epoch)
    seconds = time.perf_counter() - start
    validation = test(validation_set)
    print(f"Epoch [{epoch}/{args.epochs}], Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}")
    scores.epoch(train=trained, validation=validation, test=test(test_set), seconds=seconds)
scores.save()
