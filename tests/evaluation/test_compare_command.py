"""``still compare`` as a user calls it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from stillmotion.cli import main
from stillmotion.evaluation import Predictions, compare_variants, count_confusion, write_predictions

SUBJECTS, WINDOWS = 10, 40


@pytest.fixture
def still(capsys):
    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def predictions(variant, skill, *, subjects=SUBJECTS, seeds=2):
    """Three classes, right with probability ``skill``."""
    rng = np.random.default_rng(len(variant) + int(100 * skill))
    rows = subjects * WINDOWS * seeds
    y = np.tile(np.arange(3), rows)[:rows]
    wrong = rng.random(rows) > skill
    scores = np.full((rows, 3), 0.1)
    scores[np.arange(rows), np.where(wrong, (y + 1) % 3, y)] = 0.8
    subject = np.tile(np.repeat(np.arange(subjects), WINDOWS), seeds)
    seed = np.repeat(np.arange(seeds), subjects * WINDOWS)
    return Predictions.of(variant, subject=subject, fold=subject % 2, seed=seed, y=y, scores=scores)


@pytest.fixture
def files(tmp_path):
    for name, skill in (("plain", 0.7), ("taught", 0.9), ("twin", 0.7)):
        write_predictions(tmp_path / f"{name}.parquet", predictions(name, skill))
    return [tmp_path / f"{name}.parquet" for name in ("plain", "taught", "twin")]


def test_it_says_which_is_better_and_which_cannot_be_told_apart(still, files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # A narrower table is printed in parts.
    code, out, err = still("compare", *files)
    assert (code, err) == (0, "")
    taught, twin = (
        next(line for line in out.partition("Macro-F1 against plain")[2].splitlines() if f" {name} " in line)
        for name in ("taught", "twin")
    )
    assert "better" in taught
    assert "not distinguishable" in twin
    said = " ".join(out.split())
    assert "Max-statistic correction over 2 comparisons with plain (taught, twin)." in said
    assert "Non-inferiority margin: 1 points." in said
    assert "Smallest p possible with these subjects: 0.002." in said  # 2 / 2¹⁰
    assert "confusion matrices pooled over test subjects" in said


def test_json_holds_what_the_call_from_python_gives(still, files):
    code, out, _ = still("compare", *files, "--against", "taught", "--margin", "2", "--json")
    assert code == 0
    found = json.loads(out)
    made = count_confusion(
        [predictions(name, skill) for name, skill in (("plain", 0.7), ("taught", 0.9), ("twin", 0.7))]
    )
    wanted = json.loads(json.dumps(compare_variants(made, against="taught", margin=0.02).to_dict()))
    assert {name: found[name] for name in wanted} == wanted
    assert len(found["by_subject"]) == 3 * SUBJECTS
    assert [row["class"] for row in found["by_class"][:3]] == ["0", "1", "2"]
    rows = predictions("plain", 0.7)
    right = (rows.y == rows.prediction).mean()
    assert found["calibration"]["plain"]["ece"] == pytest.approx(abs(right - 0.8), abs=1e-6)


def test_one_variant_is_scored_only(still, files):
    code, out, _ = still("compare", files[0])
    assert code == 0
    assert "Event scores" not in out
    assert "nothing to compare" in out
    assert "max-statistic" not in out
    assert json.loads(still("compare", files[0], "--json")[1])["comparisons"] == []


def test_one_subject_has_no_interval_and_a_note_tells_why(still, tmp_path):
    both = [predictions(name, skill, subjects=1) for name, skill in (("a", 0.7), ("b", 0.9))]
    write_predictions(tmp_path / "both.csv", *both)
    code, out, _ = still("compare", tmp_path / "both.csv")
    assert code == 0
    said = " ".join(out.split())
    assert "One subject: variation between subjects is unknown, so there is no interval and no test." in said
    assert "one subject: no verdict" in said
    assert "[" not in said.replace("[one", "")


def by_hand(labels, logits, *, bins):
    """The expected calibration error of a softmax, by loops."""
    groups = {}
    for label, row in zip(labels, logits.tolist(), strict=True):
        shares = [math.exp(each) / sum(map(math.exp, row)) for each in row]
        confidence = max(shares)
        group = min(int(confidence * bins), bins - 1)
        groups.setdefault(group, []).append((confidence, shares.index(confidence) == label))
    gaps = (abs(sum(right for _, right in each) - sum(sure for sure, _ in each)) for each in groups.values())
    return sum(gaps) / len(labels)


def test_calibration_is_of_the_softmax_of_logits_and_bare_classes_have_none(still, tmp_path):
    one = predictions("plain", 0.7)
    columns = {name: getattr(one, name) for name in ("subject", "fold", "seed", "y")}
    write_predictions(tmp_path / "bare.csv", Predictions.of("bare", **columns, prediction=one.prediction))
    write_predictions(tmp_path / "logits.csv", Predictions.of("logits", **columns, scores=10 * one.scores))
    found = json.loads(still("compare", tmp_path / "bare.csv", tmp_path / "logits.csv", "--json")[1])
    assert found["calibration"]["bare"] is None
    assert found["calibration"]["logits"]["ece"] == pytest.approx(by_hand(one.y, 10 * one.scores, bins=15))
    out = still("compare", tmp_path / "logits.csv")[1]
    assert f"{100 * by_hand(one.y, 10 * one.scores, bins=15):.1f}" in out
    assert found["comparisons"][0]["difference"]["score"] == 0


def test_windows_with_a_time_are_scored_as_events_too(still, tmp_path):
    truth, said = [0] * 6 + [1] * 6, [0] * 7 + [1] * 5
    columns = {"subject": "anna", "fold": 0, "seed": 0, "y": truth, "recording": "day 1", "time": np.arange(12) * 2.5}
    write_predictions(tmp_path / "late.csv", Predictions.of("late", **columns, prediction=said))
    write_predictions(tmp_path / "deaf.csv", Predictions.of("deaf", **columns, prediction=[0] * 12))
    found = json.loads(still("compare", *tmp_path.glob("*.csv"), "--json")[1])["events"]
    assert found["late"] == {
        "segment_f1": 1.0,
        "onset_delay_s": 2.5,
        "missed": 0.0,
        "false_transitions_per_hour": 0.0,
        "hours": pytest.approx(30 / 3600),
        "seen": 1.0,
        "fragmented": 0.0,
        "merged": 0.0,
        "deleted": 0.0,
        "inserted": 0.0,
        "duration_error": pytest.approx(2 / 12),
    }
    assert (found["deaf"]["onset_delay_s"], found["deaf"]["missed"]) == (None, 1.0)
    out = still("compare", *tmp_path.glob("*.csv"))[1]
    assert "Event scores" in out
    assert "onset delay" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gone.parquet"], "gone.parquet is not there; expected a file."),
        (["{plain}", "--against", "tought"], "Unknown variant 'tought'. Did you mean 'taught'? Valid: plain, taught."),
        (["{plain}", "--margin", "-1"], "A margin must be 0 or more"),
        (["wrong.csv"], "wrong.csv, line 2: y is 'walk', not a whole number."),
    ],
)
def test_an_error_of_the_user_is_one_sentence_and_exit_code_2(still, files, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.csv").write_text("subject,fold,seed,y,prediction\nanna,0,0,walk,0\n")
    named = [part for one in arguments for part in ([*files[:2]] if one == "{plain}" else [one])]
    code, out, err = still("compare", *named)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
