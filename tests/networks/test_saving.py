"""Saved networks open with Keras alone, on other backends, and predict the same."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import keras
import numpy as np
import pytest

from stillmotion.networks import build_network, get_network, list_taps, loop_friendly, set_statistics, with_taps
from tests.conftest import unavailable

from .conftest import SHAPE, VARIANTS

#: Keras copies its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

#: Loads every model with Keras alone and writes what each predicts.
ALONE = """
import sys, json, pathlib
sys.modules["stillmotion"] = None  # any import of it fails
import numpy as np, keras
folder = pathlib.Path(sys.argv[1])
x = np.load(folder / "x.npy")
for path in sorted(folder.glob("*.keras")):
    model = keras.models.load_model(path)
    outputs = model(x, training=False)
    outputs = outputs["logits"] if isinstance(outputs, dict) else outputs
    np.save(path.with_suffix(".npy"), keras.ops.convert_to_numpy(outputs))
assert not any(name.startswith("stillmotion.") for name in sys.modules)
print(keras.backend.backend())
"""

#: Networks of Keras' layers; the others need the package that registers theirs.


#: Networks of Keras' own layers; window features need this package's layer (``tests/features``).
PLAIN = [
    (name, options)
    for name, options in VARIANTS
    if "features" not in get_network(name).taps and not name.startswith("fastgrnn")
]


def stem(name, options):
    return "-".join([name, *options])


@pytest.fixture(scope="module")
def saved(studied, signal, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    np.save(folder / "x.npy", signal)
    for name, options in PLAIN:
        studied(name, options).model.save(folder / f"{stem(name, options)}.keras")
    return folder


@pytest.mark.parametrize("backend", [pytest.param("numpy", marks=pytest.mark.slow), "tensorflow"])
def test_every_network_predicts_the_same_with_keras_alone(backend, saved, studied):
    python = sys.executable
    if backend == "tensorflow":
        own = Path(__file__).parents[2] / ".venv-tensorflow" / "bin" / "python"  # made by `make test`
        python = str(own) if own.exists() else sys.executable
        if not own.exists() and importlib.util.find_spec("tensorflow") is None:
            unavailable("TensorFlow is not installed; the same is checked on Keras' NumPy backend")
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [python, "-c", ALONE, str(saved)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == backend
    for name, options in PLAIN:
        theirs = np.load(saved / f"{stem(name, options)}.npy")
        np.testing.assert_allclose(theirs, studied(name, options).taps["logits"], rtol=1e-5, atol=1e-5, err_msg=name)
        (saved / f"{stem(name, options)}.npy").unlink()


@pytest.mark.parametrize(("name", "options"), PLAIN, ids=lambda value: value if isinstance(value, str) else "")
def test_files_name_only_layers_that_keras_has(name, options, saved):
    with zipfile.ZipFile(saved / f"{stem(name, options)}.keras") as archive:
        config = archive.read("config.json").decode()
    assert "stillmotion" not in config

    def modules(value):
        if isinstance(value, dict):
            yield from ([value["module"]] if value.get("module") else [])
            value = list(value.values())
        if isinstance(value, list):
            for part in value:
                yield from modules(part)

    assert {name.split(".")[0] for name in modules(json.loads(config))} <= {"keras", "builtins"}


@pytest.mark.parametrize("name", ["tinierhar", "motion-net-s", "deepconvlstm-lm"])
def test_a_loaded_network_keeps_taps_and_becomes_loop_friendly_again(name, saved, built):
    model = built(name)
    loaded = keras.models.load_model(saved / f"{name}.keras")
    assert list_taps(loaded) == list_taps(model)
    kinds = [type(layer) for layer in loop_friendly(loaded).layers]
    assert kinds == [type(layer) for layer in model.layers]
    assert kinds != [type(layer) for layer in loaded.layers]


def test_a_network_made_loop_friendly_again_says_what_the_file_said(saved, studied, signal):
    name, options = next(variant for variant in VARIANTS if "attention" in variant[1])
    friendly = loop_friendly(keras.models.load_model(saved / f"{stem(name, options)}.keras"))
    found = jax.jit(with_taps(friendly, list_taps(friendly)))(signal)
    for tap, expected in studied(name, options).taps.items():
        np.testing.assert_allclose(found[tap], expected, atol=1e-5, err_msg=tap)


def test_statistics_travel_with_the_file(tmp_path, signal):
    model = build_network("mlp-small", SHAPE)
    before = np.asarray(model(signal))
    set_statistics(model, [1.0, -2.0, 0.5], [0.1, 3.0, 9.81])
    model.save(tmp_path / "model.keras")
    after = np.asarray(keras.models.load_model(tmp_path / "model.keras")(signal))
    np.testing.assert_allclose(after, model(signal), atol=1e-6)
    assert abs(after - before).max() > 0.1
