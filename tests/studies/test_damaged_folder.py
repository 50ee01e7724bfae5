"""A study's folder on a disk that flips bits, loses files and is full: refused or mended, never other results."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stillmotion.training  # noqa: F401  Before any import of keras: it chooses the backend.
from stillmotion.errors import DataWarning, UserError
from stillmotion.files import DRAFT
from stillmotion.studies import Runner
from stillmotion.studies.runs import FleetPlan, Run, TrainedFleet
from stillmotion.studies.sections import Networks
from stillmotion.studies.state import read_study_state
from stillmotion.studies.store import Store
from stillmotion.studies.weights import DamagedFleet
from stillmotion.training import RunResult
from stillmotion.training.fleet import Fleet

from ..damage import flips, full_disk, listing
from .conftest import SMALL, small_index
from .test_going_on import comparable

VERSIONS = {"numpy": "2"}
#: One student and its teacher.
STUDY = replace(SMALL, variants=("rb-kd",), compare=(), seeds=1, networks=Networks("mlp-small", ("mlp-small",)))


def run(seed: int) -> Run:
    return Run("data", 0, "lm", seed, {"batch": 32}, network="mlp-small", hyperparameters={"learning_rate": 0.001})


def outcome(number: int) -> RunResult:
    weights, none = np.arange(20, dtype=np.float32) + number, np.zeros(0, np.float32)
    history = ({"loss": 1.5, "validation": 0.25}, {"loss": 1.0, "validation": 0.5})
    return RunResult(number, "done", "", 0.5, 2, 2, history, weights, [np.float32(number)], none, [], none)


def write(folder: Path) -> Store:
    """A store with something in every table."""
    store = Store(folder)
    store.claim('name = "small"\n', small_index())
    first, second, failed = (
        FleetPlan("trials", (run(0), run(1)), 2), FleetPlan("seeds", (run(2),), 1), FleetPlan("seeds", (run(3),), 1)
    )  # fmt: skip
    store.plan([first, second, failed])
    store.finish(TrainedFleet(first, [outcome(0), outcome(1)], 12.0), VERSIONS)
    store.finish(TrainedFleet(failed, reason="the sky fell"), VERSIONS)
    for split in ("validation", "test"):
        store.add_predictions(split, {run(seed).id: np.eye(4, dtype=np.float32) * seed for seed in (0, 1)})
    store.add_auxiliary({run(0).id: {"weight": 0.75}})
    store.log_test_evaluation(2, 1, "score-test")
    return store


def all_of(folder: Path) -> tuple[Any, ...]:
    """Everything that a store gives back."""
    with closing(Store(folder)) as store:
        logits = [
            (name, split, store.predictions(name, split).tolist())  # type: ignore[union-attr]
            for split in ("validation", "test")
            for name in sorted(store.predicted(split))
        ]
        weights = [[np.asarray(each).tolist() for each in store.weights(run(seed).id)] for seed in (0, 1)]
        planned = [(fleet.id, [each.id for each in fleet.runs]) for fleet in store.unfinished()]
        known = (store.about(), store.ended(), planned, store.history(run(0).id), store.versions())
        windows = store.windows().to_bytes()
        return (*known, logits, windows, weights, store.auxiliary(), store.test_evaluations())


def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the replicas that are trained from now on."""
    names: list[str] = []
    train = Fleet.train

    def counted(self: Fleet, progress: Any = None) -> list[RunResult]:
        names.extend(replica.name for replica in self.replicas)
        return train(self, progress)

    monkeypatch.setattr(Fleet, "train", counted)
    return names


@pytest.fixture(scope="module")
def whole(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A study of one student and its teacher, scored, and its table."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Runner(STUDY, folder, data=recordings, quiet=True)
        results = comparable(made.run(score_test=True))
    made.store.close()
    return folder, results


@pytest.fixture
def copy(whole: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[0], tmp_path / "study"))


