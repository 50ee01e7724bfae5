"""The forms of a study's model are compared on the test subjects of its fold, if they were evaluated."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.bundles import Bundle, read_evidence
from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.evaluation import macro_f1, read_predictions
from stillmotion.studies import Runner, Training, open_study, read_fold_windows

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
    np.testing.assert_array_equal(windows.values, study.study_data.values[fold.test])
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
