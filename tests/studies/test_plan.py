"""A plan: what determines a run is in its fingerprint, alike runs train together, large plans are made in seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.errors import DataWarning
from stillmotion.methods import METHODS
from stillmotion.methods.lm import objective
from stillmotion.studies import Planner, Runner, Study, load_study_data, read_study_state, runs
from stillmotion.studies.estimate import plan_fleets, plan_lines
from stillmotion.studies.runs import Run, TrainedFleet
from stillmotion.studies.sections import Data, Networks, Search, Split, Training

from .conftest import SMALL

GRID = {"temperature": (1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 15.0), "alpha": tuple(np.round(np.arange(0.1, 1, 0.1), 1))}


@pytest.fixture(scope="module")
def study_data(recordings):
    return load_study_data(SMALL, data=recordings)


def test_everything_that_decides_a_run_is_in_its_fingerprint():
    run = Run("data", 0, "lm", 0, {"batch": 64}, network="mlp", hyperparameters={"clip": 1.0})
    changed = [
        replace(run, data="other"),
        replace(run, fold=1),
        replace(run, network="mlp-small"),
        replace(run, attention="channel:r=2,after=1"),
        replace(run, method="rb-kd"),
        replace(run, seed=1),
        replace(run, recipe={"batch": 32}),
        replace(run, recurrence="time"),
        replace(run, options={"project": "teacher"}),
        replace(run, hyperparameters={"clip": 2.0}),
        replace(run, teachers=("a",)),
        replace(run, group=0),
        replace(run, kind="features"),
        replace(run, scores="a"),
        replace(run, privileged="b"),
        replace(run, layers="c"),
        replace(run, refit="all"),
        replace(run, refit="train+validation"),
        replace(run, refit="all", stop=3),
        replace(run, quantise="int8"),
    ]
    ids = {run.id, *(each.id for each in changed)}
    assert len(ids) == 21
    assert replace(run) == run
    assert replace(run).id == run.id


def test_the_code_of_a_method_is_in_a_runs_fingerprint(monkeypatch):
    def fresh():
        return Run("data", 0, "lm", 0, {"batch": 64}, network="mlp").id

    def doubled(batch, student, teacher, hyperparameters, aux_params):
        return {"cross_entropy": objective(batch, student, teacher, hyperparameters, aux_params)["cross_entropy"] * 2}

    before = fresh()
    assert fresh() == before
    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "lm", replace(METHODS["lm"], objective=doubled))
        assert fresh() != before
    assert fresh() == before


def test_runs_of_other_code_are_told_of_and_their_planned_fleets_are_left(recordings, tmp_path, monkeypatch):
    with Runner(SMALL, tmp_path / "study", data=recordings, quiet=True) as made:
        fleets = plan_fleets(made.planner)
        assert [fleet.id for fleet in made.store.plan(fleets)] == [fleet.id for fleet in fleets]
        made.store.finish(TrainedFleet(fleets[0], reason="as if trained"), made.versions)
        assert made.store.outdated() == {}
    monkeypatch.setattr(runs, "code_of", lambda name: f"{name}, edited")
    with pytest.warns(DataWarning, match="trained with other code.*1 of lm"), read_study_state(tmp_path / "study"):
        pass
    with Runner(SMALL, tmp_path / "study", data=recordings, quiet=True) as made:
        assert made.store.outdated() == {"lm": 1}
        assert made.store.unfinished() == [], "planned with code that is no more"
        fresh = plan_fleets(made.planner)
        assert [fleet.id for fleet in made.store.plan(fresh)] == [fleet.id for fleet in fresh]


def test_the_signal_itself_is_in_the_fingerprint(recordings, study_data):
    again = load_study_data(SMALL, data=recordings)
    assert again.index.fingerprint == study_data.index.fingerprint
    hertz = load_study_data(replace(SMALL, data=replace(SMALL.data, rate=25.0)), data=recordings)
    assert hertz.index.fingerprint != study_data.index.fingerprint
    split = replace(SMALL, split=Split("subjects:3", seed=1, folds=1))
    assert Planner(split, study_data.index).data != Planner(SMALL, study_data.index).data


@pytest.mark.slow
def test_the_published_grid_is_planned_in_seconds_and_its_teachers_listed_apart(recordings):
    study = Study(
        name="grid",
        variants=("rb-kd-att", "rab-kd"),
        compare=(),
        controls=False,
        seeds=1,
        data=Data("hapt", window=128, hop=64),
        split=Split("subjects:3", folds=1),
        networks=Networks(attention=("published",)),
        search=Search(kind="grid", grid=GRID),
        training=Training(replicas=16),
    )
    study_data = load_study_data(study, data=recordings)
    fleets = plan_fleets(Planner(study, study_data.index))
    runs = {
        phase: [run for fleet in fleets if fleet.phase == phase for run in fleet.runs]
        for phase in ("teachers", "trials")
    }
    assert len(runs["teachers"]) == 1 + 60
    taught = [run for run in runs["trials"] if run.method == "rb-kd-att"]
    matched = [run for run in runs["trials"] if run.method == "rab-kd" and run.hyperparameters["beta"] > 0]
    assert (len(set(taught)), len(set(matched))) == (3780, 3780)
    trials = [fleet for fleet in fleets if fleet.phase == "trials" and fleet.runs[0].method == "rab-kd"]
    assert [len(fleet.runs) for fleet in trials] == [63 + 63] * 60, "with maps and without, from one teacher"
    assert {fleet.size for fleet in trials} == {16}
    for fleet in trials:
        assert len({run.fleet_key for run in fleet.runs}) == 1


def test_runs_of_one_kind_make_one_fleet_whatever_their_numbers_seeds_and_folds(study_data):
    study = replace(SMALL, split=Split("subjects:3"), seeds=4)
    fleets = plan_fleets(Planner(study, with_all_folds(study, study_data)))
    assert [(fleet.phase, fleet.runs[0].method, len(fleet.runs)) for fleet in fleets] == [
        ("teachers", "lm", 3),
        ("trials", "lm", 12),
        ("trials", "rb-kd", 12),
    ]


def with_all_folds(study, study_data):
    from stillmotion.windows import make_splits

    splits = make_splits(
        study_data.windows, study.split.protocol, seed=study.split.seed, validation=study.split.validation
    )
    return replace(study_data.index, folds=splits.folds)


def test_a_plan_says_how_many_steps_and_how_long(study_data):
    lines = plan_lines(Planner(SMALL, study_data.index), study_data)
    train = len(study_data.index.folds[0].train)
    steps = -(-train // 32)
    assert [line.steps for line in lines] == [4 * steps, 2 * 3 * steps, 2 * 3 * steps]
    assert all(line.seconds > 0 for line in lines)
