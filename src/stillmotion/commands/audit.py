"""`still audit`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .flags import add_json, add_source, load_dataset, print_json

if TYPE_CHECKING:
    from ..windows import Windows

HELP = "Check a split for leaks; exit code 1 if there are any."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_source(parser)
    parser.add_argument("--protocol", required=True, help="random, official, subjects:K, loso (leave-one-subject-out)")
    parser.add_argument("--window", type=int, help="window length in samples (default: the data set's)")
    parser.add_argument("--hop", type=int, help="samples between two windows (default: the data set's overlap)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split (default: 0)")
    parser.add_argument("--beside", metavar="NAME", action="append", default=[], help="another data set used with it")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..reports import screen
    from ..signals import load
    from ..windows import audit_splits, fit_statistics, make_splits

    windows = _cut_windows(options)
    splits = make_splits(windows, options.protocol, seed=options.seed)
    audit = audit_splits(
        windows,
        splits,
        statistics=[fit_statistics(windows, fold.train) for fold in splits.folds],
        others=[load(name, data=options.data) for name in options.beside],
    )
    if options.json:
        print_json(audit.to_dict())
    else:
        screen.show_audit(audit)
    return 0 if audit.clean else 1


def _cut_windows(options: argparse.Namespace) -> Windows:
    from ..signals import resample
    from ..windows import cut

    data = load_dataset(options)
    if data.times is not None:
        data = resample(data, data.spec.rate)
    spec = data.spec
    if options.window is not None:
        spec = spec.with_window(options.window)
    if options.hop is not None:
        spec = spec.with_window(spec.window, options.hop)
    return cut(data, spec=spec)
