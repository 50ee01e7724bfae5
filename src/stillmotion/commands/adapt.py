"""`still adapt`."""

from __future__ import annotations

import argparse
from pathlib import Path

from .fitting_tables import load_fitting
from .flags import add_data
from .table_flags import add_table_flags

HELP = "Adapt a bundle to one subject by a few seconds of labelled recordings of that subject."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder of a bundle")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a table of one subject with labels, whose columns are called as the bundle's channels or named by flags",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder of the adapted bundle")
    parser.add_argument(
        "--strength", type=float, help="windows as which the trained weights count (default: as measured to be best)"
    )
    parser.add_argument("--resample", action="store_true", help="resample recordings of another rate")
    add_data(parser)
    add_table_flags(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..bundles import Bundle, adapt, cut_labelled
    from ..bundles.adapt import STRENGTH
    from ..names import make_visible

    bundle = Bundle.open(options.bundle)
    dataset = load_fitting(options.file, options, bundle.spec)
    windows, labels = cut_labelled(bundle, dataset, resampled=options.resample)
    adapted = adapt(
        bundle, windows, labels, options.out, strength=STRENGTH if options.strength is None else options.strength
    )
    counts = adapted.provenance["adapted"]["windows"]
    seconds = bundle.spec.hop / bundle.spec.rate
    print(make_visible(f"{adapted.path}: adapted to {len(labels)} windows of {bundle.spec.seconds:g} s"))
    for name, count in counts.items():
        print(make_visible(f"  {name}: {count} windows, about {bundle.spec.seconds + (count - 1) * seconds:.1f} s"))
    missing = [name for name in bundle.spec.classes if name not in counts]
    if missing:
        print(make_visible(f"  as trained, for want of windows: {', '.join(missing)}"))
    return 0
