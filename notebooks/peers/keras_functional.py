"""The course's network in Keras, as a signal that goes from layer to layer: compile, fit, evaluate.

    python keras_functional.py --data FOLDER --epochs 6 --seed 42 --scores scores
"""

import os
import time

# Before Keras is imported: what computes for it, on the CPU, and that this need not tell about processors and GPUs.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
import tensorflow as tf
from keras import layers

import course

args = course.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)
tf.config.threading.set_intra_op_parallelism_threads(course.cores())

# %% Data


def dataset(part):
    """Images [n, 28, 28, 1] in 0 to 1, the channel last, and their labels one-hot, [n, 10]."""
    images, labels = course.digits(args, part)
    return images[..., None].astype("float32") / 255, keras.utils.to_categorical(labels, 10)


(x_train, y_train), (x_validation, y_validation), (x_test, y_test) = map(dataset, ["train", "validation", "test"])

# %% Network

kernel = {"he": "he_uniform", "default": "glorot_uniform"}[args.weights]  # Biases start at 0.
inputs = keras.Input((28, 28, 1))
x = layers.Conv2D(32, 3, activation="relu", kernel_initializer=kernel)(inputs)
x = layers.MaxPooling2D(2)(x)
x = layers.Conv2D(64, 3, activation="relu", kernel_initializer=kernel)(x)
x = layers.MaxPooling2D(2)(x)
x = layers.Flatten()(x)
x = layers.Dropout(0.5)(x)
outputs = layers.Dense(10, activation="softmax", kernel_initializer=kernel)(x)
model = keras.Model(inputs, outputs, name="functional")
model.summary()
assert model.count_params() == course.PARAMETERS

# %% Training

model.compile(
    optimizer=keras.optimizers.Adam(course.LEARNING_RATE),
    loss="categorical_crossentropy",
    metrics=["accuracy"],
)


class Record(keras.callbacks.Callback):
    """Tests after each epoch, and takes the time of the training alone: the validation comes after the last batch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs):
        scores.epoch(
            train=(logs["loss"], logs["accuracy"]),
            validation=(logs["val_loss"], logs["val_accuracy"]),
            test=model.evaluate(x_test, y_test, batch_size=500, verbose=0),
            seconds=self.seconds,
        )


# %% Run

threads = tf.config.threading.get_intra_op_parallelism_threads()
scores = course.Scores("Keras", "functional", keras.__version__, args, threads)
model.fit(
    x_train,
    y_train,
    batch_size=course.BATCH,
    epochs=args.epochs,
    validation_data=(x_validation, y_validation),
    callbacks=[Record()],
    verbose=2,
)
loss, accuracy = model.evaluate(x_test, y_test, batch_size=500, verbose=0)
print(f"Test loss: {loss:.4f}, test accuracy: {accuracy:.4f}")
scores.save()
