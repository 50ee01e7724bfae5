"""`still compare`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .flags import add_json, print_json

if TYPE_CHECKING:
    from ..evaluation import Predictions

HELP = "Compare prediction files: confidence intervals and tests over subjects."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("predictions", metavar="PREDICTIONS", nargs="+", type=Path, help=".parquet or .csv, see docs")
    parser.add_argument("--against", metavar="NAME", help="variant to compare with (default: lm, or the first)")
    parser.add_argument("--margin", type=float, default=1.0, help="non-inferiority margin in points (default: 1)")
    add_decoder(parser)
    add_json(parser)


def add_decoder(parser: argparse.ArgumentParser) -> None:
    """Add the options that decode windows in a row."""
    parser.add_argument("--decoder", metavar="KIND", help="also decode windows in a row: duration, grammar or learned")
    parser.add_argument("--grammar", metavar="NAME|TOML", help="what can follow what, such as hapt-postures")
    parser.add_argument(
        "--lags", default="0,2,offline", help="windows of future, or offline (default: 0,2,offline; with --decoder)"
    )


def decode(options: argparse.Namespace, predictions: Sequence[Predictions]) -> Sequence[Predictions]:
    """Return the predictions, each followed by those that the wanted decoder makes of it."""
    from ..decoding import decode_predictions, read_grammar

    if options.decoder is None:
        if options.grammar is not None:
            raise UserError("--grammar needs --decoder grammar; add it.")
        return predictions
    grammar = None if options.grammar is None else read_grammar(options.grammar)
    delays = [parse_delay(text) for text in options.lags.split(",")]
    return [
        each
        for alone in predictions
        for each in (alone, *decode_predictions(alone, options.decoder, delays=delays, grammar=grammar))
    ]


def parse_delay(text: str) -> int | None:
    """Return a lag in windows, None for ``offline``."""
    word = text.strip()
    if word == "offline":
        return None
    if not (word.isascii() and word.isdigit() and len(word) < 6):
        raise UserError(f"--lags must list whole numbers of windows or offline, such as 0,2,offline, not {word!r}.")
    return int(word)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from .. import evaluation

    predictions = decode(options, evaluation.read_predictions(*options.predictions))
    matrices = evaluation.count_confusion(predictions)
    compared = evaluation.compare_variants(matrices, against=options.against, margin=options.margin / 100)
    timed = [each for each in predictions if each.recording is not None and each.time is not None]
    events = {
        each.variant: evaluation.score_events(each).to_dict() | evaluation.score_bouts(each).shares() for each in timed
    }
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
