"""A finished study with attention, small enough to train in seconds, and its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stillmotion.training  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.reports import write_report
from stillmotion.studies import Runner, Study, Variant
from stillmotion.studies.sections import Data, Networks, Range, Search, Split, Teaching, Training

#: Keras copies its variables in a way that NumPy 2 deprecates.
COPIES = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
QUIET = (COPIES, "ignore:hapt. part of the set", "ignore::stillmotion.errors.DataWarning")
#: A title that no output may read as something else.
ODD = "small & <odd> $x$ [bold] a|b"
#: Warnings of fixtures are those of the first test that asks for them.
SMALL = Study(
    name="small",
    variants=("lm", "rab-kd"),
    compare=("rab-kd", "lm"),
    variant={"lm": Variant("lm", title=ODD)},
    seeds=1,
    controls=False,
    baselines=("random-forest", "majority"),
    data=Data("hapt", rate=12.5, window=20, hop=20, classes=("WALKING", "SITTING", "STANDING", "LAYING")),
    split=Split("subjects:3", folds=1),
    networks=Networks("deepconvlstm-lm", ("deepconvlstm-lm",), ("channel:r=2,spatial:k=3,after=2",)),
    training=Training(batch=16, epochs=4, patience=4, learning_rate=1e-2),
    # A teacher that is no better than the majority class is refused.
    teaching=Teaching(training=Training(epochs=15, patience=15, learning_rate=1e-2)),
    search=Search(kind="optuna", trials=2, hyperparameters={"learning_rate": Range(1e-3, 1e-2, log=True, start=3e-3)}),
)
#: Dense networks compile in a second.
DENSE = replace(SMALL, name="dense", variants=("lm", "rb-kd"), compare=("rb-kd", "lm"), search=Search(), seeds=2)
DENSE = replace(DENSE, baselines=(), networks=Networks("mlp-small", ("mlp-small",)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for each in QUIET:
                item.add_marker(pytest.mark.filterwarnings(each))


@pytest.fixture(scope="session")
def finished(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study with attention that was searched, trained and scored."""
    folder = tmp_path_factory.mktemp("finished")
    Runner(SMALL, folder, data=recordings, quiet=True).run(score_test=True)
    return folder


@pytest.fixture(scope="session")
def page(finished: Path, recordings: Path) -> Path:
    """Its report, with the published figures."""
    return write_report(finished, published=True)


@pytest.fixture(scope="session")
def dense(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study of dense networks, trained, its test subjects not scored."""
    folder = tmp_path_factory.mktemp("dense") / "study"
    Runner(DENSE, folder, data=recordings, quiet=True).run()
    return folder


@pytest.fixture
def begun(recordings: Path, tmp_path: Path) -> Callable[..., Runner]:
    """Makes a runner of the dense study, changed, in a folder of the test's own; nothing is trained."""

    def make(**changes: Any) -> Runner:
        return Runner(replace(DENSE, **changes), tmp_path / "study", data=recordings, quiet=True)

    return make
