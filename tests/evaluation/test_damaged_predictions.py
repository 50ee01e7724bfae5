"""A changed bit in a file of predictions is an error, never other predictions."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from stillmotion.errors import UserError
from stillmotion.evaluation import Predictions, read_predictions, write_predictions

from ..damage import flips, full_disk, listing


def sample(rows: int = 40) -> Predictions:
    random = np.random.default_rng(3)
    return Predictions.of(
        "lm",
        subject=random.integers(0, 4, rows).astype(str),
        fold=0,
        seed=0,
        y=random.integers(0, 3, rows),
        scores=random.normal(size=(rows, 3)),
        classes=("walk", "sit", "lie"),
        recording="1",
        time=np.arange(rows) / 2,
    )


def same(one: Predictions, other: Predictions) -> bool:
    return all(np.array_equal(getattr(one, part.name), getattr(other, part.name)) for part in fields(Predictions))


@pytest.mark.parametrize("count", [100, pytest.param(10**6, marks=pytest.mark.slow, id="every bit")])
def test_no_flipped_bit_of_a_prediction_file_gives_other_predictions(tmp_path: Path, count: int) -> None:
    path = tmp_path / "lm.parquet"
    write_predictions(path, sample())
    (whole,) = read_predictions(path)
    assert same(whole, sample())
    refused = 0
    for bit in flips(path, count):
        try:
            (read,) = read_predictions(path)
        except UserError:
            refused += 1
        else:
            assert same(read, whole), bit
    assert refused > 0.9 * min(count, 8 * path.stat().st_size)


def test_predictions_cut_short_or_lengthened_are_named(tmp_path: Path) -> None:
    path = tmp_path / "lm.parquet"
    write_predictions(path, sample())
    content = path.read_bytes()
    for changed in (b"", content[:-1], content[: len(content) // 2], content + b"\0", content[::-1]):
        path.write_bytes(changed)
        with pytest.raises(UserError, match=r"lm\.parquet is no whole Parquet file"):
            read_predictions(path)


def test_a_foreign_parquet_file_without_a_checksum_is_read(tmp_path: Path) -> None:
    write_predictions(tmp_path / "lm.parquet", sample())
    table = parquet.read_table(tmp_path / "lm.parquet")
    parquet.write_table(table.replace_schema_metadata(None), tmp_path / "foreign.parquet")
    (read,) = read_predictions(tmp_path / "foreign.parquet")
    np.testing.assert_array_equal(read.scores, sample().scores)


@pytest.mark.parametrize("name", ["lm.parquet", "lm.csv"])
@pytest.mark.parametrize("room", [0, 1000])
def test_a_full_disk_leaves_no_half_written_predictions(tmp_path: Path, name: str, room: int) -> None:
    with full_disk(room), pytest.raises(UserError, match=f"{name} cannot be written .*make room"):
        write_predictions(tmp_path / name, sample())
    assert listing(tmp_path) == set()
