"""The course's network in Keras, as a signal that goes from layer to layer: compile, fit, evaluate.

    python keras_functional.py --data FOLDER --epochs 5 --seed 42 --scores scores
"""

import os
import time

# Before Keras is imported: what computes for it, on the CPU, and that this need not tell about processors and GPUs.
os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

import keras
from keras import layers

import course

args = course.arguments(__doc__.splitlines()[0])
keras.utils.set_random_seed(args.seed)

# %% Data


def dataset(part):
    """Images [n, 28, 28, 1] in 0 to 1, the channel last, and their labels one-hot, [n, 10]."""
    images, labels = course.digits(args, part)
    return images[..., None].astype("float32") / 255, keras.utils.to_categorical(labels, 10)


(x_train, y_train), (x_test, y_test) = dataset("train"), dataset("test")

# %% Network

inputs = keras.Input((28, 28, 1))
x = layers.Conv2D(32, 3, activation="relu")(inputs)
x = layers.MaxPooling2D(2)(x)
x = layers.Conv2D(64, 3, activation="relu")(x)
x = layers.MaxPooling2D(2)(x)
x = layers.Flatten()(x)
x = layers.Dropout(0.5)(x)
outputs = layers.Dense(10, activation="softmax")(x)
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

# Keras takes the validation images from the end: 6,000 of 60,000, which leaves 422 steps an epoch.
validation = len(x_train) - int(len(x_train) * 0.9)
sizes = dict(train=len(x_train) - validation, validation=validation, test=len(x_test))
scores = course.Scores("Keras", "functional", keras.__version__, args, **sizes)
model.fit(
    x_train,
    y_train,
    batch_size=course.BATCH,
    epochs=args.epochs,
    validation_split=0.1,
    callbacks=[Record()],
    verbose=2,
)
loss, accuracy = model.evaluate(x_test, y_test, batch_size=500, verbose=0)
print(f"Test loss: {loss:.4f}, test accuracy: {accuracy:.4f}")
scores.save()
