"""Hostile specifications: every key with values that make no sense; none trains, none loads data, each is answered."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

from stillmotion.errors import UnknownName, UserError
from stillmotion.studies import Study, Variant, read_study, runner
from stillmotion.studies.sections import Data, Networks, Range, Search, Split, Teaching, Training
from stillmotion.studies.spec import study_of

VALUES: dict[str, Any] = {
    "nan": math.nan,
    "inf": math.inf,
    "-1": -1,
    "-0.5": -0.5,
    "0": 0,
    "1e11": 10**11,
    "1e400": 10**400,
    "text": "many",
    "empty": "",
    "true": True,
    "list": [],
    "long list": ["lm"] * 20_000,
    "table": {"a": 1},
}
#: What is taken, and why: what stands there means something, or only the data can say that it does not.
TAKEN = {
    "text": (
        "name",
        "data.name",
        "data.sensors",
        "data.classes",
        "privileged.sensors",
        "variant.own.title",
        "decoding.transitions",
    ),
    "empty": (
        *("name", "data.sensors", "data.classes", "privileged.sensors", "networks.recurrence", "networks.attention"),
        *("variant.own.network", "variant.own.assistant", "variant.own.title"),
        *("budget", "decoding.grammar", "decoding.transitions"),
    ),
    "true": (
        *("published", "controls", "score-test", "ship", "variant.own.attention"),
        *("data.accept-findings", "decoding.offline", "decoding.calibrate"),
        *("variant.own.search.alpha.log", "search.hyperparameters.alpha.log"),
    ),
    # The data set's own, all folds, as many as fit, none, or a seed.
    "0": (
        *("data.rate", "data.window", "data.hop", "privileged.rate", "privileged.before", "privileged.after"),
        *("split.seed", "split.validation", "split.folds", "search.trials", "search.seed"),
        *("training.replicas", "training.warmup", "training.learning-rate", "training.weight-decay", "training.clip"),
        *("training.smoothing", "decoding.reject"),
        *("training.average", "training.augment.jitter", "variant.own.hyperparameters.alpha"),
        *("variant.own.search.alpha.low", "search.hyperparameters.alpha.low", "search.grid.alpha"),
    ),
    # Nothing is compared first, no baseline joins, every class is kept, and only offline answers are tried.
    "list": ("compare", "baselines", "data.classes", "decoding.lags", "decoding.transitions"),
}
BASE = {
    "name": "hostile",
    "variant": {
        "own": {
            "method": "rb-kd",
            "teacher": "plain",
            "hyperparameters": {"alpha": 0.5},
            "search": {
                "temperature": {"low": 1.0, "high": 2.0, "log": False, "start": 1.5},
                "alpha": {"low": 0.1, "high": 0.9},
            },
            "options": {},
        }
    },
    "training": {"augment": {"jitter": 0.1}},
    "search": {"kind": "grid", "hyperparameters": {"alpha": {"low": 0.1, "high": 0.9}}, "grid": {"alpha": [0.5]}},
}


def keys_of(kind: type, place: str = "") -> list[str]:
    """Every key of a specification, sections' keys included."""
    keys = []
    for part in fields(kind):
        name = f"{place}{part.name.replace('_', '-')}"
        hint = get_type_hints(kind)[part.name]
        inner = next((each for each in (hint, *get_args(hint)) if is_dataclass(each)), None)
        if inner is None or inner is Variant:
            keys.append(name)
        else:
            keys += keys_of(inner, f"{name}.")
    return keys


def own_keys() -> list[str]:
    keys = [key for key in keys_of(Study) if not key.startswith("teaching.training.") and key != "variant"]
    keys += [f"variant.own.{part.name}" for part in fields(Variant)]
    keys += [f"variant.own.search.alpha.{end}" for end in ("low", "high", "log", "start")]
    keys += [f"search.hyperparameters.alpha.{end}" for end in ("low", "high", "log", "start")]
    return [
        *keys,
        "variant.own.hyperparameters.alpha",
        "variant.own.hyperparameters.temperature",
        "training.augment.jitter",
        "search.grid.alpha",
    ]


CASES = [(key, name) for key in own_keys() for name in (*VALUES, "misspelt")]


def hostile(key: str, name: str) -> dict[str, Any]:
    """Tables of a specification in which one key has a value that makes no sense."""
    import copy

    tables = copy.deepcopy(BASE)
    if key.startswith("privileged."):
        del tables["training"]  # Teachers that see more cannot see augmented windows.
    *sections, last = key.split(".")
    place: Any = tables
    for section in sections:
        place = place.setdefault(section, {})
    if name == "misspelt":
        place[f"{last}x"] = place.pop(last, 1)
    else:
        place[last] = [VALUES[name]] if key == "search.grid.alpha" and name != "list" else VALUES[name]
    return tables


def refusal(tables: dict[str, Any]) -> str:
    """Why a specification is refused, nothing when it is taken."""
    try:
        study_of(tables, "hostile.toml")
    except UserError as problem:
        return str(problem)
    return ""


def attack(cases: list[tuple[str, str]]) -> list[str]:
    faults = []
    for key, name in cases:
        text = refusal(hostile(key, name))
        last = key.rpartition(".")[2]
        if text and (last not in text.replace("_", "-") or "\n" in text or len(text) > 900):
            faults.append(f"{key} = {name} is refused without its name: {text[:200]}")
        if not text and key not in TAKEN.get(name, ()):
            faults.append(f"{key} = {name} is taken")
    return faults


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("data were loaded")

    monkeypatch.setattr(runner, "load_study_data", fail)


