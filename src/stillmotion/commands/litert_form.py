"""What ``still export --to litert`` writes and prints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..names import make_visible
from .evidence import describe_evidence, prove, read_windows
from .flags import print_json

if TYPE_CHECKING:
    from ..bundles import Bundle


def write_litert_form(bundle: Bundle, options: argparse.Namespace, given: dict[str, Any]) -> int:
    """Write a bundle's model as a LiteRT file and print what was written.

    Args:
        bundle: the bundle.
        options: of the command.
        given: ``calibration`` and ``full_scale`` of ``export_c``.
    """
    from ..deploy import export_litert

    proof = read_windows(bundle, options, given)
    export = export_litert(bundle, options.out, int8=options.int8, name=options.name, **given)
    extra = prove(bundle, options, given, proof)
    if options.json:
        values = {
            "file": str(export.file),
            "bytes": export.bytes,
            "agreement": export.agreement,
            "calibration_windows": export.windows,
        }
        print_json(values | extra)
        return 0
    kind = "int8, from raw counts to logits" if export.integers else "float32, from a window to logits"
    lines = [f"{export.file}: {export.bytes:,} bytes, {kind}; {export.file.stem}.json says what both stand for"]
    if export.agreement is not None:
        lines.append(f"the class of float32 on {export.agreement:.1%} of {export.windows} calibration windows")
    print(make_visible("\n".join(lines + describe_evidence(extra)), keep="\n"))
    return 0