@pytest.fixture
def again(recordings: Path, copy: Path) -> Iterator[Callable[..., Runner]]:
    """Makes a runner of the study in its copied folder."""
    made: list[Runner] = []

    def make(quiet: bool = True) -> Runner:
        made.append(Runner(STUDY, copy, data=recordings, quiet=quiet))
        return made[-1]

    yield make
    for each in made:
        each.store.close()


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_the_store_gives_other_results(tmp_path: Path, count: int) -> None:
    write(tmp_path).close()
    expected = all_of(tmp_path)
    for bit in flips(tmp_path / "runs.sqlite", count):
        with suppress(UserError):
            assert all_of(tmp_path) == expected, bit
        for rest in tmp_path.glob("runs.sqlite-*"):
            rest.unlink()
    assert all_of(tmp_path) == expected


@pytest.mark.parametrize("order", [
    "UPDATE runs SET validation = 0.99 WHERE seed = 0", "DELETE FROM runs WHERE seed = 1", "DELETE FROM evaluations",
    "UPDATE predictions SET role = 'teacher' WHERE split = 'test'", "DELETE FROM seals",
    "UPDATE auxiliary SET value = 0.5",
    "UPDATE fleets SET size = 3", "UPDATE about SET value = '\"other\"' WHERE name = 'data'", "DROP TABLE evaluations",
    "DELETE FROM predictions", "UPDATE evaluations SET runs = 1", "ALTER TABLE predictions RENAME TO other",
    "UPDATE predictions SET sha256 = replace(sha256, 'a', 'b')", "DELETE FROM windows",
])  # fmt: skip
def test_results_that_were_changed_by_others_are_refused(tmp_path: Path, order: str) -> None:
    import sqlite3

    write(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as file:
        file.execute(order)
        file.commit()
    with pytest.raises(UserError, match=r"runs\.sqlite is damaged"):
        Store(tmp_path)


def test_damage_that_happens_while_a_study_runs_is_not_sealed_in(tmp_path: Path) -> None:
    with closing(write(tmp_path)) as store:
        store._file.execute("UPDATE runs SET validation = 0.99 WHERE seed = 0")
        with pytest.raises(UserError, match=r"runs\.sqlite is damaged"):
            store.finish(TrainedFleet(FleetPlan("seeds", (run(2),), 1), [outcome(2)], 1.0), VERSIONS)
    with pytest.raises(UserError, match=r"runs\.sqlite is damaged"):
        Store(tmp_path)


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.slow)])
def test_no_flipped_bit_of_a_file_of_weights_gives_other_weights(tmp_path: Path, count: int) -> None:
    write(tmp_path).close()
    ((path,), expected) = (tmp_path / "fleets").glob("*.npz"), all_of(tmp_path)
    with closing(Store(tmp_path)) as store:
        for _ in flips(path, count):
            store._weights._whole.clear()
            with pytest.raises(DamagedFleet, match=path.name):
                store.weights(run(1).id)
    assert all_of(tmp_path) == expected


@pytest.mark.parametrize(("phase", "damage"), [
    ("teachers", "missing"),
    pytest.param("trials", "flipped", marks=pytest.mark.slow),
    pytest.param("trials", "missing", marks=pytest.mark.slow),
    pytest.param("teachers", "empty", marks=pytest.mark.slow),
])  # fmt: skip
def test_one_damaged_fleet_is_trained_anew_and_no_other(
    whole: tuple[Path, dict[str, Any]], copy: Path, again: Callable[..., Runner], damage: str, phase: str,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with closing(Store(copy)) as store:
        ((fleet,),) = store._file.execute("SELECT id FROM fleets WHERE phase = ?", (phase,)).fetchall()
    path = copy / "fleets" / f"{fleet}.npz"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else bytes([content[0] ^ 1]) + content[1:])
    names = trained(monkeypatch)
    results = again(quiet=False).run(score_test=True)
    assert len(names) == 1
    said = capfd.readouterr().err
    assert path.name in said
    assert "training this fleet again" in said
    assert path.is_file()
    assert comparable(results) == whole[1]


