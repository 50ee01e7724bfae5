"""`still cost`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UserError
from .flags import add_json, print_json

HELP = "Count the parameters, FLOPs and memory of a network, layer by layer."
#: The input shape and number of classes, which a network's name does not fix.
SHAPE = {"window": "window length in samples", "channels": "number of channels", "classes": "number of classes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "network",
        metavar="NETWORK|BUNDLE|FILE.keras",
        help="such as deepconvlstm-lm (an unknown name lists all), or a saved model",
    )
    for option, text in SHAPE.items():
        parser.add_argument(f"--{option}", type=int, help=text)
    parser.add_argument(
        "--attention", metavar="BLOCKS", help="attention blocks, such as channel:r=4,spatial:k=7,after=2"
    )
    parser.add_argument("--recurrence", help="of the deepconvlstm networks: over channels (published) or time")
    parser.add_argument(
        "--features", metavar="SELECTION", help="of networks on window features, such as axes,norms,time,-*.order"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from ..bundles import saved_cost
    from ..networks import format_cost, list_networks, named_network_cost

    path = Path(options.network)
    named = options.network in [network.name for network in list_networks()]
    shape = [getattr(options, option) for option in SHAPE]
    if not named and (path.suffix == ".keras" or len(path.parts) > 1 or path.exists()):
        given = [
            option for option in (*SHAPE, "attention", "recurrence", "features") if getattr(options, option) is not None
        ]
        if given:
            raise UserError(f"{path} is a saved model, so --{given[0]} does not apply; leave it out.")
        cost = saved_cost(path)
    else:
        missing = [f"--{option}" for option, value in zip(SHAPE, shape, strict=True) if value is None]
        if named and missing:
            raise UserError(f"{options.network} needs a shape; add {', '.join(missing)}.")
        names = ("attention", "recurrence", "features")
        cost = named_network_cost(options.network, tuple(shape), **{name: getattr(options, name) for name in names})
    if options.json:
        print_json(cost.to_dict())
    else:
        from ..reports.screen import console

        sizes = " → ".join(" × ".join(map(str, size)) for size in (cost.input_shape, cost.output_shape))
        console().print(format_cost(cost, title=f"{cost.network}: {sizes}"))
    return 0
