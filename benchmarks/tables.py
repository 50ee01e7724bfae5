"""Measure large and defective tables: WISDM's raw file against pandas, the memory for a user's CSV of gigabytes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from stillmotion.signals.sets import wisdm
from tests.publishers.write_wisdm import DEFECTS, write_wisdm

from .contest import Contender, in_turns, interpreter

Row = dict[str, Any]

#: Approximate number of records of the real file.
RECORDS = 1_098_207
#: Ways of reading in pandas: name, whether cells are read as strings first, goal of the ratio.
PANDAS = (("pandas, cells as strings and then as numbers", True, "≥ 5×"), ("pandas, types inferred", False, "–"))
#: Bytes of the user's CSV, and those with ``--quick``.
LARGE, SMALL, INSPECTED = 3_000_000_000, 100_000_000, 2_000_000_000
MAPPING = {
    "subject": "subject",
    "label": "activity",
    "time": "t",
    "sensors": {"wrist.acc": {"columns": ["ax", "ay", "az"], "unit": "g"}},
}


def repair(scratch: Path, repeats: int) -> list[Row]:
    """Time the repair of WISDM's defects against pandas, which must recover the same records."""
    path = _defective(scratch)
    what = f"WISDM's raw file repaired, {len(wisdm.recover(path, {}).code):,} records"
    python = interpreter(("pandas",))
    if python is None:
        ours = median(_milliseconds(path) for _ in range(repeats))
        missing = {"against": "pandas: not installed", "other": "", "unit": "ms", "ratio": "", "goal": "≥ 5×"}
        return [{"what": what, "ours": ours, **missing}]
    rows = []
    for name, words, goal in PANDAS:
        contender = Contender(python, "wisdm_pandas.py", path, {"words": words})
        try:
            recovered = len(wisdm.recover(path, {}).code)
            if contender.first["rows"] != recovered:
                raise AssertionError(f"{name} recovers {contender.first['rows']:.0f} records, not {recovered}")
            pairs = []
            for _ in range(repeats):
                ((timing,),) = in_turns([contender], 1)
                pairs.append((_milliseconds(path), timing["milliseconds"]))
        finally:
            contender.close()
        rows.append(
            {
                "what": what,
                "against": name,
                "ours": median(first for first, _ in pairs),
                "other": median(second for _, second in pairs),
                "unit": "ms",
                "ratio": median(second / first for first, second in pairs),
                "goal": goal,
            }
        )
    return rows


def bounded(scratch: Path, *, quick: bool) -> Row:
    """Measure the peak memory of a process that reads a user's CSV, mapped pages included."""
    path = scratch / "own.csv"
    size = _grown(path, SMALL if quick else LARGE)
    code = f"import stillmotion as sm; sm.load({str(path)!r}, mapping={MAPPING!r})"
    return _peak(code, path, size, scratch, "read", "≤ 2000 MB for 3 GB")


def inspected(scratch: Path, *, quick: bool) -> Row:
    """Measure time and peak memory of ``still inspect`` on a user's CSV, whose mapping is proposed."""
    path = scratch / "own.csv"
    size = _grown(path, SMALL if quick else INSPECTED)
    code = f"from stillmotion.cli import main; main(['inspect', {str(path)!r}, '--json'])"
    return _peak(code, path, size, scratch, "inspected", "≤ 2500 MB for 2 GB")


def _peak(code: str, path: Path, size: int, scratch: Path, done: str, goal: str) -> Row:
    """Run code on a table in a process of its own; return its time and its peak memory against the table's size."""
    code = (
        f"import re, sys, time; from pathlib import Path; start = time.perf_counter(); {code};"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1], time.perf_counter() - start)"
    )
    environment = os.environ | {"STILLMOTION_CACHE": str(scratch / "own-cache")}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    peak, seconds = process.stdout.split()[-2:]
    path.unlink()
    return {
        "what": f"a user's CSV of {size / 1e9:.1f} GB {done} in {float(seconds):.0f} s: peak memory",
        "against": "its size",
        "ours": int(peak) * 1024 / 1e6,
        "other": size / 1e6,
        "unit": "MB",
        "ratio": size / (int(peak) * 1024),
        "goal": goal,
    }


def _milliseconds(path: Path) -> float:
    start = time.perf_counter()
    wisdm.recover(path, {})
    return 1000 * (time.perf_counter() - start)


def _defective(scratch: Path) -> Path:
    """Write simulated records with the real file's defects, repeated up to the size of the real file."""
    # No cell of the real file is a word: it would break the type inference of pandas, and cost us a second parse.
    write_wisdm(scratch / "wisdm", subjects=4, defects=tuple(defect for defect in DEFECTS if defect != "word"))
    path = scratch / "wisdm" / wisdm.FILE
    text = path.read_bytes()
    path.write_bytes(text * round(RECORDS / text.count(b";")))
    return path


def _grown(path: Path, size: int) -> int:
    """Write a long table of four subjects at 50 Hz until it has about ``size`` bytes."""
    import pyarrow as pa
    from pyarrow import csv

    random = np.random.default_rng(0)
    block = 200_000
    columns = {axis: random.normal(0, 1, block).round(4) for axis in ("ax", "ay", "az")}
    labels = pa.array(np.repeat(["walking", "sitting"], block // 2))
    with path.open("wb") as file:
        for number in range(1_000_000):
            times = (number * block + np.arange(block)) / 50
            subject = pa.array([f"subject {4 * file.tell() // size}"]).take(pa.array(np.zeros(block, np.int8)))
            table = pa.table({"subject": subject, "activity": labels, "t": times} | columns)
            csv.write_csv(table, file, csv.WriteOptions(include_header=number == 0, quoting_style="none"))
            if file.tell() >= size:
                break
    return path.stat().st_size