@pytest.mark.slow
def test_a_fleet_that_is_damaged_in_the_middle_of_a_study_is_trained_anew(
    whole: tuple[Path, dict[str, Any]], copy: Path, again: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    names, runner = trained(monkeypatch), again()
    with runner.store._file.change("predictions"):
        runner.store._file.execute("DELETE FROM predictions WHERE split = 'test'")
    score = runner._score_test

    def broken(state: Any) -> None:
        monkeypatch.setattr(runner, "_score_test", score)
        for path in (copy / "fleets").glob("*.npz"):
            path.unlink()
        score(state)

    monkeypatch.setattr(runner, "_score_test", broken)
    assert comparable(runner.run(score_test=True)) == whole[1]
    assert len(names) == 2, "both fleets, each once"


def test_a_report_names_the_damaged_fleet_and_what_to_do(
    copy: Path, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = sorted((copy / "fleets").glob("*.npz"))
    paths[0].unlink()
    with closing(Store(copy, write=False)) as store:
        assert [damage.path for damage in store.damaged()] == [paths[0]]
    reading = read_study_state(copy)
    with pytest.warns(DataWarning, match=f"{paths[0].name} cannot be read .*; run the study again"):
        state = reading.__enter__()
    with closing(state.store):
        lost = [each for each in state.ended.values() if each.fleet == paths[0].stem]
        with pytest.raises(DamagedFleet, match=f"{paths[0].name} .*run the study again"):
            state.store.weights(lost[0].run)


def test_a_specification_that_was_changed_in_the_folder_is_named_and_does_not_count(
    copy: Path, recordings: Path
) -> None:
    path = copy / "study.toml"
    original = path.read_text()
    path.write_text(original.replace("epochs = 4", "epochs = 5"))
    with pytest.warns(DataWarning, match=r"study\.toml"), read_study_state(copy) as state:
        pass
    assert state.study.to_toml() == original != path.read_text()


def test_leftovers_of_a_killed_study_are_swept_at_the_next_start(copy: Path, again: Callable[..., Runner]) -> None:
    left = [copy / f"{DRAFT}0", *(copy / name / f"{DRAFT}1.x" for name in ("fleets", "predictions", "models"))]
    for path in left:
        path.write_bytes(b"half")
    again()
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("room", [0, 5000, 20_000, 60_000])
def test_a_full_disk_stops_a_study_with_one_sentence_and_loses_nothing_that_is_kept(tmp_path: Path, room: int) -> None:
    store = write(tmp_path)
    store.close()
    expected = all_of(tmp_path)
    big = replace(outcome(2), weights=np.zeros(100_000, np.float32))
    with (
        full_disk(room),
        pytest.raises(UserError, match="cannot be written.* make room"),
        closing(Store(tmp_path)) as s,
    ):
        s.finish(TrainedFleet(FleetPlan("seeds", (run(2),), 1), [big], 1.0), VERSIONS)
    assert all_of(tmp_path) == expected
    assert not [name for name in listing(tmp_path) if DRAFT in name]
    with closing(Store(tmp_path)) as store:
        store.finish(TrainedFleet(FleetPlan("seeds", (run(2),), 1), [big], 1.0), VERSIONS)
        assert store.weights(run(2).id)[0].shape == (100_000,)


def test_every_change_of_the_store_leaves_it_sealed(tmp_path: Path) -> None:
    with closing(write(tmp_path)) as store:
        (fleet,) = {each.fleet for each in store.ended().values() if each.status == "done"}
        (tmp_path / "fleets" / f"{fleet}.npz").unlink()
        assert [each.fleet for each in store.damaged()] == [fleet]
        store.forget(fleet)
        assert not store.damaged()
        assert store.predicted("test") == set()
        assert store.auxiliary() == {}
        assert {each.status for each in store.ended().values()} == {"failed"}
        store._file.require_sealed("schema", *store._file.tables)
    Store(tmp_path).close()
