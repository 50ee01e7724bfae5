"""Objects of the user's own in a study: recordings, networks, methods, classifiers; the folder is read without them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.svm import LinearSVC

import stillmotion as sm
from stillmotion.errors import UnknownName, UserError
from stillmotion.features import FeatureSet, fit_classifier, register_classifier
from stillmotion.methods import METHODS, get_method, register_method
from stillmotion.networks import build_network, list_networks, network_cost, register_network, set_statistics
from stillmotion.networks.normaliser import Normaliser
from stillmotion.studies import Networks, Split, Study, Training, Variant
from tests.conftest import forgotten

pytestmark = pytest.mark.usefixtures("forget_own")


def recordings(subjects=6, windows=40):
    """Windows of a sine whose frequency is the class, with noise; a data set made from arrays."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(2), subjects * windows // 2)
    time = np.arange(24) / 24
    values = np.sin(2 * np.pi * (1 + 3 * labels[:, None]) * time)[..., None] + rng.normal(size=(len(labels), 24, 2)) / 4
    who = np.repeat([f"s{number}" for number in range(subjects)], windows)
    return sm.from_arrays(values, labels, who, rate=24, channels=["acc.x", "acc.y"], classes=("slow", "fast"))


def tiny(shape):
    inputs = keras.Input((shape.window, shape.channels))
    hidden = keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(shape.classes, activation="softmax")(hidden))


