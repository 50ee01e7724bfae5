"""Damaged and foreign files of predictions through ``still compare``: a result or one sentence."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.evaluation import ConfusionMatrices, Predictions, count_confusion, read_predictions

ROWS, KEY = 24, "stillmotion"


def columns(rows=ROWS, classes=3, **changes):
    """Three subjects, three classes, scores that are right except in every fifth row."""
    at = np.arange(rows)
    y = at % classes
    predicted = np.where(at % 5 == 0, (y + 1) % classes, y)
    made = {"subject": [f"s{n % 3}" for n in at], "fold": at % 3, "seed": at * 0, "y": y}
    made |= {f"score_{c}": np.where(predicted == c, 0.8, 0.2 / (classes - 1)) for c in range(classes)}
    return {name: column for name, column in (made | changes).items() if column is not None}


def bare(**changes):
    """Without scores."""
    return columns(score_0=None, score_1=None, score_2=None, **({"prediction": np.arange(ROWS) % 3} | changes))


def changed(column, row, value):
    """A column of ``columns`` with another value in one row."""
    values = list(bare()[column] if column == "prediction" else columns()[column])
    values[row] = value
    return values


def write(path, table, **metadata):
    made = pa.table(table) if isinstance(table, dict) else table
    made = made.replace_schema_metadata({name.replace("_", ":"): text for name, text in metadata.items()})
    parquet.write_table(made, path)


def named(**about):
    return {KEY: json.dumps(about).encode()}


def twins(name, values):
    """A Parquet table in which one column stands twice."""
    made = pa.table(columns())
    return made.append_column(name, pa.array(values))


GOOD = {
    "as it should be": (columns(), {}),
    "no metadata": (bare(), {}),
    "pandas metadata that is no JSON": (columns(), {"pandas": b"\xff{"}),
    "pandas metadata of other columns": (columns(), {"pandas": b'{"index_columns": ["gone"], "columns": []}'}),
    "a huge foreign entry": (columns(), {"notes": b"x" * 500_000}),
    "class names": (columns(), named(classes=["sit", "walk", "run"])),
    "a variant's name": (columns(), named(variant="mine")),
    "null for names": (columns(), named(variant=None, classes=None)),
    "categories": (columns(subject=pa.array(columns()["subject"]).dictionary_encode()), {}),
    "categories of numbers": (columns(fold=pa.array([0, 1, 2] * 8).dictionary_encode()), {}),
    "folds as floats": (columns(fold=np.arange(ROWS) % 3 * 1.0), {}),
    "seeds as whole floats": (columns(seed=np.zeros(ROWS)), {}),
    "negative seeds": (columns(seed=np.full(ROWS, -(2**63))), {}),
    "labels as words of digits": (columns(y=[str(n % 3) for n in range(ROWS)]), {}),
    "labels as decimals": (columns(y=pa.array([n % 3 for n in range(ROWS)]).cast(pa.decimal128(20, 0))), {}),
    "subjects as bytes of text": (columns(subject=pa.array([b"a", b"b", b"c"] * 8)), {}),
    "an ignored column of lists": (columns(extra=[[1, 2]] * ROWS), {}),
    "an ignored column of structs": (columns(extra=[{"a": 1}] * ROWS), {}),
    "one subject": (columns(subject=["s"] * ROWS), {}),
    "one class": (bare(y=[0] * ROWS, prediction=[0] * ROWS), {}),
    "one row": ({name: list(column)[:1] for name, column in columns().items()}, {}),
    "a subject a row": (columns(subject=[str(n) for n in range(ROWS)]), {}),
    "logits far apart": (columns(score_0=np.full(ROWS, 1e38)), {}),
    "scores that are all equal": (columns(score_0=[0.5] * ROWS, score_1=[0.5] * ROWS, score_2=[0.5] * ROWS), {}),
    "a word with quotes and brackets": (columns(subject=["[red]'\"; DROP"] * ROWS), {}),
}

#: What is wrong, the table, its metadata, and what the sentence names.
BAD = {
    "metadata that is no text": (columns(), {KEY: b"\xff\xfe{"}, "no JSON object"),
    "metadata that is no JSON": (columns(), {KEY: b"{classes: 3"}, "no JSON object"),
    "metadata that is empty": (columns(), {KEY: b""}, "no JSON object"),
    "metadata that is a list": (columns(), {KEY: b"[1]"}, "no JSON object"),
    "metadata nested very deep": (columns(), {KEY: b"[" * 200_000}, "no JSON object"),
    "metadata with a huge number": (columns(), {KEY: b'{"classes": ' + b"9" * 10_000 + b"}"}, "x.parquet"),
    "class names that are a word": (columns(), named(classes="abc"), "classes 'abc'"),
    "class names that are numbers": (columns(), named(classes=[1, 2, 3]), "classes"),
    "one class name": (columns(), named(classes=["sit"]), "classes"),
    "class names twice": (columns(), named(classes=["sit", "sit", "run"]), "distinct names"),
    "too few class names": (columns(), named(classes=["sit", "run"]), "2 classes"),
    "too many class names": (columns(), named(classes=list("abcd")), "4 classes"),
    "a million class names": (columns(), named(classes=[str(n) for n in range(10**5)]), "classes"),
    "too few class names for labels": (bare(), named(classes=["sit", "run"]), "row 3: prediction is 2"),
    "a class name without letters": (columns(), named(classes=["", "a", "b"]), "classes"),
    "a variant that is a number": (columns(), named(variant=7), "variant '7'"),
    "a variant of a million letters": (columns(), named(variant="x" * 10**6), "variant"),
    "a label of 2 to the 40": (bare(y=changed("y", 4, 2**40)), {}, "row 5: y is 1099511627776"),
    "a label of 2 to the 40 with scores": (columns(y=changed("y", 4, 2**40)), {}, "row 5: y is 1099511627776"),
    "the largest label there is": (bare(y=changed("y", 4, 2**63 - 1)), {}, "row 5: y is"),
    "a prediction of 2 to the 40": (bare(prediction=changed("prediction", 7, 2**40)), {}, "row 8: prediction is"),
    "a label beyond 64 bits": (bare(y=pa.array(changed("y", 4, 2**64 - 1), pa.uint64())), {}, "row 5: y is"),
    "a label of 1,000": (bare(y=changed("y", 4, 1000)), {}, "row 5: y is 1000"),
    "a negative label": (columns(y=changed("y", 4, -1)), {}, "row 5: y is -1"),
    "a label between two": (columns(y=changed("y", 4, 0.5)), {}, "row 5: y is '0.5'"),
    "a label that is NaN": (columns(y=changed("y", 4, float("nan"))), {}, "row 5: y is 'nan'"),
    "labels that are words": (columns(y=["walk"] * ROWS), {}, "row 1: y is 'walk'"),
    "labels that are lists": (columns(y=[[1]] * ROWS), {}, "row 1: y is 'list"),
    "labels that are structs": (columns(y=[{"a": 1}] * ROWS), {}, "row 1: y is 'struct"),
    "labels that are maps": (columns(y=pa.array([[("a", 1)]] * ROWS, pa.map_("str", "int8"))), {}, 'row 1: y is "map'),
    "labels that are dates": (columns(y=pa.array([0] * ROWS, pa.timestamp("ms"))), {}, "row 1: y is 'timestamp"),
    "labels that are nothing": (columns(y=pa.nulls(ROWS)), {}, "row 1: y is empty"),
    "a label that is missing": (columns(y=changed("y", 9, None)), {}, "row 10: y is empty"),
    "a seed between two": (columns(seed=changed("seed", 2, 0.25)), {}, "row 3: seed is '0.25'"),
    "a seed that is infinite": (columns(seed=changed("seed", 2, float("inf"))), {}, "row 3: seed is 'inf'"),
    "a score that is NaN": (columns(score_1=changed("score_1", 6, float("nan"))), {}, "row 7: score_1"),
    "a score that is infinite": (columns(score_2=changed("score_2", 6, float("inf"))), {}, "row 7: score_2"),
    "a score beyond 32 bits": (columns(score_2=changed("score_2", 6, 1e300)), {}, "row 7: score_2"),
    "scores that are words": (columns(score_0=["high"] * ROWS), {}, "row 1: score_0 is 'high'"),
    "a score that is missing": (columns(score_0=changed("score_0", 6, None)), {}, "row 7: score_0 is empty"),
    "one score column": (columns(score_1=None, score_2=None), {}, "score_0"),
    "a gap between score columns": (columns(score_1=None), {}, "without a gap"),
    "a score column with a leading 0": (columns(score_01=[0.1] * ROWS), {}, "score_01"),
    "scores of another alphabet's digits": (columns(score_0=None, **{"score_٠": [0.5] * ROWS}), {}, "score_0"),
    "a thousand and one score columns": (columns(**{f"score_{n}": [0.1] * ROWS for n in range(1001)}), {}, "2 to 1000"),
    "a subject that is missing": (columns(subject=changed("subject", 3, None)), {}, "row 4: subject is empty"),
    "a subject without letters": (columns(subject=changed("subject", 3, "")), {}, "row 4: subject is empty"),
    "a subject that is NaN": (columns(subject=[1.0, float("nan")] * 12), {}, "row 2: subject is empty"),
    "a subject of a million letters": (columns(subject=changed("subject", 3, "x" * 10**6)), {}, "row 4: subject"),
    "a subject with a NUL": (columns(subject=changed("subject", 3, "s0\0")), {}, "row 4: subject"),
    "a subject that is no text": (columns(subject=pa.array([b"a", b"\xff"] * 12)), {}, "row 2: subject is \"b'"),
    "a subject that says it is text": (
        columns(subject=pa.Array.from_buffers(pa.string(), ROWS, pa.array([b"a", b"\xff"] * 12).buffers())),
        {},
        "row 2: subject is unreadable",
    ),
    "labels that say they are text": (
        bare(y=pa.Array.from_buffers(pa.string(), ROWS, pa.array([b"1", b"\xff"] * 12).buffers())),
        {},
        "row 2: y is unreadable",
    ),
    "half floats between two": (columns(y=np.full(ROWS, 0.5, np.float16)), {}, "row 1: y is '0.5'"),
    "categories of lists": (columns(y=pa.array([{"a": 1}] * ROWS)), {}, "row 1: y is"),
    "subjects that are lists": (columns(subject=[["a"]] * ROWS), {}, "row 1: subject is 'list"),
    "a fold that is missing": (columns(fold=changed("fold", 3, None)), {}, "row 4: fold is empty"),
    "a time that is NaN": (columns(recording=["r"] * ROWS, time=[float("nan")] * ROWS), {}, "row 1: time"),
    "a time beyond all recordings": (columns(recording=["r"] * ROWS, time=np.arange(ROWS) * 1e300), {}, "row 2: time"),
    "a window twice": (columns(recording=["r"] * ROWS, time=np.arange(ROWS) // 6), {}, "row 4: this window occurs twi"),
    "the same time in other digits": (
        columns(recording=["r"] * ROWS, time=["0.5", "1.5", "2.5", "0.50", *map(str, range(5, 25))]),
        {},
        "row 4: this window occurs twice",
    ),
    "no row": ({name: pa.array(column)[:0] for name, column in columns().items()}, {}, "no row"),
    "no column": (pa.table({}), {}, "no column 'subject'"),
    "no seed": (columns(seed=None), {}, "no column 'seed'"),
    "a name of several lines": ({"a\nb": [1]}, {}, "no column 'subject'"),
    "a column twice": (twins("y", [0] * ROWS), {}, "'y' twice"),
}


def compared(capsys, *files):
    """Return the exit code and the error sentence; a traceback or a second line fails."""
    code = main(["compare", *map(str, files)])
    captured = capsys.readouterr()
    if code:
        assert (code, captured.out, captured.err.count("\n")) == (2, "", 1), captured.err[:500]
        assert len(captured.err) < 1500
    return code, captured.err


@pytest.mark.parametrize("case", GOOD)
def test_an_odd_but_sound_file_is_compared(tmp_path, capsys, case):
    table, metadata = GOOD[case]
    write(tmp_path / "x.parquet", table, **metadata)
    assert compared(capsys, tmp_path / "x.parquet") == (0, "")


@pytest.mark.parametrize("case", BAD)
def test_a_hostile_file_is_refused_in_one_sentence_with_its_row(tmp_path, capsys, case):
    table, metadata, message = BAD[case]
    write(tmp_path / "x.parquet", table, **metadata)
    code, error = compared(capsys, tmp_path / "x.parquet")
    assert code == 2, "this was taken"
    assert "x.parquet" in error
    assert message in error


TEXTS = {
    "words in another encoding": ("subject,fold,seed,y,prediction\nJos\xe9,0,0,1,1\n".encode("latin-1"), "CSV"),
    "two bytes a letter": ("subject,fold,seed,y,prediction\na,0,0,1,1\n".encode("utf-16"), "x.csv"),
    "nothing but a line": (b"\n", "x.csv"),
    "a quote that never ends": (b'subject,fold,seed,y,prediction\n"a,0,0,1,1\n', "x.csv"),
    "a number of 5,000 digits": (b"subject,fold,seed,y,prediction\na,0,0," + b"9" * 5000 + b",1\n", "line 2: y is"),
    "a subject of 5,000 digits": (b"subject,fold,seed,y,prediction\n" + b"9" * 5000 + b",0,0,1,1\n", "line 2: subject"),
    "a line beyond all blocks": (b"subject,fold,seed,y,prediction\n" + b"a" * 3_000_000 + b",0,0,1,1\n", "x.csv"),
    "a NUL": (b"subject,fold,seed,y,prediction\na\0,0,0,1,1\n", "line 2: subject"),
    "a label of 2 to the 40": (b"subject,fold,seed,y,prediction\na,0,0,1,1\nb,0,0,1099511627776,1\n", "line 3: y is"),
    "a label that is empty": (b"subject,fold,seed,y,prediction\na,0,0,1,1\nb,0,0,,1\n", "line 3: y is empty"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_hostile_text_is_refused_in_one_sentence(tmp_path, capsys, case):
    data, message = TEXTS[case]
    (tmp_path / "x.csv").write_bytes(data)
    code, error = compared(capsys, tmp_path / "x.csv")
    assert code == 2
    assert message in error


def test_a_small_file_of_very_many_rows_is_refused_before_it_is_read(tmp_path, capsys):
    schema = pa.schema([(name, pa.int8()) for name in ("subject", "fold", "seed", "y", "prediction")])
    table = pa.table([pa.array(np.zeros(1_500_000, np.int8))] * 5, schema=schema)
    with parquet.ParquetWriter(tmp_path / "x.parquet", schema, compression="zstd") as file:
        for _ in range(7):
            file.write_table(table)
    assert (tmp_path / "x.parquet").stat().st_size < 1_000_000
    code, error = compared(capsys, tmp_path / "x.parquet")
    assert code == 2
    assert "10,500,000 rows" in error


@pytest.mark.parametrize(("column", "most"), [("subject", 5000), ("fold", 5000), ("seed", 5000), ("variant", 200)])
def test_more_names_than_a_study_has_are_refused_with_the_row(tmp_path, capsys, column, most):
    rows = 20_000
    table = columns(rows, 2, **{column: np.arange(rows)})
    write(tmp_path / "x.parquet", table)
    code, error = compared(capsys, tmp_path / "x.parquet")
    assert code == 2
    assert f"row {most + 1}: this is {column} number {most + 1:,}" in error


def test_counts_that_would_fill_the_memory_are_refused():
    rows = {"subject": np.arange(300), "fold": 0, "seed": np.arange(300), "y": [999] * 300, "prediction": 0}
    with pytest.raises(UserError, match="300 seeds, 300 subjects and 1,000 classes"):
        count_confusion([Predictions.of("x", **rows)])
    seeds = tuple(range(50_000))
    with pytest.raises(UserError, match="seed 7 twice"):
        ConfusionMatrices(("x",), (*seeds, 7), ("a",), ("0",), ("u", "v"), np.ones((1, 50_001, 1, 2, 2), np.int64))


def test_files_of_one_variant_with_other_class_names_are_not_merged(tmp_path):
    for run, classes in enumerate((["sit", "walk", "run"], ["run", "walk", "sit"])):
        write(tmp_path / f"{run}.parquet", columns(seed=[run] * ROWS), **named(variant="lm", classes=classes))
    with pytest.raises(UserError, match=r"0\.parquet and .*1\.parquet both hold variant 'lm'"):
        read_predictions(tmp_path / "0.parquet", tmp_path / "1.parquet")


def test_a_file_without_names_takes_those_of_its_variants_other_file(tmp_path):
    write(tmp_path / "0.parquet", columns(seed=[0] * ROWS), **named(variant="lm", classes=["sit", "walk", "run"]))
    write(tmp_path / "1.parquet", columns(seed=[1] * ROWS), **named(variant="lm"))
    (one,) = read_predictions(tmp_path / "1.parquet", tmp_path / "0.parquet")
    assert one.classes == ("sit", "walk", "run")
    write(tmp_path / "1.parquet", bare(seed=[1] * ROWS, y=[3] * ROWS), **named(variant="lm"))
    write(tmp_path / "0.parquet", bare(), **named(variant="lm", classes=["sit", "walk", "run"]))
    with pytest.raises(UserError, match=r"1\.parquet, row 1: y is 3; classes go from 0 to 2"):
        read_predictions(tmp_path / "0.parquet", tmp_path / "1.parquet")


PAIRS = {
    "another number of windows": (columns(), columns(rows=30), 0),
    "other seeds": (columns(), columns(seed=[1] * ROWS), 0),
    "seeds that one lacks": (columns(rows=48, seed=[0] * 24 + [1] * 24), columns(), 0),
    "other subjects": (columns(), columns(subject=["x"] * ROWS), 0),
    "folds as floats in one": (columns(), columns(fold=np.arange(ROWS) % 3 * 1.0), 0),
    "other classes": (columns(), columns(classes=2), 2),
    "scores in one only": (columns(), bare(), 0),
    "equal": (columns(), columns(), 0),
}


@pytest.mark.parametrize("case", PAIRS)
def test_variants_that_do_not_fit_together_are_compared_or_refused(tmp_path, capsys, case):
    first, second, code = PAIRS[case]
    for name, table in (("a", first), ("b", second)):
        write(tmp_path / f"{name}.parquet", table)
    assert compared(capsys, tmp_path / "a.parquet", tmp_path / "b.parquet")[0] == code


def test_folds_written_as_floats_are_the_same_folds(tmp_path):
    write(tmp_path / "a.parquet", columns())
    write(tmp_path / "b.parquet", columns(fold=np.arange(ROWS) % 3 * 1.0))
    counted = count_confusion(read_predictions(tmp_path / "a.parquet", tmp_path / "b.parquet"))
    assert counted.folds == ("0", "1", "2")


FLIPS = 200


def mutilated(number):
    """A file with a few random bytes changed, or truncated."""
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns()).replace_schema_metadata({KEY: json.dumps({"variant": "lm"})}), sink)
    data = bytearray(sink.getvalue().to_pybytes())
    rng = np.random.default_rng(number)
    if number % 4 == 0:
        return bytes(data[: rng.integers(0, len(data))])
    for place in rng.integers(0, len(data), 1 + number % 7):
        data[place] = rng.integers(0, 256)
    return bytes(data)


@pytest.mark.parametrize("number", [pytest.param(n, marks=[pytest.mark.slow] * (n >= 12)) for n in range(FLIPS)])
def test_a_damaged_file_is_refused_or_read_and_never_a_traceback(tmp_path, capsys, number):
    (tmp_path / "x.parquet").write_bytes(mutilated(number))
    compared(capsys, tmp_path / "x.parquet")