def test_there_are_some_hundred_hostile_specifications():
    assert len(CASES) > 700


def test_a_sample_of_hostile_specifications_is_refused_with_the_key():
    assert attack(CASES[::9]) == []


@pytest.mark.slow
def test_every_hostile_specification_is_refused_with_the_key():
    assert attack(CASES) == []


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: Data("hapt", rate=math.inf), "rate"),
        (lambda: Data("hapt", window=10**11), "window"),
        (lambda: Split(validation=math.nan), "validation"),
        (lambda: Split(seed=-1), "seed"),
        (lambda: Training(learning_rate=math.nan), "learning-rate"),
        (lambda: Training(epochs=2.5), "epochs"),
        (lambda: Training(augment={"jitter": math.inf}), "jitter"),
        (lambda: Training(augment={"jiter": 0.1}), "jiter"),
        (lambda: Teaching(groups=1), "groups"),
        (lambda: Search(kind="grid", grid={"alpha": ()}), "alpha"),
        (lambda: Range(math.nan, 1.0), "low"),
        (lambda: Networks(teacher=()), "teacher"),
        (lambda: Variant("rb-kd", teacher="plain", hyperparameters={"alpha": math.nan}), "alpha"),
        (lambda: Study(name="one", seeds=10**11), "seeds"),
        (lambda: Study(name="one", seeds=True), "seeds"),
    ],
)
def test_python_refuses_what_toml_refuses(make, key):
    with pytest.raises(UserError, match=key):
        make()


def test_python_and_toml_give_the_same_specification():
    built = Study(name="one", variants=["lm"], training=Training(learning_rate=1, augment={"jitter": 1}))
    read = study_of(
        {"name": "one", "variants": ["lm"], "training": {"learning-rate": 1.0, "augment": {"jitter": 1.0}}}, "x"
    )
    assert built == read
    assert isinstance(built.training.learning_rate, float)
    assert built.to_toml() == read.to_toml()


@pytest.mark.parametrize(
    ("table", "name", "valid"),
    [
        ({"hyperparameters": {"tempreature": 2.0}}, "tempreature", "temperature"),
        ({"search": {"tempreature": {"low": 1.0, "high": 2.0}}}, "tempreature", "temperature"),
        ({"hyperparameters": {"beta": 1.0}}, "beta", "alpha"),
        ({"options": {"start": "scratch"}}, "start", "it has none"),
    ],
)
def test_a_misspelt_hyperparameter_of_a_variant_is_found_when_the_specification_is_read(tmp_path, table, name, valid):
    tables = {"name": "one", "variant": {"own": {"method": "rb-kd", "teacher": "plain", **table}}}
    with pytest.raises(UnknownName, match=f"'{name}'.*{valid}"):
        study_of(tables, "one.toml")


@pytest.mark.parametrize(
    ("method", "hyperparameters"),
    [
        ("rb-kd", {"temperature": 0.0}),
        ("rb-kd", {"alpha": 2.0}),
        ("kd", {"temperature": 1e9}),
        ("dkd", {"warmup": 1.5}),
        ("crd", {"weight": 1e11}),
        ("rb-kd", {"average": 1.0}),
        ("rb-kd", {"smoothing": 1.0}),
        ("rb-kd", {"learning_rate": 1e11}),
    ],
)
def test_a_value_outside_of_a_methods_own_range_is_refused_in_every_place(method, hyperparameters):
    ((key, value),) = hyperparameters.items()
    for table in ({"hyperparameters": hyperparameters}, {"search": {key: {"low": value, "high": value}}}):
        with pytest.raises(UserError, match=key):
            study_of({"name": "one", "variant": {"own": {"method": method, "teacher": "plain", **table}}}, "one.toml")
    for search in ({"grid": {key: [value]}, "kind": "grid"}, {"hyperparameters": {key: {"low": value, "high": value}}}):
        with pytest.raises(UserError, match=key):
            study_of({"name": "one", "search": search}, "one.toml")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"variant": {"own": {"method": "rb-kd"}}}, r"own.*needs a teacher"),
        ({"variant": {"own": {"method": "lm", "network": "mpl"}}}, "network of a variant.*'mpl'"),
        ({"networks": {"recurrence": "space"}}, "recurrence.*'space'"),
        ({"split": {"protocol": "officious"}}, "protocol.*'officious'"),
        (
            {"training": {"augment": {"jitter": 0.1}}, "teaching": {"outputs": "live", "targets": "cross-fit"}},
            "teachers are cross-fitted.*one teacher",
        ),
        (
            {"search": {"kind": "grid", "grid": {"alpha": [0.1] * 1000, "temperature": [1.0] * 1000}}},
            r"search.grid.*1,000,000",
        ),
    ],
)
def test_what_cannot_be_trained_is_found_when_the_specification_is_read(tables, message):
    with pytest.raises(UserError, match=message):
        study_of({"name": "one", **tables}, "one.toml")


def test_a_number_that_no_variant_has_is_nobodys(tmp_path):
    from stillmotion.studies.search import search_space

    study = Study(
        name="one",
        variants=("lm",),
        compare=(),
        controls=False,
        search=Search(hyperparameters={"beta": Range(1.0, 2.0)}),
    )
    assert search_space(study, study.all_variants["lm"]) == {}, "lm cannot be trained with beta"


def test_a_built_in_study_passes_the_checks():
    from stillmotion.studies import built_in

    for name in built_in():
        assert read_study(name).name
