"""The forms of a study's model are compared on the test subjects of its fold, if they were evaluated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks import int8_students
from stillmotion.bundles import Bundle, read_evidence
from stillmotion.cli import main
from stillmotion.deploy import export_c
from stillmotion.errors import UserError
from stillmotion.evaluation import macro_f1, read_predictions
from stillmotion.studies import Runner, Training, open_study, read_fold_windows, read_study_state

from .conftest import SMALL

STUDY = replace(SMALL, variants=("lm",), compare=(), seeds=1, training=Training(batch=32, epochs=2, learning_rate=3e-3))


@pytest.fixture(scope="module")
def study(recordings, tmp_path_factory):
    """A study of one variant whose test subjects are evaluated."""
    runner = Runner(STUDY, tmp_path_factory.mktemp("evidence") / "study", data=recordings, quiet=True)
    runner.run(score_test=True)
    return runner


@pytest.fixture
def folder(study, tmp_path):
    return shutil.copytree(study.folder, tmp_path / "study")


def test_the_windows_are_those_of_the_folds_test_subjects(study, folder, recordings):
    bundle = Bundle.open(folder / "models" / "lm")
    windows = read_fold_windows(bundle, folder, data=recordings)
    fold = study.study_data.index.folds[0]
    np.testing.assert_array_equal(windows.values, study.study_data.windows.values(fold.test))
    np.testing.assert_array_equal(windows.labels, study.study_data.index.labels[fold.test])
    assert set(windows.subjects.tolist()) == set(fold.test_subjects)
    assert f"{len(fold.test)} windows of 2 test subjects of small (subjects:3, fold 0)" in windows.about
    assert open_study(folder).test_evaluations == open_study(study.folder).test_evaluations + 1  # it is counted


def test_a_model_of_all_subjects_has_no_labels(folder, recordings):
    bundle = Bundle.open(folder / "models" / "lm")
    without = {key: value for key, value in bundle.provenance.items() if key != "fold"}
    windows = read_fold_windows(replace(bundle, provenance=without), folder, data=recordings)
    assert windows.labels is None
    assert "was trained on them" in windows.about


def test_evidence_by_command_is_of_test_subjects_and_is_kept(folder, recordings, tmp_path, capsys):
    bundle = folder / "models" / "lm"
    arguments = ["export", str(bundle), "--to", "litert", "--int8", "--out", str(tmp_path / "out"), "--evidence"]
    assert main([*arguments, "--study", str(folder), "--data", str(recordings), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    kept = read_evidence(Bundle.open(bundle))
    assert kept["forms"] == shown["forms"] == json.loads((tmp_path / "out" / "evidence.json").read_text())["forms"]
    assert kept["scored"]
    forms = {form["form"]: form for form in shown["forms"]}
    (stored,) = read_predictions(folder / "predictions" / "lm.parquet")
    predicted = stored.scores.argmax(1)
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (stored.y, predicted), 1)
    assert forms["keras"]["macro_f1"] == pytest.approx(macro_f1(counts, absent="skip"))
    scores = {row["subject"]: row["macro_f1"] for row in Bundle.open(bundle).scores}
    assert {row["subject"]: row["macro_f1"] for row in forms["keras"]["subjects"]} == pytest.approx(scores)
    assert forms["c-int8"]["windows"] == len(stored.y)
    assert forms["c-int8"]["agreement"] > 0.9
    card = (bundle / "README.md").read_text()
    assert "## Forms for devices" in card
    assert main([*arguments[:-1], "--study", str(folder)]) == 2
    assert "--study names the windows of --evidence" in capsys.readouterr().err


def test_the_benchmark_of_int8_students_has_the_scores_of_the_c(study, folder, tmp_path):
    bundle, index = Bundle.open(folder / "models" / "lm"), study.study_data.index
    test = index.folds[0].test
    with read_study_state(folder) as state:
        (row,) = int8_students.rows_of(state, study.study_data)
    assert (row["variant"], row["network"], row["taught"], row["fold"]) == ("lm", "mlp-small", "no", 0)
    export = export_c(bundle, tmp_path / "c", int8=True)
    integers = export.program.run(export.counts.of(study.study_data.windows.values(test))).argmax(1)
    exact = bundle.logits(study.study_data.windows.values(test), bundle.spec).argmax(1)
    assert row["agreement"] == pytest.approx((integers == exact).mean(), abs=1e-5)
    both = [100 * f1_score(index.labels[test], each, average="macro") for each in (exact, integers)]
    assert [100 * row["macro_f1_float"], 100 * row["macro_f1_int8"]] == pytest.approx(both, abs=1e-3)
    assert row["difference"] == pytest.approx(both[1] - both[0], abs=1e-3)
    assert open_study(folder).test_evaluations == open_study(study.folder).test_evaluations + 1


def test_students_are_compared_in_pairs_of_a_fold_and_seed():
    shared = {"study": "s", "network": "n", "agreement": 0.5}
    losses = {("no", 0, 0): -1.0, ("no", 0, 1): -2.0, ("no", 1, 0): 7.0, ("yes", 0, 1): -5.0, ("yes", 0, 0): -2.0}
    rows = [
        shared | {"taught": taught, "fold": fold, "seed": seed, "difference": lost}
        for (taught, fold, seed), lost in losses.items()
    ]
    (mean,) = int8_students.summarise([*rows, {**rows[0], "network": "alone-only"}])
    assert (mean["pairs"], mean["difference_alone"], mean["difference_taught"]) == (2, -1.5, -3.5)
    assert mean["taught_minus_alone"] == -2.0  # -3 and -1
    assert mean["standard_error"] == 1.0


def test_what_is_not_the_studys_is_refused(study, folder, recordings, tmp_path):
    bundle = Bundle.open(folder / "models" / "lm")
    other = replace(bundle, provenance={**bundle.provenance, "data": {"fingerprint": "0" * 64}})
    with pytest.raises(UserError, match="is not of the study in .* give the bundle's own study with --study"):
        read_fold_windows(other, folder, data=recordings)
    unscored = replace(bundle, provenance={**bundle.provenance, "run": "unknown"})
    with pytest.raises(UserError, match="have not been evaluated with this model.*--score-test"):
        read_fold_windows(unscored, folder, data=recordings)
    fewer = shutil.copytree(recordings, tmp_path / "recordings")
    labels = next(fewer.rglob("labels.txt"))
    labels.write_text("\n".join(labels.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(UserError, match="differ from those of .*give the folder of the original recordings"):
        read_fold_windows(bundle, folder, data=fewer)
    assert open_study(folder).test_evaluations == open_study(study.folder).test_evaluations  # nothing was read
