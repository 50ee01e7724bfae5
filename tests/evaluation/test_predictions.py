"""Predictions, on disk and counted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from sklearn.metrics import confusion_matrix

from stillmotion.errors import UnknownName, UserError
from stillmotion.evaluation import ConfusionMatrices, Predictions, count_confusion, read_predictions, write_predictions
from stillmotion.evaluation.confusion import natural


def make_predictions(variant="lm", *, subjects=("p2", "p10", "p1"), seeds=(0, 1), windows=8, classes=3, seed=0, **more):
    rng = np.random.default_rng(seed)
    subject = np.repeat(subjects, windows)
    y = np.random.default_rng(99).integers(0, classes, len(subject))
    rows = len(subject) * len(seeds)
    return Predictions.of(
        variant,
        subject=np.tile(subject, len(seeds)),
        fold=np.tile(np.repeat(np.arange(len(subjects)) % 2, windows), len(seeds)),
        seed=np.repeat(seeds, len(subject)),
        y=np.tile(y, len(seeds)),
        scores=rng.dirichlet(np.ones(classes), rows),
        **more,
    )


def same(one, other):
    assert (one.variant, one.classes) == (other.variant, other.classes)
    for name in ("subject", "fold", "seed", "y", "prediction", "scores", "recording", "time"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            np.testing.assert_array_equal(left, right)


def test_parquet_keeps_everything(tmp_path):
    one = make_predictions(classes=3)
    whole = Predictions.of(
        "with a name",
        subject=one.subject,
        fold=one.fold,
        seed=one.seed,
        y=one.y,
        scores=one.scores,
        prediction=one.y,  # another decision than the highest score
        classes=["sit", "walk", "run"],
        recording=np.repeat("r1", len(one)),
        time=np.arange(len(one)) * 0.5,
    )
    write_predictions(tmp_path / "any.parquet", whole)
    (back,) = read_predictions(tmp_path / "any.parquet")
    same(back, whole)
    assert list(tmp_path.iterdir()) == [tmp_path / "any.parquet"]


def test_csv_keeps_all_but_the_class_names(tmp_path):
    one, other = make_predictions("a"), make_predictions("b", seed=1)
    write_predictions(tmp_path / "both.csv", one, other)
    assert (tmp_path / "both.csv").read_text().splitlines()[0] == (
        '"variant","subject","fold","seed","y","score_0","score_1","score_2"'
    )
    first, second = read_predictions(tmp_path / "both.csv")
    same(first, one)
    same(second, other)


def test_a_file_by_hand_needs_no_scores_and_takes_its_own_name(tmp_path):
    (tmp_path / "forest.csv").write_text("seed,fold,subject,y,prediction,age\n0,1,anna,2,0,33\n0,1,ben,0,0,41\n")
    (one,) = read_predictions(tmp_path / "forest.csv")
    assert (one.variant, one.scores, one.classes) == ("forest", None, ("0", "1", "2"))
    assert one.subject.tolist() == ["anna", "ben"]
    assert (one.y.tolist(), one.prediction.tolist()) == ([2, 0], [0, 0])


def test_whole_numbers_may_be_written_in_parquet_as_any_number(tmp_path):
    table = pa.table({"subject": [1, 2], "fold": [0, 0], "seed": [0.0, 0.0], "y": [1, 0], "prediction": [1.0, 1.0]})
    parquet.write_table(table, tmp_path / "x.parquet")
    (one,) = read_predictions(tmp_path / "x.parquet")
    assert (one.subject.tolist(), one.prediction.tolist()) == (["1", "2"], [1, 1])


def test_names_may_be_categories(tmp_path):
    names = pa.array(["anna", "ben", "anna"]).dictionary_encode()
    columns = {"variant": pa.array(["u", "v", "u"]).dictionary_encode(), "subject": names.cast(pa.large_string())}
    table = pa.table({**columns, "fold": names, "seed": [0, 0, 0], "y": [1, 0, 0], "prediction": [1, 1, 0]})
    parquet.write_table(table, tmp_path / "x.parquet")
    first, second = read_predictions(tmp_path / "x.parquet")
    assert (first.variant, first.subject.tolist(), second.fold.tolist()) == ("u", ["anna", "anna"], ["ben"])
    empty = table.set_column(1, "subject", pa.array(["anna", "", "ben"], pa.large_string()))
    parquet.write_table(empty, tmp_path / "x.parquet")
    with pytest.raises(UserError, match="x.parquet, row 2: subject is empty"):
        read_predictions(tmp_path / "x.parquet")


def test_a_variant_may_be_spread_over_files_but_not_stand_twice(tmp_path):
    whole = make_predictions(seeds=(0, 1))
    for run in (0, 1):
        write_predictions(tmp_path / f"run{run}.parquet", whole.take(whole.seed == run))
    (back,) = read_predictions(tmp_path / "run0.parquet", tmp_path / "run1.parquet")
    same(back, whole)
    write_predictions(tmp_path / "again.parquet", whole.take(whole.seed == 1))
    with pytest.raises(
        UserError, match=r"run1.parquet and .*again.parquet both hold variant 'lm', subject p.*, seed 1"
    ):
        read_predictions(*sorted(tmp_path.glob("run*")), tmp_path / "again.parquet")


HEAD = "subject,fold,seed,y,score_0,score_1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.csv is empty."),
        (HEAD, "x.csv has a header but no rows."),
        ("subject,fold,y,prediction\n1,0,0,0\n", "x.csv has no column 'seed'; expected subject, fold, seed, y and"),
        ("subject,fold,seed,y\n1,0,0,0\n", "x.csv has no column 'score_0' … or 'prediction'"),
        (HEAD + "a,0,0,1,0.5,0.5\na,0,0,one,0.5,0.5\n", "x.csv, line 3: y is 'one', not a whole number."),
        (HEAD + "a,0,0,1,0.5,0.5\na,0,0,1,0.5,half\n", "x.csv, line 3: score_1 is 'half', not a number."),
        (HEAD + "a,0,0,1,0.5,0.5\na,0,0,2,0.5,0.5\n", "x.csv, line 3: y is 2; classes go from 0 to 1."),
        (
            HEAD + "a,0,0,-1,0.5,0.5\n",
            "x.csv, line 2: y is -1; classes go from 0 to 1; leave out windows without a class.",
        ),
        (HEAD + "a,0,0,1,0.5,nan\n", "x.csv, line 2: score_1 is not a finite number."),
        (HEAD + "a,0,0,1,0.5,0.5\n,0,0,1,0.5,0.5\n", "x.csv, line 3: subject is empty, not a word."),
        (HEAD + "a,0,0,1,0.5,0.5\na,0,0\n", "x.csv, line 3: 3 cells where the header has 6"),
        (
            HEAD.replace("score_1", "score_2") + "a,0,0,1,0.5,0.5\n",
            "score columns are score_0, score_1 … without a gap",
        ),
        (HEAD.replace("score_1", "y") + "a,0,0,1,0.5,1\n", "x.csv has the column 'y' twice."),
        (
            "subject,fold,seed,y,prediction,recording,time\na,0,0,1,1,r,0.5\na,0,0,1,1,r,0.5\n",
            "x.csv, line 3: this window occurs twice (a, 0, 0, r, 0.5).",
        ),
        ("subject,fold,seed,y,prediction,time\na,0,0,1,1,inf\n", "x.csv, line 2: time is not a finite number."),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence_with_its_line(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(UserError) as error:
        read_predictions(tmp_path / "x.csv")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_predictions_are_named(tmp_path):
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "dir.csv").mkdir()
    for name, message in (
        ("cut.parquet", "is no whole Parquet file"),
        ("dir.csv", "is a folder; expected a file"),
        ("gone.csv", "is not there"),
        ("p.xlsx", r"expected a \.parquet or \.csv file"),
    ):
        with pytest.raises(UserError, match=message):
            read_predictions(tmp_path / name)
    with pytest.raises(UserError, match="at least one file"):
        read_predictions()
    table = pa.table({"subject": ["a", "b"], "fold": [0, 0], "seed": [0, 0], "y": [0, None], "prediction": [0, 0]})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(UserError, match="x.parquet, row 2: y is empty, not a whole number"):
        read_predictions(tmp_path / "x.parquet")


def test_columns_of_different_lengths_are_refused():
    columns = {"subject": ["a", "b"], "fold": 0, "seed": 0, "y": [0, 1]}
    assert count_confusion([Predictions.of("x", **columns, prediction=0)]).folds == ("0", "0"), (
        "one value stands for a column"
    )
    assert len(Predictions.of("x", **columns, prediction=[0, 1])) == 2
    for wrong, message in (
        ({"prediction": [0]}, r"prediction is \(1,\), y is \(2,\)"),
        ({"scores": [[0.5, 0.5]]}, r"scores are \(1, 2\); expected 2 rows"),
        ({}, "scores or predicted classes"),
        ({"prediction": [0, 3], "classes": ["u", "v"]}, "x, row 2: prediction is 3; classes go from 0 to 1"),
    ):
        with pytest.raises(UserError, match=message):
            Predictions.of("x", **columns, **wrong)


def test_counts_are_those_of_scikit_learn_subject_by_subject():
    variants = [make_predictions("a"), make_predictions("b", seed=1)]
    counted = count_confusion(variants)
    assert counted.subjects == ("p1", "p2", "p10")
    assert counted.folds == ("0", "0", "1")
    assert (counted.variants, counted.seeds) == (("a", "b"), (0, 1))
    for v, one in enumerate(variants):
        for s, run in enumerate(counted.seeds):
            for p, subject in enumerate(counted.subjects):
                rows = (one.seed == run) & (one.subject == subject)
                wanted = confusion_matrix(one.y[rows], one.scores[rows].argmax(1), labels=[0, 1, 2])
                np.testing.assert_array_equal(counted.counts[v, s, p], wanted)


def test_subjects_tested_in_several_folds_are_pooled_and_those_of_the_same_folds_belong_together():
    one = Predictions.of(
        "x", subject=list("aabbc"), fold=[0, 1, 0, 1, 1], seed=0, y=[0] * 5, prediction=[0, 1, 1, 1, 0]
    )
    counted = count_confusion([one])
    assert counted.folds == ("0 + 1", "0 + 1", "1")
    np.testing.assert_array_equal(counted.counts[0, 0, :, 0], [[1, 1], [0, 2], [1, 0]])


def test_variants_must_have_the_same_classes():
    named, other = make_predictions("a", classes=3), make_predictions("b", classes=3)
    object.__setattr__(named, "classes", ("x", "y", "z"))
    assert count_confusion([named, other]).classes == ("x", "y", "z")
    object.__setattr__(other, "classes", ("z", "y", "x"))
    with pytest.raises(UserError, match="a has the classes x, y, z, b z, y, x"):
        count_confusion([named, other])
    with pytest.raises(UserError, match="scores of 3 classes, b has 4"):
        count_confusion([make_predictions("a"), make_predictions("b", classes=4)])


def test_variants_meet_on_the_subjects_and_seeds_they_share():
    full, part = make_predictions("full", seeds=(0, 1, 2)), make_predictions("part", seeds=(0, 1))
    counted = count_confusion([full, part.take((part.seed == 0) | (part.subject != "p1"))])
    assert counted.tested.sum() == 9 + 5
    both, notes = counted.basis("full", "part")
    assert (both.seeds, both.subjects) == ((0,), ("p1", "p2", "p10"))
    assert notes == ("Left out, incomplete for all of full, part: seeds 1, 2.",)
    alone, notes = counted.basis("full")
    assert (alone.seeds, notes) == ((0, 1, 2), ())
    fewer = count_confusion([full, part.take(part.subject != "p1")])
    both, notes = fewer.basis("part", "full")
    assert (both.variants, both.subjects, both.seeds) == (("part", "full"), ("p2", "p10"), (0, 1))
    assert notes[1] == "Left out, not tested by all of part, full: subject p1."
    never = count_confusion([full.take(full.seed == 0), part.take(part.seed == 1)])
    with pytest.raises(UserError, match="no subject in common"):
        never.basis("full", "part")


def test_windows_that_differ_between_variants_are_noted():
    full, part = make_predictions("full"), make_predictions("part")
    assert count_confusion([full, part.take(np.arange(len(part)) != 3)]).basis("full", "part")[1] == (
        "Windows per subject and class differ within full and part.",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjects": ("a",)}, r"variants, seeds, subjects and classes need \(1, 1, 1, 2, 2\)"),
        ({"folds": ("0",)}, "1 folds for 2 subjects"),
        ({"subjects": ("a", "a")}, "name subject 'a' twice"),
        ({"counts": -np.ones((1, 1, 2, 2, 2))}, "cannot be negative"),
        ({"seeds": (), "counts": np.zeros((1, 0, 2, 2, 2))}, "nothing to score"),
    ],
)
def test_counts_that_do_not_fit_their_names_are_refused(change, message):
    whole = {"variants": ("x",), "seeds": (0,), "subjects": ("a", "b"), "folds": ("0", "0"), "classes": ("u", "v")}
    whole["counts"] = np.ones((1, 1, 2, 2, 2))
    assert ConfusionMatrices(**whole).number("x") == 0
    with pytest.raises(UnknownName, match="Unknown variant 'y'"):
        ConfusionMatrices(**whole).number("y")
    with pytest.raises(UserError, match=message):
        ConfusionMatrices(**{**whole, **change})


def test_names_sort_as_subjects_count():
    assert sorted(["p10", "p2", "a", "p2b", "10", "9"], key=natural) == ["9", "10", "a", "p2", "p2b", "p10"]


def test_a_large_file_of_many_columns_is_read_in_any_order(tmp_path):
    one = make_predictions(windows=500, classes=12)
    write_predictions(tmp_path / "a.csv", one)
    table = csv.read_csv(tmp_path / "a.csv")
    csv.write_csv(table.select(table.column_names[::-1]), tmp_path / "b.csv")
    same(read_predictions(tmp_path / "a.csv")[0], read_predictions(tmp_path / "b.csv")[0])