def large():
    return keras.Sequential(
        [
            keras.Input((24, 2)),
            keras.layers.Conv1D(8, 5, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ],
        name="large",
    )


def halved(batch, student, teacher, hyperparameters, aux_params):
    terms = get_method("kd").objective(batch, student, teacher, hyperparameters, aux_params)
    return {name: value / 2 for name, value in terms.items()}


class ToNearestMean:
    """A classifier with the functions that scikit-learn asks for, and nothing else."""

    def __init__(self, power=1.0):
        self.power = power

    def get_params(self, deep=True):
        return {"power": self.power}

    def set_params(self, **given):
        self.power = given.get("power", self.power)
        return self

    def fit(self, x, y, sample_weight=None):
        self.means = np.stack([x[y == each].mean(0) for each in np.unique(y)])
        return self

    def predict_proba(self, x):
        near = np.exp(-self.power * ((x[:, None] - self.means) ** 2).mean(2))
        return near / near.sum(1, keepdims=True)


def study():
    return Study(
        name="own",
        variants=("lm", "half-kd"),
        compare=("half-kd", "lm"),
        seeds=1,
        controls=False,
        baselines=("nearest", "majority"),
        split=Split("subjects:3", folds=1),
        networks=Networks(tiny, (large(),)),
        training=Training(batch=16, epochs=4, learning_rate=1e-2),
        variant={"half-kd": Variant(replace(METHODS["kd"], name="half-kd", objective=halved), teacher="plain")},
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of the study, and its results."""
    folder = tmp_path_factory.mktemp("own") / "study"
    with forgotten():
        register_classifier("nearest", ToNearestMean())
        return folder, sm.run_study(study(), folder, data=recordings(), score_test=True, quiet=True)


def test_a_study_takes_objects_and_its_folder_is_read_where_they_are_unknown(ran, tmp_path):
    folder, results = ran
    rows = {row.variant: row for row in results.rows}
    assert list(rows) == ["lm", "half-kd", "nearest", "majority", "large"]
    assert all(row.failed == 0 and row.macro_f1 is not None for row in rows.values())
    assert rows["lm"].parameters == 24 * 2 * 8 + 8 + 8 * 2 + 2
    assert rows["large"].parameters == 5 * 2 * 8 + 8 + 20 * 8 * 2 + 2
    assert rows["nearest"].macro_f1.score > rows["majority"].macro_f1.score
    folder.rename(tmp_path / "elsewhere")  # Nothing is left where it was made.
    code = (
        "import sys, warnings; warnings.simplefilter('error');"
        "from stillmotion.studies import open_study; from stillmotion.reports.report import write_report;"
        "[print(row.variant, row.parameters, row.macro_f1.score) for row in open_study(sys.argv[1]).rows];"
        "write_report(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, str(tmp_path / "elsewhere")],
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / "elsewhere").rename(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{row.variant} {row.parameters} {row.macro_f1.score}" for row in results.rows]


def test_what_changes_an_object_changes_its_runs_and_what_does_not_trains_nothing(ran, tmp_path, monkeypatch):
    from stillmotion.training.fleet import Fleet

    register_classifier("nearest", ToNearestMean())
    data = recordings()
    shutil.copytree(ran[0], tmp_path / "study")
    trained = []
    train = Fleet.train

    def counted(self, progress=None):
        trained.append(self.method.name)
        return train(self, progress)

    monkeypatch.setattr(Fleet, "train", counted)
    sm.run_study(study(), tmp_path / "study", data=data, quiet=True)
    assert trained == []
    register_network(lambda shape: tiny(replace(shape)), "tiny")
    sm.run_study(study(), tmp_path / "study", data=data, quiet=True)
    assert trained == [], "the same layers from another function"

    def wider(shape):
        inputs = keras.Input((shape.window, shape.channels))
        return keras.Model(inputs, keras.layers.Dense(shape.classes)(keras.layers.Flatten()(inputs)), name="tiny")

    changed = replace(study(), networks=Networks("tiny", (large(),)))
    register_network(wider, "tiny")
    sm.run_study(changed, tmp_path / "study", data=data, quiet=True)
    assert sorted(trained) == ["half-kd", "lm"]


def test_own_networks_are_prepared_and_wrong_ones_named():
    assert register_network(large()) == "large"
    model = build_network("large", (24, 2, 2), seed=3)
    assert isinstance(model.layers[1], Normaliser)
    assert network_cost(model).params == large().count_params()
    set_statistics(model, [1.0, 2.0], [1.0, 4.0])
    rows = np.random.default_rng(1).normal(size=(5, 24, 2)).astype(np.float32)
    kernel, bias, last, offset = model.trainable_weights
    scaled = (rows - [1, 2]) / [1, 4]
    taps = np.stack([scaled[:, at : at + 20] for at in range(5)], axis=2)  # (5, 20, 5, 2)
    hidden = np.maximum(np.einsum("ntkc,kcf->ntf", taps, np.asarray(kernel)) + np.asarray(bias), 0)
    expected = hidden.reshape(5, -1) @ np.asarray(last) + np.asarray(offset)
    np.testing.assert_allclose(model.predict(rows, verbose=0), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match=r"large leads from \(24, 2\) to \(2,\), but windows are \(30, 2\)"):
        build_network("large", (30, 2, 2))
    with pytest.raises(UserError, match="mlp is a built-in network"):
        register_network(large(), "mlp")
    with pytest.raises(UserError, match="small letters, digits and hyphens, not 'A b'"):
        register_network(large(), "A b")
    with pytest.raises(UserError, match="not int"):
        register_network(3)
    register_network(lambda shape: "no model", "text")
    with pytest.raises(UserError, match="text returned str"):
        build_network("text", (24, 2, 2))
    assert [network.name for network in list_networks() if network.own] == ["large", "text"]


def test_wrong_methods_and_classifiers_are_named():
    with pytest.raises(UserError, match="kd is a built-in method"):
        register_method(replace(METHODS["kd"], title="other"))
    with pytest.raises(UserError, match="not str"):
        register_method("kd")
    with pytest.raises(UserError, match="method"):
        register_method(replace(METHODS["kd"], name="a/b"))
    with pytest.raises(UserError, match="LinearSVC.* lacks predict_proba"):
        register_classifier("svm", LinearSVC())
    with pytest.raises(UserError, match="majority is a built-in classifier"):
        register_classifier("majority", ToNearestMean())
    with pytest.raises(UnknownName, match=r"'nearest'.*features\.register_classifier"):
        study()
    with pytest.raises(UnknownName, match=r"variant in variants 'mine'.*methods\.register_method"):
        Study(name="own", variants=("mine",))


def test_an_own_classifier_is_fitted_on_scaled_features_with_weights_and_seed():
    from sklearn.ensemble import ExtraTreesClassifier

    rng = np.random.default_rng(0)
    features = (rng.normal(size=(60, 8)) * [1, 10, 100, 1, 1, 1, 1, 1]).astype(np.float32)
    labels = (features[:, 1] > 5).astype(np.int64)
    described = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
    weights = np.array([0.5, 2.0])
    register_classifier("extra", ExtraTreesClassifier(7, random_state=99))
    fitted = fit_classifier("extra", features, labels, 3, features=described, weights=weights, seed=5)
    scaled = ((features - features.mean(0, float)) / features.std(0, float)).clip(-5, 5).astype(np.float32)
    model = ExtraTreesClassifier(7, random_state=5).fit(scaled, labels, sample_weight=weights[labels])
    np.testing.assert_allclose(np.exp(fitted.predict(features))[:, :2], model.predict_proba(scaled), atol=1e-6)
    assert (fitted.predict(features)[:, 2] < -20).all()


def test_a_method_stands_for_the_variant_of_its_name():
    own = Study(name="one", variants=("lm", replace(METHODS["kd"], name="my-kd")), compare=())
    assert own.variants == ("lm", "my-kd")
    assert own.all_variants["my-kd"].teacher == "plain"
    assert METHODS["my-kd"].title == METHODS["kd"].title
