"""`still audit`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from .flags import add_json, add_source, load_dataset, print_json

if TYPE_CHECKING:
    from ..signals import Dataset
    from ..windows import Windows

HELP = "Check a split for leaks; exit code 1 if there are any, or the recordings are not fit to train on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_source(parser)
    parser.add_argument("--protocol", required=True, help="random, official, subjects:K, loso (leave-one-subject-out)")
    parser.add_argument("--window", help="length of a window, such as 2.56s or 128 samples (default: the data set's)")
    parser.add_argument("--hop", help="time between two windows, such as 1s or 50 samples (default: the set's overlap)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (default: 0)")
    parser.add_argument("--beside", metavar="NAME", action="append", default=[], help="another data set used with it")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import screen
    from ..signals import inspect, load
    from ..windows import audit_splits, fit_statistics, make_splits

    data = load_dataset(options)
    windows = _cut_windows(data, options)
    splits = make_splits(windows, options.protocol, seed=options.seed)
    quality = inspect(data)  # A second of work, after all options were read.
    audit = audit_splits(
        windows,
        splits,
        statistics=[fit_statistics(windows, fold.train) for fold in splits.folds],
        others=[load(name, data=options.data) for name in options.beside],
    )
    if options.json:
        recordings = [asdict(each) | {"consequence": each.consequence} for each in quality.problems]
        print_json(audit.to_dict() | {"window": windows.spec.describe_window(), "recordings": recordings})
    else:
        screen.show_audit(audit, windows.spec, quality)
    return 0 if audit.clean and quality.usable else 1


def _cut_windows(data: Dataset, options: argparse.Namespace) -> Windows:
    from ..signals import read_length, resample
    from ..windows import cut

    if data.times is not None:
        data = resample(data, data.spec.rate)
    spec = data.spec
    if options.window is not None:
        spec = spec.with_window(read_length(options.window, spec.rate, "--window"))
    if options.hop is not None:
        spec = spec.with_window(spec.window, read_length(options.hop, spec.rate, "--hop"))
    return cut(data, spec=spec)
