"""A folder belongs to its study: another one is refused, more of the same is added, and nothing is left open."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from dataclasses import replace

import pytest

from stillmotion.cli import main
from stillmotion.errors import DataWarning, UserError
from stillmotion.studies import Runner, Variant, open_study, read_study_state, run_study
from stillmotion.studies.folder import differences, recorded_study, require_same_study
from stillmotion.studies.predict import Predictor
from stillmotion.studies.sections import Networks, Range, Search, Split, Training
from stillmotion.studies.store import Store
from stillmotion.training.fleet import Fleet
from tests.publishers.write import write_hapt

from .conftest import SMALL, leave_networks_out, small_index

#: Baselines alone are trained: no network is compiled.
PLAIN = replace(SMALL, variants=("lm",), compare=(), seeds=1, baselines=("majority", "logistic-regression"))
OTHERS = {
    "seeds": (replace(SMALL, seeds=3), True),
    "another variant": (replace(SMALL, variants=("lm", "rb-kd", "kd")), True),
    "a variant less": (replace(SMALL, variants=("lm",), compare=()), True),
    "a variant of one's own": (
        replace(SMALL, variant={"own": Variant("kd", teacher="plain")}, variants=("own",)),
        True,
    ),
    "a title": (replace(SMALL, variant={"rb-kd": Variant("rb-kd", teacher="plain", title="softened answers")}), True),
    "baselines": (replace(SMALL, baselines=("majority",)), True),
    "controls": (replace(SMALL, controls=True), True),
    "name": (replace(SMALL, name="renamed"), True),
    "compare": (replace(SMALL, compare=()), True),
    "score-test": (replace(SMALL, score_test=True), True),
    "folds": (replace(SMALL, split=replace(SMALL.split, folds=2)), True),
    "all folds": (replace(SMALL, split=replace(SMALL.split, folds=0)), True),
    "trials": (replace(SMALL, search=Search(kind="optuna", trials=3)), True),
    "how many train together": (replace(SMALL, training=replace(SMALL.training, replicas=4)), True),
    "fewer seeds": (replace(SMALL, seeds=1), False),
    "another variant of one name": (replace(SMALL, variant={"rb-kd": Variant("kd", teacher="plain")}), False),
    "epochs": (replace(SMALL, training=replace(SMALL.training, epochs=4)), False),
    "augmentation": (replace(SMALL, training=replace(SMALL.training, augment={"jitter": 0.1})), False),
    "epochs of teachers": (replace(SMALL, teaching=replace(SMALL.teaching, training=Training(epochs=9))), False),
    "window": (replace(SMALL, data=replace(SMALL.data, window=24)), False),
    "protocol": (replace(SMALL, split=replace(SMALL.split, protocol="loso")), False),
    "seed of the split": (replace(SMALL, split=replace(SMALL.split, seed=1)), False),
    "student": (replace(SMALL, networks=Networks("mlp", ("mlp",))), False),
    "ranges": (replace(SMALL, search=Search(hyperparameters={"learning_rate": Range(1e-3, 1e-2)})), False),
    "published": (replace(SMALL, published=True), False),
}
SEARCHED = replace(SMALL, search=Search(kind="optuna", trials=4))
GRID = replace(SMALL, search=Search(kind="grid", grid={"alpha": (0.1, 0.5)}))
LATER = [
    (SEARCHED, replace(SMALL, search=Search(kind="optuna", trials=6)), True),
    (SEARCHED, replace(SMALL, search=Search(kind="optuna", trials=3)), False),
    (SEARCHED, replace(SMALL, search=Search(kind="optuna", trials=6, rounds=2)), False),
    (SEARCHED, replace(SMALL, search=Search(kind="optuna", trials=4, sampler="qmc")), False),
    (SEARCHED, SMALL, False),
    (GRID, replace(SMALL, search=Search(kind="grid", grid={"alpha": (0.1, 0.5, 0.9)})), True),
    (GRID, replace(SMALL, search=Search(kind="grid", grid={"alpha": (0.1, 0.9)})), False),
    (GRID, replace(SMALL, search=Search(kind="grid", grid={"alpha": (0.1, 0.5), "temperature": (1.0, 2.0)})), False),
    (replace(SMALL, split=Split("subjects:3")), SMALL, False),
]


def files(folder):
    """Every file of a folder with its content; the two that SQLite makes while it is read come and go."""
    matching = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes() for name, path in matching.items() if path.suffix not in (".sqlite-shm", ".sqlite-wal")
    }


@pytest.fixture(scope="module")
def begun(tmp_path_factory, recordings):
    """A folder of the small study in which nothing has been trained."""
    folder = tmp_path_factory.mktemp("begun") / "study"
    with Runner(SMALL, folder, data=recordings, quiet=True):
        pass
    return folder


@pytest.fixture
def claimed(tmp_path):
    """Makes a store whose folder belongs to a study; no recordings are read."""
    stores = []

    def make(study, folder="study", data="fingerprint"):
        store = Store(tmp_path / folder)
        stores.append(store)
        assert store.claim(study.to_toml(), small_index(data)) == (study.to_toml(), data)
        return store

    yield make
    for store in stores:
        store.close()


def forbid(monkeypatch, *names):
    def fail(*_, **__):
        raise AssertionError("data were read, or something was trained")

    for name in names:
        monkeypatch.setattr(name, fail)


@pytest.mark.parametrize("what", list(OTHERS))
def test_another_specification_in_a_folder_is_refused_and_only_additions_continue(claimed, what):
    study, adds = OTHERS[what]
    store = claimed(SMALL)
    require_same_study(store, SMALL)
    changed = differences(SMALL, study)
    with pytest.raises(UserError, match="--continue") as caught:
        require_same_study(store, study)
    assert all(key in str(caught.value) for key in list(changed)[:3])
    if adds:
        require_same_study(store, study, more=True)
        return
    with pytest.raises(UserError, match="can only extend") as caught:
        require_same_study(store, study, more=True)
    assert any(key in str(caught.value) for key in changed)


@pytest.mark.parametrize(("old", "new", "adds"), LATER)
def test_trials_and_folds_are_added_and_never_taken_away(claimed, old, new, adds):
    store = claimed(old)
    if adds:
        require_same_study(store, new, more=True)
    else:
        with pytest.raises(UserError, match="can only extend"):
            require_same_study(store, new, more=True)


def test_more_trials_of_a_search_begin_with_those_that_were_drawn():
    from stillmotion.studies.search import next_trials

    for sampler in ("random", "qmc", "tpe"):
        few, many = (
            next_trials(replace(SMALL, search=Search(kind="optuna", trials=trials, sampler=sampler)), "rb-kd", 0)
            for trials in (4, 7)
        )
        assert many[:4] == few


def test_another_specification_is_refused_with_the_keys_before_data_are_read_or_a_byte_is_written(
    begun, recordings, monkeypatch, capsys
):
    forbid(monkeypatch, "stillmotion.studies.runner.load_study_data", "stillmotion.studies.load_study_data")
    spec = begun.parent / "other.toml"
    spec.write_text(replace(SMALL, seeds=7, training=Training(epochs=9)).to_toml())
    before = files(begun)
    for flags in ((), ("--continue",), ("--plan",), ("--score-test",)):
        assert main(["study", str(spec), "--data", str(recordings), "--out", str(begun), *flags]) == 2
        errors = capsys.readouterr().err
        assert "seeds" in errors
        assert "training.epochs is 9 and was 3" in errors
        assert errors.count("\n") == 1
    assert files(begun) == before


def test_data_that_changed_under_a_folder_are_refused_with_both_fingerprints(begun, tmp_path):
    write_hapt(tmp_path / "changed" / "hapt", subjects=5, minutes=2)
    with closing(Store(begun)) as store:
        was = store.about()["data"]
    before = files(begun)
    with pytest.raises(UserError, match="--continue") as caught:
        Runner(SMALL, begun, data=tmp_path / "changed", quiet=True)
    assert was[:16] in str(caught.value)
    assert files(begun) == before
    import shutil

    shutil.copytree(begun, tmp_path / "study")
    with pytest.warns(DataWarning, match="all runs are trained again"):
        runner = Runner(SMALL, tmp_path / "study", data=tmp_path / "changed", quiet=True, more=True)
    with runner:
        assert runner.store.about()["data"] == runner.study_data.index.fingerprint != was
        ((_, text, data),) = runner.store.about()["former"]
        assert (text, data) == (SMALL.to_toml(), was), "what was stays on record"


@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_of_several_studies_that_claim_a_folder_at_once_exactly_one_wins(tmp_path, rounds):
    studies = [replace(SMALL, seeds=seeds) for seeds in range(2, 6)]
    for number in range(rounds):
        folder, barrier, won, lost = tmp_path / str(number), threading.Barrier(len(studies)), [], []

        def work(study, folder=folder, barrier=barrier, won=won, lost=lost):
            barrier.wait()
            with closing(Store(folder)) as store:
                text = study.to_toml()
                (won if store.claim(text, small_index("data")) == (text, "data") else lost).append(study)

        threads = [threading.Thread(target=work, args=(study,)) for study in studies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, len(studies) - 1)
        with closing(Store(folder)) as store:
            assert recorded_study(store) == won[0]


@pytest.mark.slow
def test_of_two_processes_with_two_specifications_one_is_refused_with_code_2(tmp_path, recordings):
    script = "import sys, warnings; warnings.simplefilter('ignore'); from stillmotion.cli import main; sys.exit(main())"
    running = []
    for seeds in (1, 2):
        spec = tmp_path / f"{seeds}.toml"
        spec.write_text(replace(PLAIN, seeds=seeds).to_toml())
        call = ["study", str(spec), "--data", str(recordings), "--out", str(tmp_path / "study")]
        environment = {**os.environ, "STILLMOTION_CACHE": str(tmp_path / "cache")}
        running.append(
            subprocess.Popen([sys.executable, "-c", script, *call], env=environment, stderr=subprocess.PIPE, text=True)
        )
    errors = [process.communicate()[1] for process in running]
    codes = [process.returncode for process in running]
    assert sorted(codes) == [0, 2], errors
    assert "belongs to another study: seeds" in errors[codes.index(2)]


def test_a_study_toml_edited_by_hand_is_noticed_and_does_not_count(begun, recordings, tmp_path):
    import shutil

    folder = tmp_path / "study"
    shutil.copytree(begun, folder)
    text = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("seeds = 2", "seeds = 5", 1))
    with pytest.warns(DataWarning, match=r"edits of .*study.toml.*seeds is 5 and was 2"), read_study_state(folder) as s:
        assert s.study == SMALL
    with pytest.raises(UserError, match="seeds is 5 and was 2"):
        run_study(folder / "study.toml", folder, data=recordings, quiet=True)
    with pytest.warns(DataWarning, match="Ignoring edits"):
        Runner(SMALL, folder, data=recordings, quiet=True).close()
    assert (folder / "study.toml").read_text() == text
    (folder / "study.toml").write_text("no [ TOML")
    with pytest.warns(DataWarning, match=r"Ignoring edits.*is not TOML"):
        open_study(folder)


def test_a_folder_without_a_record_of_its_specification_holds_no_study(tmp_path, recordings):
    Store(tmp_path / "study").close()
    with pytest.raises(UserError, match="no study"):
        open_study(tmp_path / "study")


def test_a_study_is_continued_with_more_and_a_run_at_work_on_the_old_one_is_told(tmp_path, recordings, monkeypatch):
    leave_networks_out(monkeypatch)
    folder = tmp_path / "study"
    more = replace(PLAIN, baselines=("majority", "random-forest"))
    with Runner(PLAIN, folder, data=recordings, quiet=True) as runner:
        assert [row.variant for row in runner.run(score_test=True).rows] == ["lm", "majority", "logistic-regression"]
        results = run_study(more, folder, data=recordings, quiet=True, continue_=True, score_test=True)
        assert [row.variant for row in results.rows] == ["lm", "majority", "random-forest"]
        with pytest.raises(UserError, match="Another process has changed the study.*baselines"):
            runner.run(score_test=True)
    assert open_study(folder) == results
    assert sorted(file.name for file in (folder / "predictions").iterdir()) == [
        "majority.parquet",
        "random-forest.parquet",
    ]
    assert "random-forest" in (folder / "study.toml").read_text()


def test_scoring_again_infers_nothing_and_rewrites_nothing_that_is_there(tmp_path, recordings, monkeypatch):
    runner = Runner(replace(PLAIN, baselines=("majority",)), tmp_path / "study", data=recordings, quiet=True)
    runner.run(score_test=True)
    written = {path: path.stat().st_mtime_ns for path in (runner.folder).rglob("*") if path.parent.name != "study"}
    asked = []
    logits = Predictor.logits

    def counted(self, run, rows):
        asked.append(run.method)
        return logits(self, run, rows)

    monkeypatch.setattr(Predictor, "logits", counted)
    monkeypatch.setattr(Fleet, "train", None)
    assert runner.run(score_test=True).test_evaluations == 1
    assert asked == []
    for folder in ("predictions", "models"):
        for path in (runner.folder / folder).rglob("*"):
            assert path.stat().st_mtime_ns == written[path]
    (runner.folder / "predictions" / "lm.parquet").unlink()
    runner.run(score_test=True)
    assert (runner.folder / "predictions" / "lm.parquet").is_file()
    assert asked == [], "predictions are in the store"
    assert (runner.folder / "predictions" / "lm.parquet").is_file()
    runner.close()


def opened():
    """Numbers of what this process holds open."""
    gc.collect()
    matching = []
    for number in range(1024):
        with suppress(OSError):
            os.fstat(number)
            matching.append(number)
    return matching


def test_a_study_leaves_no_file_open_on_any_way_out(tmp_path, recordings, monkeypatch):
    leave_networks_out(monkeypatch)
    folder = tmp_path / "study"

    def stop(self):
        raise KeyboardInterrupt

    def work():
        run_study(PLAIN, folder, data=recordings, quiet=True)
        open_study(folder)
        with pytest.raises(UserError):
            run_study(replace(PLAIN, seeds=2), folder, data=recordings, quiet=True)
        with pytest.raises(UserError):
            open_study(tmp_path / "nothing")
        with monkeypatch.context() as patch:
            patch.setattr(Runner, "results", stop)
            with pytest.raises(KeyboardInterrupt):
                run_study(PLAIN, folder, data=recordings, quiet=True)

    work()
    before = opened()
    work()
    assert opened() == before
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "runs.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 50)
    for _ in range(3):
        with pytest.raises(UserError, match="is damaged"):
            Store(damaged)
    assert opened() == before


def test_ctrl_c_anywhere_in_a_transaction_leaves_the_store_as_it_was_and_usable(tmp_path):
    with closing(Store(tmp_path / "study")) as store:
        store.note(kept=1)
        file = store._file._file

        class Stopped:
            """The connection, at which Ctrl-C comes just before or after one of its statements."""

            def __init__(self, word, late):
                self.word, self.late = word, late

            def __getattr__(self, name):
                return getattr(file, name)

            def execute(self, text, *values):
                matching = text.startswith(self.word)
                if matching and not self.late:
                    raise KeyboardInterrupt
                result = file.execute(text, *values)
                if matching:
                    raise KeyboardInterrupt
                return result

        for word in ("BEGIN", "COMMIT"):
            for late in (False, True):
                store._file._file = Stopped(word, late)
                with pytest.raises(KeyboardInterrupt):
                    store.note(kept=2)
                store._file._file = file
                assert not file.in_transaction
                assert store.about()["kept"] == (2 if (word, late) == ("COMMIT", True) else 1)
                store.note(kept=1)
    assert sqlite3.connect(tmp_path / "study" / "runs.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)
