"""Two protocols side by side: scores of the same subjects, differences by hand, nothing else may differ."""

from __future__ import annotations

import csv
import json
import shutil
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.evaluation import count_confusion, read_predictions
from stillmotion.evaluation.resampling import draw, strata
from stillmotion.studies import Runner, read_protocol_gap
from stillmotion.studies.protocol_gap import differing
from stillmotion.studies.sections import Split
from stillmotion.studies.store import Store

from .conftest import SMALL, leave_networks_out

STUDY = replace(SMALL, variants=("lm",), compare=(), baselines=("logistic-regression", "majority"))
STUDY = replace(STUDY, training=replace(SMALL.training, epochs=1), split=Split("subjects:3"))


@pytest.fixture(scope="module")
def folders(recordings, tmp_path_factory):
    """The study by subject, and under the random split of windows."""
    root = tmp_path_factory.mktemp("protocols")
    patch = pytest.MonkeyPatch()
    leave_networks_out(patch)  # None is needed to compare protocols.
    for name, protocol in (("subjects", "subjects:3"), ("leaky", "published")):
        study = replace(STUDY, split=Split(protocol))
        Runner(study, root / name, data=recordings, quiet=True).run(score_test=True)
    patch.undo()
    return root / "subjects", root / "leaky"


@pytest.fixture(scope="module")
def found(folders, recordings):
    return read_protocol_gap(*folders)


def f1(counts):
    """Macro-F1 of (…, C, C), averaged over what comes before."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    size = counts.sum(-1) + counts.sum(-2)
    return (2 * hits / np.maximum(size, 1)).mean(-1)


def test_scores_are_those_of_the_predictions_and_the_difference_is_theirs(folders, found):
    assert (found.protocol, found.other_protocol) == ("subjects:3", "published")
    assert (found.leaks, found.other_leaks, found.subjects, found.seeds) == (False, True, 6, 2)
    assert [row.variant for row in found.rows] == ["logistic-regression", "majority"]
    assert found.left_out == ("lm",)
    for row in found.rows:
        own, other = (
            count_confusion(read_predictions(folder / "predictions" / f"{row.variant}.parquet")).counts[0]
            for folder in folders
        )
        assert row.score == pytest.approx(f1(own.sum(1)).mean())
        assert row.other == pytest.approx(f1(other.sum(1)).mean())
        assert row.difference.score == pytest.approx(row.other - row.score)
        assert (found.windows, found.other_windows) == (own[0].sum(), other[0].sum())


def test_the_interval_draws_subjects_with_both_of_their_tables(folders, found):
    row = next(row for row in found.rows if row.variant == "logistic-regression")
    own, other = (
        count_confusion(read_predictions(folder / "predictions" / f"{row.variant}.parquet")) for folder in folders
    )
    assert own.subjects == other.subjects
    both = np.stack([own.counts[0, 0], other.counts[0, 0]])  # It does not depend on the seed.
    weights = draw(strata(own.folds), 4000, np.random.default_rng(7))
    pooled = np.einsum("rp,sp...->sr...", weights, both)
    hits, true, said = np.diagonal(pooled, axis1=-2, axis2=-1), pooled.sum(-1), pooled.sum(-2)
    by_class = np.where(true + said > 0, 2 * hits / np.maximum(true + said, 1e-9), 0)
    scores = (by_class * (true > 0)).sum(-1) / (true > 0).sum(-1)  # A class that nobody drawn has is left out.
    half = (row.difference.high - row.difference.low) / 2
    # Three folds of two subjects leave three degrees of freedom.
    assert half == pytest.approx(stats.t.ppf(0.975, 3) * (scores[1] - scores[0]).std(ddof=1), rel=0.1)


def note(folder, text, folds=None):
    """Make a folder another study's, which no command does."""
    with closing(Store(folder)) as store:
        index = store.windows()
        index = replace(index, folds=index.folds[:folds])
        store.claim(text, index, over=(store.about()["study"], index.fingerprint))


def test_everything_else_that_differs_is_named_and_refused(folders, recordings, tmp_path):
    subjects, leaky = folders
    text = (leaky / "study.toml").read_text()
    other = tmp_path / "other"
    shutil.copytree(leaky, other)
    note(other, text.replace("epochs = 1", "epochs = 2").replace("seeds = 2", "seeds = 1", 1))
    with pytest.raises(UserError, match=r"protocol, but seeds is 2 and 1; training.epochs is 1 and 2\."):
        read_protocol_gap(subjects, other)
    with pytest.raises(UserError, match="have the same protocol, published"):
        read_protocol_gap(leaky, leaky)
    assert differing(STUDY, replace(STUDY, name="another", split=Split("loso"), score_test=True)) == {}


def test_test_subjects_must_have_been_scored_on_both_sides(folders, recordings, tmp_path):
    study = replace(STUDY, split=Split("loso"))
    made = Runner(study, tmp_path / "study", data=recordings, quiet=True)
    made.store.close()
    with pytest.raises(UserError, match="have not been evaluated"):
        read_protocol_gap(folders[0], tmp_path / "study")
    with pytest.raises(UserError, match="no study"):
        read_protocol_gap(folders[0], tmp_path)


def test_only_subjects_whom_both_tested_count(folders, recordings, tmp_path):
    """With one fold of three, two of six subjects are tested by subject: the other side is cut down to them."""
    sides = []
    for folder, protocol in zip(folders, ("subjects:3", "published"), strict=True):
        side = tmp_path / folder.name
        shutil.copytree(folder, side)
        study = replace(STUDY, split=Split(protocol, folds=1))
        note(side, study.to_toml(), folds=1)
        sides.append(side)
    found = read_protocol_gap(*sides)
    assert found.subjects == 2
    (own,) = read_predictions(sides[0] / "predictions" / "majority.parquet")
    (other,) = read_predictions(sides[1] / "predictions" / "majority.parquet")
    names = set(own.subject[own.fold == "0"])
    assert len(names) == 2
    assert found.other_windows == np.isin(other.subject, list(names)).sum() / 2


def test_the_command_shows_both_and_the_page_keeps_them(folders, found, recordings, capsys):
    subjects, leaky = folders
    call = ["report", str(subjects), "--beside", str(leaky)]
    assert main([*call, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["variant"] for row in said["beside"]["rows"]] == ["logistic-regression", "majority"]
    assert said["beside"]["rows"][0]["difference"]["score"] == found.rows[0].difference.score
    assert "no significance test" in said["beside"]["interval"]
    assert said["report"] == str(subjects / "report.html")
    assert main(call) == 0
    shown = capsys.readouterr().out
    assert "hapt: published compared with subjects:3" in shown
    assert f"{100 * found.rows[0].other:.1f}" in shown
    assert "published leaks" in shown
    assert 'id="figure-protocols"' in (subjects / "report.html").read_text()
    with (subjects / "figures" / "protocols.csv").open(newline="") as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    assert float(rows["logistic-regression"]["difference_low"]) == found.rows[0].difference.low
    assert main(["report", str(subjects), "--beside", str(subjects)]) == 2
    assert "have the same protocol" in capsys.readouterr().err
