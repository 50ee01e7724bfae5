"""Table of windows alone and in sequence, such as HAPT over whole recordings.

``python -m benchmarks.decoding FOLDER --out results/decoding-hapt`` reads the folder of a study with ``[decoding]``
whose test subjects are evaluated, and writes ``table.csv``: a row for each model and delay, windows alone first
(``delay`` 0, ``decoder`` none). ``delay`` is in windows, ``offline`` for whole recordings; ``macro_f1`` is that of the
confusion matrix of all test subjects, mean over seeds, ``low`` and ``high`` the ends of its 95 % interval; ``basic``
and ``transitions`` average the F1 of the classes that are no transitions and of those that are. ``recommended`` is yes
for the model that the study recommends. It also copies the specification as ``spec.toml`` and writes the tables of
events and, with ``reject``, of the unknown. With ``--add`` the rows of the folder's models join those of the others in
the tables that are there, recommended is who was, and the specification stays.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stillmotion.decoding import ALONE
from stillmotion.escaping import write_csv
from stillmotion.files import atomic_write
from stillmotion.reports.evidence import Evidence
from stillmotion.reports.figures import bouts
from stillmotion.reports.sequences import sequence_tables
from stillmotion.studies import Results, open_study, read_study_state

COLUMNS = (
    "model",
    "parameters",
    "recommended",
    "decoder",
    "delay",
    "macro_f1",
    "basic",
    "transitions",
    "low",
    "high",
)


def main() -> None:
    """Read the folder and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--figure", type=Path, help="also write the figure of bouts to this .svg")
    parser.add_argument("--add", action="store_true", help="add the folder's models to the tables in --out")
    options = parser.parse_args()
    results = open_study(options.folder)
    rows = measure(results)
    if options.add:
        rows = [{**row, "recommended": "no"} for row in rows]
    cells = [[row[name] for name in COLUMNS] for row in rows]
    written = {"table.csv": write_csv(list(COLUMNS), cells)}
    for table, file in zip(list(sequence_tables(results))[1:], ("events.csv", "unknown.csv"), strict=False):
        written[file] = table.to_csv()
    for file, text in written.items():
        atomic_write(options.out / file, join(text, options.out / file) if options.add else text)
    if not options.add:
        atomic_write(options.out / "spec.toml", (options.folder / "study.toml").read_text(encoding="utf-8"))
    if options.figure is not None:
        with read_study_state(options.folder) as state, TemporaryDirectory() as drawn:
            (figure,) = bouts(Evidence(state))
            figure.save(Path(drawn))
            atomic_write(options.figure, (Path(drawn) / "bouts.svg").read_text(encoding="utf-8"))
    for line in cells:
        print(*(f"{value:.4f}" if isinstance(value, float) else value for value in line), sep="  ")


def join(text: str, path: Path) -> str:
    """Return a table as CSV with the rows of other models, named in its first column, from the file at ``path``."""
    (head, *fresh), (known, *before) = (
        list(csv.reader(io.StringIO(each))) for each in (text, path.read_text(encoding="utf-8"))
    )
    if head != known:
        raise SystemExit(f"{path} has the columns {', '.join(known)}, not {', '.join(head)}.")
    models = {row[0] for row in fresh}
    return write_csv(head, [*fresh, *(row for row in before if row[0] not in models)])


def measure(results: Results) -> list[dict[str, Any]]:
    """Return a row for each model and delay; of a feature classifier ``parameters`` are its stored numbers."""
    rows = {row.variant: row for row in results.rows}

    def parameters(name: str) -> int | None:
        row = rows[name]
        return row.bytes // 4 if row.parameters is None and row.bytes is not None else row.parameters

    return [
        {
            "model": row.variant,
            "parameters": parameters(row.variant),
            "recommended": "yes" if row.variant == results.recommended else "no",
            "decoder": row.decoder,
            "delay": "0" if row.delay == ALONE else row.delay,
            "macro_f1": round(row.macro_f1.score, 4),
            "basic": None if row.basic is None else round(row.basic, 4),
            "transitions": None if row.transitions is None else round(row.transitions, 4),
            "low": None if row.macro_f1.low is None else round(row.macro_f1.low, 4),
            "high": None if row.macro_f1.high is None else round(row.macro_f1.high, 4),
        }
        for row in results.sequences
    ]


if __name__ == "__main__":
    main()
