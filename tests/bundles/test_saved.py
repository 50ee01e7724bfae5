"""The cost of a saved model equals that of the model; errors name the file and the layer."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

from stillmotion.bundles import Bundle, open_model, saved_cost
from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.networks import build_network, network_cost
from stillmotion.signals import Channel, SignalSpec

#: Keras copies its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SPEC = SignalSpec(20.0, tuple(Channel("acc", axis) for axis in "xyz"), ("walk", "sit", "lie", "run"), 32, 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A bundle and a model of one's own."""
    folder = tmp_path_factory.mktemp("saved")
    Bundle.save(folder / "best", build_network("mlp-small", SPEC), SPEC)
    own = keras.Sequential([keras.Input((20, 3)), layers.Conv1D(4, 5), layers.Flatten(), layers.Dense(6)], name="own")
    own.save(folder / "own.keras")
    return folder


def still(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_cost_of_a_keras_file_is_that_by_hand(folder):
    counted = saved_cost(folder / "own.keras")
    # 16 places × 4 filters × (5 × 3) products, then 64 × 6; one bias for each result.
    assert counted.multiply_adds == 16 * 4 * 15 + 64 * 6
    assert counted.flops == 2 * counted.multiply_adds + 16 * 4 + 6
    assert counted.flops_convolutions == 2 * 16 * 4 * 15 + 16 * 4
    assert counted.params == (15 * 4 + 4) + (64 * 6 + 6) == open_model(folder / "own.keras").count_params()
    assert (counted.input_shape, counted.output_shape) == ((20, 3), (6,))


def test_the_cost_of_a_bundle_is_that_of_its_model(folder, capsys):
    counted = saved_cost(folder / "best")
    assert counted == network_cost(build_network("mlp-small", SPEC))
    code, out, _ = still(capsys, "cost", folder / "best", "--json")
    values = json.loads(out)
    assert code == 0
    assert {"params", "flops", "flops_convolutions", "layers"} <= set(values)
    assert (values["params"], values["input_shape"], values["output_shape"]) == (counted.params, [32, 3], [4])
    assert sum(layer["params"] for layer in values["layers"]) == values["params"]


def test_the_table_of_a_saved_model_names_the_shape_that_was_read(folder, capsys):
    code, out, _ = still(capsys, "cost", folder / "own.keras")
    assert code == 0
    assert "own: 20 × 3 → 6" in out


def test_a_layer_that_is_not_counted_is_named_with_its_file(folder, capsys):
    model = keras.Sequential([keras.Input((20, 3)), layers.UnitNormalization(name="odd"), layers.Flatten()])
    model.save(folder / "odd.keras")
    code, out, err = still(capsys, "cost", folder / "odd.keras")
    assert (code, out) == (2, "")
    assert "odd.keras" in err
    assert "'odd'" in err
    assert "UnitNormalization" in err


def test_a_layer_of_ones_own_that_keras_cannot_load_is_named(tmp_path):
    @keras.saving.register_keras_serializable("mine")
    class Wobble(layers.Layer):
        def call(self, x):
            return 2 * x

    keras.Sequential([keras.Input((20, 3)), Wobble()]).save(tmp_path / "own.keras")
    keras.saving.get_custom_objects().pop("mine>Wobble")
    with pytest.raises(UserError, match=r"own.keras cannot be opened: it holds Wobble, which Keras cannot load"):
        saved_cost(tmp_path / "own.keras")


def test_code_inside_a_model_is_never_run(tmp_path):
    model = keras.Sequential([keras.Input((20, 3)), layers.Lambda(lambda x: 2 * x, name="doubled")])
    model.save(tmp_path / "own.keras")
    with pytest.raises(UserError, match=r"own.keras cannot be opened: it holds lambda"):
        saved_cost(tmp_path / "own.keras")


def test_a_window_without_a_fixed_length_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), layers.GlobalAveragePooling1D(), layers.Dense(2)], name="any")
    model.save(tmp_path / "any.keras")
    with pytest.raises(UserError, match=r"any.keras: any takes windows of any size \(None, None, 3\)"):
        saved_cost(tmp_path / "any.keras")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["best", "--window", "32"], "--window"),
        (["own.keras", "--attention", "channel:r=4,after=1"], "--attention"),
        (["none.keras"], "none.keras is not there"),
        (["none/none"], "neither the folder of a bundle nor a .keras file"),
        (["text.txt"], "neither the folder of a bundle nor a .keras file"),
        (["."], "no bundle: it lacks model.keras"),
        (["mlp", "--window", "32", "--classes", "3"], "--channels"),
        (["nope"], "Unknown network 'nope'"),
    ],
)
def test_what_cannot_be_counted_is_said_in_a_sentence(folder, capsys, monkeypatch, arguments, named):
    monkeypatch.chdir(folder)
    (folder / "text.txt").write_text("params: 3")
    code, out, err = still(capsys, "cost", *arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert len(err.splitlines()) == 1


def refused_or_right(path, counted):
    """Whether a damaged file is refused in a sentence, or still says the same."""
    try:
        return saved_cost(path) == counted
    except UserError as error:
        return "\n" not in str(error)


@pytest.mark.parametrize("at", [pytest.param(n, marks=[] if n % 8 == 0 else pytest.mark.slow) for n in range(24)])
def test_a_damaged_keras_file_is_refused_or_counted_right(folder, tmp_path, at):
    whole = (folder / "own.keras").read_bytes()
    counted, path = saved_cost(folder / "own.keras"), tmp_path / "own.keras"
    random = np.random.default_rng([3, at])
    path.write_bytes(whole[: int(random.integers(0, len(whole)))])
    assert refused_or_right(path, counted)
    flipped = bytearray(whole)
    flipped[int(random.integers(0, len(whole)))] ^= 1 << int(random.integers(0, 8))
    path.write_bytes(flipped)
    assert refused_or_right(path, counted)


@pytest.mark.parametrize(
    "config", ["", "{}", "[]", "null", '{"class_name": 3}', '{"class_name": "Wobble", "module": "mine"}']
)
def test_a_keras_file_with_another_configuration_is_refused(folder, tmp_path, config):
    with zipfile.ZipFile(folder / "own.keras") as old, zipfile.ZipFile(tmp_path / "own.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, config if name == "config.json" else old.read(name))
    with pytest.raises(UserError, match="own.keras cannot be opened"):
        saved_cost(tmp_path / "own.keras")
