"""`still compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .flags import add_json, print_json

HELP = "Compare prediction files: confidence intervals and tests over subjects."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", type=Path, help=".parquet or .csv, see docs")
    parser.add_argument("--against", metavar="NAME", help="variant to compare with (default: lm, or the first)")
    parser.add_argument("--margin", type=float, default=1.0, help="non-inferiority margin in points (default: 1)")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from .. import evaluation

    predictions = evaluation.read_predictions(*options.predictions)
    matrices = evaluation.count_confusion(predictions)
    compared = evaluation.compare_variants(matrices, against=options.against, margin=options.margin / 100)
    timed = [each for each in predictions if each.recording is not None and each.time is not None]
    events = {each.variant: evaluation.score_events(each).to_dict() for each in timed}
    calibrations = {each.variant: evaluation.compute_calibration(each) for each in predictions}
    if options.json:
        reliability = {
            name: None if calibration is None else {"ece": calibration.ece, "bins": calibration.rows()}
            for name, calibration in calibrations.items()
        }
        rows = {"by_subject": evaluation.rows_by_subject(matrices), "by_class": evaluation.rows_by_class(matrices)}
        print_json(compared.to_dict() | {"calibration": reliability, "events": events} | rows)
    else:
        from ..reports.compared import show_compared, show_events

        errors = {name: None if each is None else each.ece for name, each in calibrations.items()}
        show_compared(compared, errors)
        show_events(events)
    return 0
