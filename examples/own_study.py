"""Study a network, a distillation method and a classifier of your own; report the folder without the recordings."""

import stillmotion as sm  # before keras: it selects Keras' JAX backend

# isort: split
import shutil
import tempfile
from pathlib import Path

import jax.numpy as jnp
import keras
import numpy as np
from sklearn.naive_bayes import GaussianNB

from stillmotion.evaluation import compare_variants, count_confusion, read_predictions
from stillmotion.formatting import format_points, format_score
from stillmotion.methods import Batch, Method, Range, register_method
from stillmotion.methods.losses import cross_entropy
from stillmotion.studies import Networks, Split, Study, Training


def simulate() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate acceleration in g, 2 s at 25 Hz, of nine subjects who sit and walk."""
    random = np.random.default_rng(0)
    y, subjects = np.arange(9 * 40) % 2, np.repeat(np.arange(9), 40)
    pace = 1.8 + random.normal(0, 0.2, 9)[subjects]
    phase = 2 * np.pi * (pace[:, None] * np.arange(50) / 25 + random.random((len(y), 1)))
    swing = 0.4 * y[:, None, None] * np.sin(phase)[..., None] * [1, 0.5, 0.3] + [0, 0, 1]
    return swing + random.normal(0, 0.5, swing.shape), np.array(["sit", "walk"])[y], subjects


def build_student(shape: sm.networks.Shape) -> keras.Model:
    """Build a small convolution for the samples, channels and classes of the study's windows."""
    inputs = keras.Input((shape.window, shape.channels))
    hidden = keras.layers.Conv1D(8, 5, activation="relu")(inputs)
    hidden = keras.layers.GlobalMaxPooling1D()(hidden)
    return keras.Model(inputs, keras.layers.Dense(shape.classes)(hidden))


def match_logits(batch: Batch, student: dict, teacher: dict, hyperparameters: dict, aux_params: dict) -> dict:
    """L = L_stud + w · ‖z_S − z_T‖²."""
    distance = jnp.mean((student["logits"] - teacher["logits"]) ** 2)
    return {"cross_entropy": cross_entropy(batch, student["logits"]), "distance": hyperparameters["weight"] * distance}


teacher = keras.Sequential(
    [
        keras.Input((50, 3)),
        keras.layers.Conv1D(32, 7, activation="relu"),
        keras.layers.GlobalMaxPooling1D(),
        keras.layers.Dense(2, activation="softmax"),
    ],
    name="my-teacher",
)
method = Method(
    name="match-logits",
    title="squared distance of logits",
    source="this example",
    objective=match_logits,
    teacher_taps=("logits",),
    hyperparameters={"weight": Range(0.1, 0.01, 1.0, log=True)},
)

# A Study checks its names when it is made, so methods and classifiers are registered before.
register_method(method)
sm.features.register_classifier("naive-bayes", GaussianNB())
study = Study(
    name="mine",
    variants=("lm", "match-logits"),
    compare=("match-logits", "lm"),
    seeds=1,
    controls=False,
    baselines=("naive-bayes",),
    split=Split("subjects:3", folds=1),
    networks=Networks(build_student, (teacher,)),
    training=Training(epochs=8, learning_rate=1e-2),
)

X, y, subjects = simulate()
data = sm.from_arrays(X, y, subjects, rate=25, channels=["wrist.acc.x", "wrist.acc.y", "wrist.acc.z"])
with tempfile.TemporaryDirectory() as temporary:
    folder, received = Path(temporary) / "mine", Path(temporary) / "elsewhere" / "received"
    results = sm.run_study(study, folder, data=data, score_test=True, quiet=True)
    for row in results.rows:
        print(f"{row.variant} ({row.kind}): macro-F1 {format_score(row.macro_f1)} {row.verdict}")

    # Whoever receives the folder reports and compares it without the recordings.
    shutil.move(folder, received)
    page = sm.reports.write_report(received, Path(temporary) / "report")
    print(f"{page.name}: {len(list((page.parent / 'figures').glob('*.svg')))} figures")
    files = sorted((received / "predictions").glob("*.parquet"))
    for pair in compare_variants(count_confusion(read_predictions(*files)), against="lm").comparisons:
        print(f"{pair.variant} against {pair.against}: {format_points(pair.difference)}, {pair.verdict}")
