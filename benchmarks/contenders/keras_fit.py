"""Keras' ``fit`` on TensorFlow or JAX, or distillation in a ``train_step`` that runs the teacher in every step."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

os.environ["KERAS_BACKEND"] = json.loads(sys.argv[2])["backend"]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers


def deepconvlstm(shape: list[int], filters: int, units: int) -> keras.Model:
    """Build DeepConvLSTM in plain Keras layers, as Agac & Incel do."""
    length, channels, classes = shape
    inputs = x = keras.Input((length, channels))
    x = layers.Reshape((length, channels, 1))(x)
    for _ in range(4):
        x = layers.Conv2D(filters, (5, 1), activation="relu", kernel_initializer="orthogonal")(x)
    x = layers.Permute((2, 1, 3))(x)
    x = layers.Reshape((channels, (length - 16) * filters))(x)
    for _ in range(2):
        x = layers.LSTM(units, return_sequences=True)(x)
    return keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


class Distiller(keras.Model):
    """The distiller of Keras' examples: the teacher runs on every batch."""

    def __init__(self, student: keras.Model, teacher: keras.Model) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        self.label_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.divergence = keras.losses.KLDivergence()
        self.temperature, self.alpha = 4.0, 0.5

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step on α L_stud + (1 − α) T² KL."""
        import tensorflow as tf

        x, y = data
        teacher_logits = self.teacher(x, training=False)
        with tf.GradientTape() as tape:
            logits = self.student(x, training=True)
            soft = self.divergence(
                tf.nn.softmax(teacher_logits / self.temperature), tf.nn.softmax(logits / self.temperature)
            )
            loss = self.alpha * self.label_loss(y, logits) + (1 - self.alpha) * self.temperature**2 * soft
        weights = self.student.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


class Turns(keras.callbacks.Callback):
    """Run an epoch of one long ``fit`` for every line on standard input; the first one warms up."""

    def __init__(self) -> None:
        super().__init__()
        self.start = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Wait for the turn."""
        if epoch and not sys.stdin.readline():
            sys.exit(0)
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Print how long the epoch took."""
        print(json.dumps({"seconds": time.perf_counter() - self.start}), flush=True)


def main() -> None:
    """Run the task of the arguments."""
    settings = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as data:
        windows, labels = data["windows"], data["labels"]
    keras.utils.set_random_seed(0)
    if settings["size"] is None:
        # A user's models run in this package's interpreter, with Keras on JAX.
        from benchmarks.contenders.user_models import user_model

        model = user_model(settings["name"], settings["shape"])
    else:
        model = deepconvlstm(settings["shape"], *settings["size"])
    if settings["task"] == "distil":
        model = Distiller(model, deepconvlstm(settings["shape"], *settings["teacher"]))
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
    model.fit(windows, labels, batch_size=settings["batch"], epochs=1_000_000, verbose=0, callbacks=[Turns()])


if __name__ == "__main__":
    main()
