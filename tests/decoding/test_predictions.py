"""Predictions of anyone's, decoded: each fold by the subjects of the others, from the API and from `still compare`."""

import json

import numpy as np
import pytest

from stillmotion.cli import main
from stillmotion.decoding import decode_predictions, fit_decoder, read_grammar
from stillmotion.decoding.choose import choose_numbers
from stillmotion.errors import UserError
from stillmotion.evaluation import Predictions, write_predictions

CLASSES = ("rest", "rise", "walk")


def day(seed, *, folds=3, windows=60):
    """Predictions of six subjects, one recording each, with some windows without a class, in no order."""
    rng = np.random.default_rng(seed)
    truth, subject, time = [], [], []
    for number in range(6):
        labels = np.repeat(np.tile([0, 1, 2, 1], 30), rng.integers(1, 9, 120))[:windows]
        labels[rng.integers(0, windows, 3)] = -1
        truth.append(labels)
        subject += [f"s{number}"] * windows
        time.append(1.28 * np.arange(windows))
    y, subject, time = np.concatenate(truth), np.array(subject), np.concatenate(time)
    logits = 2.5 * np.eye(3)[np.maximum(y, 0)] + rng.normal(0, 1.5, (len(y), 3))
    order = rng.permutation(len(y))
    fold = np.array([int(name[1:]) % folds for name in subject])
    return Predictions.of(
        "lm", subject=subject[order], fold=fold[order], seed=0, y=y[order], scores=logits[order], classes=CLASSES,
        recording=subject[order], time=time[order],
    )  # fmt: skip


def test_each_fold_is_decoded_by_the_labels_of_the_others():
    alone = day(0, windows=40)
    offline, causal = decode_predictions(alone, "duration", delays=[None, 0])
    assert (offline.variant, causal.variant) == ("lm@offline", "lm@0")
    for fold in ("0", "2"):
        others = [name for name in np.unique(alone.subject) if str(int(name[1:]) % 3) != fold]

        def rows_of(names):
            rows = [np.flatnonzero(alone.subject == name) for name in names]
            return np.concatenate([each[np.argsort(alone.time[each])] for each in rows])

        train, gaps = rows_of(others), np.tile(np.minimum(np.arange(40), 1), len(others))
        numbers = choose_numbers(
            "duration", CLASSES, alone.y[train], logits=alone.scores[train], truth=alone.y[train], delays=[None, 0],
            gaps=gaps, validation_gaps=gaps,
        )  # fmt: skip
        decoder = fit_decoder("duration", CLASSES, alone.y[train], hop=1.28, gaps=gaps, **vars(numbers))
        for name in set(np.unique(alone.subject)) - set(others):
            rows = rows_of([name])
            expected = decoder.with_lag(None).decode(alone.scores[rows])
            assert offline.prediction[rows].tolist() == expected.labels.tolist()
            np.testing.assert_allclose(offline.scores[rows], expected.probabilities, atol=1e-6)
            assert causal.prediction[rows].tolist() == decoder.decode(alone.scores[rows]).labels.tolist()


def test_labels_of_the_decoded_fold_play_no_part():
    alone = day(1, folds=2, windows=30)
    here = alone.fold == "1"
    other = Predictions.of(
        "lm", subject=alone.subject, fold=alone.fold, seed=0, y=np.where(here, 0, alone.y), scores=alone.scores,
        classes=CLASSES, recording=alone.recording, time=alone.time,
    )  # fmt: skip
    (one,), (two,) = (decode_predictions(each, "duration", delays=[2]) for each in (alone, other))
    assert np.array_equal(one.scores[here], two.scores[here])


def test_compare_shows_windows_alone_first_and_each_delay_beside(tmp_path, capsys):
    alone = day(2, folds=2, windows=40)
    write_predictions(tmp_path / "lm.parquet", alone)
    grammar = tmp_path / "own.toml"
    grammar.write_text('[follows]\nrest = ["rise"]\nwalk = ["rise"]\n')
    options = ["--decoder", "grammar", "--grammar", str(grammar), "--lags", "1,offline", "--json"]
    assert main(["compare", str(tmp_path / "lm.parquet"), *options]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [each["variant"] for each in said["standings"]] == ["lm", "lm@1", "lm@offline"]
    assert said["against"] == "lm"
    scores = [each["macro_f1"]["score"] for each in said["standings"]]
    assert scores[0] < scores[1] < scores[2]
    expected = decode_predictions(alone, "grammar", delays=[1, None], grammar=read_grammar(grammar))
    for decoded, score in zip(expected, scores[1:], strict=True):
        known = decoded.y >= 0
        counts = np.zeros((3, 3))
        np.add.at(counts, (decoded.y[known], decoded.prediction[known]), 1)
        f1 = 2 * np.diag(counts) / (counts.sum(0) + counts.sum(1))
        assert score == pytest.approx(f1.mean())
    assert said["events"]["lm@offline"]["fragmented"] < said["events"]["lm"]["fragmented"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--decoder", "duration", "--lags", "soon"], "--lags must list whole numbers"),
        (["--decoder", "markov"], "Unknown kind of decoder 'markov'"),
        (["--decoder", "grammar"], "needs a grammar"),
        (["--grammar", "hapt-postures"], "--grammar needs --decoder grammar"),
        (["--decoder", "grammar", "--grammar", "hapt-postures"], "Unknown class in grammar hapt-postures"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, options, says):
    write_predictions(tmp_path / "lm.parquet", day(3))
    assert main(["compare", str(tmp_path / "lm.parquet"), *options]) == 2
    assert says in capsys.readouterr().err


def test_predictions_that_cannot_be_decoded_are_named():
    alone = day(4)
    with pytest.raises(UserError, match="lm has one fold"):
        decode_predictions(alone.take(alone.fold == "0"), "duration")
    bare = Predictions.of("lm", subject=["a", "b"], fold=[0, 1], seed=0, y=[0, 1], scores=[[1.0, 0], [0, 1.0]])
    with pytest.raises(UserError, match="needs scores and the columns recording and time"):
        decode_predictions(bare, "duration")
