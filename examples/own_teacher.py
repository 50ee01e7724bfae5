"""Distil a Keras model of your own, which ends in softmax, into a small network; score both on unseen subjects."""

import stillmotion as sm  # before keras: it selects Keras' JAX backend

# isort: split
import keras
import numpy as np

from stillmotion.evaluation import confusion_matrix, macro_f1
from stillmotion.training import Recipe

CLASSES, SUBJECTS, EACH = ("sit", "walk", "run"), 8, 60


def simulate() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate acceleration in g, 2 s at 25 Hz, of subjects who differ in pace and strength."""
    random = np.random.default_rng(0)
    y, subjects = np.arange(SUBJECTS * EACH) % len(CLASSES), np.repeat(np.arange(SUBJECTS), EACH)
    pace = np.array([0.0, 1.8, 2.4])[y] + random.normal(0, 0.2, SUBJECTS)[subjects]
    size = np.array([0.0, 0.4, 0.7])[y] * random.lognormal(0, 0.3, SUBJECTS)[subjects]
    phase = 2 * np.pi * (pace[:, None] * np.arange(50) / 25 + random.random((len(y), 1)))
    swing = (size[:, None] * np.sin(phase))[..., None] * [1, 0.5, 0.3] + [0, 0, 1]
    return (swing + random.normal(0, 0.15, swing.shape)).astype(np.float32), y, subjects


X, y, subjects = simulate()
test = subjects >= 6
teacher = keras.Sequential(
    [
        keras.Input((50, 3)),
        keras.layers.Conv1D(64, 7, activation="relu"),
        keras.layers.Conv1D(64, 5, activation="relu"),
        keras.layers.GlobalMaxPooling1D(),
        keras.layers.Dense(len(CLASSES), activation="softmax"),
    ]
)
teacher.compile("adam", "sparse_categorical_crossentropy")
teacher.fit(X[~test], y[~test], epochs=8, verbose=0)

# Logits are taken from before the teacher's softmax. Two of the six training subjects choose the student's best epoch.
student = sm.networks.build_network("mlp-small", (50, 3, len(CLASSES)), seed=0)
fitted = sm.fit(
    student,
    X[~test],
    y[~test],
    subjects=subjects[~test],
    teacher=teacher,
    hyperparameters={"temperature": 4.0},
    recipe=Recipe(epochs=10, learning_rate=3e-3),
    progress=False,
)
print(f"best epoch {fitted.best_epoch} of {fitted.epochs}, validation macro-F1 {100 * fitted.best:.1f} %")
for name, model in (("teacher", teacher), ("student", student)):
    predicted = model.predict(X[test], verbose=0).argmax(1)
    score = macro_f1(confusion_matrix(y[test], predicted, len(CLASSES)))
    print(f"{name}: macro-F1 {100 * score:.1f} % on 2 unseen subjects, {model.count_params():,} parameters")
