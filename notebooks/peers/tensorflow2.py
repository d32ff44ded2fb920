"""The course's network in TensorFlow 2: layers of Keras inside, a training step and metrics of one's own outside.

    python tensorflow2.py --data FOLDER --epochs 6 --seed 42 --scores scores
"""

import os
import time

# Before TensorFlow is imported: it computes on the CPU, and need not tell about processors and GPUs.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import tensorflow as tf
from tensorflow import keras

import course

args = course.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)
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

kernel = {"he": "he_uniform", "default": "glorot_uniform"}[args.weights]  # Biases start at 0.


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv1 = keras.layers.Conv2D(32, 3, activation="relu", kernel_initializer=kernel)
        self.conv2 = keras.layers.Conv2D(64, 3, activation="relu", kernel_initializer=kernel)
        self.pool = keras.layers.MaxPooling2D(2)
        self.flatten = keras.layers.Flatten()
        self.dropout = keras.layers.Dropout(0.5)
        self.dense = keras.layers.Dense(10, activation="softmax", kernel_initializer=kernel)

    def call(self, x, training=False):
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        x = self.dropout(self.flatten(x), training=training)
        return self.dense(x)


net = Net()
net(tf.zeros([1, 28, 28, 1]))  # Layers make their weights when they see their first input.
assert net.count_params() == course.PARAMETERS

# %% Training

criterion = keras.losses.CategoricalCrossentropy()
optimizer = keras.optimizers.Adam(course.LEARNING_RATE)
train_loss, train_accuracy = keras.metrics.Mean(), keras.metrics.CategoricalAccuracy()
test_loss, test_accuracy = keras.metrics.Mean(), keras.metrics.CategoricalAccuracy()


@tf.function
def train_step(images, labels):
    with tf.GradientTape() as tape:
        predictions = net(images, training=True)
        loss = criterion(labels, predictions)
    gradients = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(gradients, net.trainable_variables))
    train_loss(loss)
    train_accuracy(labels, predictions)


def train():
    """Returns the loss, the mean over the steps, and the accuracy, the mean over the digits."""
    train_loss.reset_state()
    train_accuracy.reset_state()
    for images, labels in train_batches:
        train_step(images, labels)
    return train_loss.result(), train_accuracy.result()


# %% Test


@tf.function
def test_step(images, labels):
    predictions = net(images, training=False)
    test_loss(criterion(labels, predictions), sample_weight=len(labels))
    test_accuracy(labels, predictions)


def test(digits):
    """Returns the loss and the accuracy over all digits, without dropout."""
    test_loss.reset_state()
    test_accuracy.reset_state()
    for images, labels in digits.batch(500):
        test_step(images, labels)
    return test_loss.result(), test_accuracy.result()


# %% Run

threads = tf.config.threading.get_intra_op_parallelism_threads()
scores = course.Scores("TensorFlow", "Keras layers, own loop", tf.__version__, args, threads)
for epoch in range(1, args.epochs + 1):
    start = time.perf_counter()
    trained = train()
    seconds = time.perf_counter() - start
    validation = test(validation_set)
    print(
        f"Epoch [{epoch}/{args.epochs}], Loss: {trained[0]:.4f}, Accuracy: {trained[1]:.4f}, "
        f"Validation loss: {validation[0]:.4f}, accuracy: {validation[1]:.4f}"
    )
    scores.epoch(train=trained, validation=validation, test=test(test_set), seconds=seconds)
scores.save()
