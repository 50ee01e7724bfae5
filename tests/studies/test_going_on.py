"""A study that was stopped goes on to the same table, and a folder that is not its own is refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from stillmotion.errors import UserError
from stillmotion.studies import Runner, open_study
from stillmotion.studies.store import Store
from stillmotion.training.fleet import Fleet
from stillmotion.training.progress import Progress

from .conftest import SMALL
from .test_runner import SEARCH


def comparable(results):
    """The table without what a clock decides."""
    rows = [{**row, "seconds": 0} for row in results.to_dict()["rows"]]
    return {**results.to_dict(), "rows": rows, "seconds": 0, "test_evaluations": 0}


@pytest.fixture(scope="module")
def finished(recordings, tmp_path_factory):
    """The folder of a study that nobody stopped, and its results."""
    made = Runner(replace(SMALL, search=SEARCH), tmp_path_factory.mktemp("whole"), data=recordings, quiet=True)
    return made.folder, made.run(score_test=True)


@pytest.fixture(scope="module")
def whole(finished):
    return replace(SMALL, search=SEARCH), comparable(finished[1])


@pytest.mark.parametrize("fleet", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)])
def test_what_ctrl_c_stops_goes_on_from_the_epoch_to_the_same_table(whole, recordings, tmp_path, monkeypatch, fleet):
    study, expected = whole
    seen = []

    def stop(self, epoch, *, last=False):
        seen.append((len(begun), epoch.number))
        if seen[-1] == (fleet, 2):
            raise KeyboardInterrupt

    begun = []
    train = Fleet.train

    def counted(self, progress=None):
        begun.append(self)
        return train(self, progress)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", stop)
        patch.setattr(Fleet, "train", counted)
        with pytest.raises(KeyboardInterrupt):
            Runner(study, tmp_path / "study", data=recordings, quiet=True).run(score_test=True)
    again = []
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", lambda self, epoch, *, last=False: again.append(epoch.number))
        results = Runner(study, tmp_path / "study", data=recordings, quiet=True).run(score_test=True)
    assert again[0] == 3  # The fleet that was stopped had kept two epochs.
    assert comparable(results) == expected


def test_two_processes_share_the_work_and_do_no_run_twice(recordings, tmp_path, monkeypatch, whole):
    study, expected = whole
    trained = []
    train = Fleet.train

    def counted(self, progress=None):
        trained.extend(replica.name for replica in self.replicas)
        return train(self, progress)

    monkeypatch.setattr(Fleet, "train", counted)
    tables = {}

    def work(number):
        tables[number] = Runner(study, tmp_path / "study", data=recordings, quiet=True).run()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trained) == len(set(trained)) == 7
    assert comparable(tables[0]) == comparable(tables[1])
    validation = {row["variant"]: row["validation"] for row in expected["rows"]}
    assert {row.variant: row.validation for row in tables[0].rows} == validation


def test_a_folder_of_another_version_is_refused(runner):
    made = runner()
    made.store.note(schema=99)
    with pytest.raises(UserError, match=r"schema version 99, but this version of stillmotion uses 3"):
        Store(made.folder)


def test_a_damaged_store_is_named(tmp_path):
    (tmp_path / "runs.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 50)
    with pytest.raises(UserError, match=r"runs.sqlite is damaged"):
        Store(tmp_path)


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(UserError, match="holds no study: it lacks runs.sqlite"):
        open_study(tmp_path)


def test_a_study_that_is_not_finished_shows_what_there_is(runner, recordings, monkeypatch):
    made = runner(search=SEARCH)
    finish = Store.finish

    def once(self, fleet, *rest):
        finish(self, fleet, *rest)
        if fleet.plan.phase == "trials":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "finish", once)
        with pytest.raises(KeyboardInterrupt):
            made.run()
    results = open_study(made.folder)
    assert not results.complete
    assert [row.variant for row in results.rows][:2] == ["lm", "rb-kd"]


def test_the_store_is_plain_sqlite_with_one_row_a_run(finished):
    store = sqlite3.connect(finished[0] / "runs.sqlite")
    rows = store.execute("SELECT phase, status, history, epochs FROM runs").fetchall()
    assert [phase for phase, *_ in rows].count("teachers") == 1
    assert [phase for phase, *_ in rows].count("trials") == 4
    assert [phase for phase, *_ in rows].count("seeds") == 2
    assert {status for _, status, *_ in rows} == {"done"}
    assert all(history.count("validation") == epochs for *_, history, epochs in rows)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["teachers", "trials", "seeds", "scoring"])
def test_kill_9_in_any_phase_leaves_a_study_that_ends_in_the_same_table(whole, recordings, tmp_path, phase):
    study, expected = whole
    (tmp_path / "spec.toml").write_text(study.to_toml())
    victim = Path(__file__).parent / "victim.py"
    environment = {**os.environ, "STILLMOTION_CACHE": str(tmp_path / "cache")}
    call = [sys.executable, victim, tmp_path / "spec.toml", tmp_path / "study", recordings, phase]
    done = subprocess.run(call, env=environment, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    results = Runner(study, tmp_path / "study", data=recordings, quiet=True).run(score_test=True)
    assert comparable(results) == expected
