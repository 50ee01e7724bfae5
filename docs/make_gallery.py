"""Keep the demo's recommended model for the gallery: its WebAssembly and a few windows, in docs/gallery/demo.json.

Run it after the demo, with its bundle: ``python docs/make_gallery.py [out/demo/models/best]``. ``make docs`` writes the
page around them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from stillmotion.bundles import Bundle
from stillmotion.deploy import export_c
from stillmotion.deploy.web import compile_wasm
from stillmotion.deploy.web.export import compute_golden, describe_page
from stillmotion.deploy.web.recording import choose_replay

FILE = Path(__file__).parent / "gallery" / "demo.json"


def main() -> None:
    bundle = Bundle.open(sys.argv[1] if len(sys.argv) > 1 else "out/demo/models/best")
    with tempfile.TemporaryDirectory() as folder:
        export = export_c(bundle, Path(folder) / "c", int8=True)
        held = describe_page(
            bundle, export, compile_wasm(export), choose_replay(bundle), compute_golden(bundle, export)
        )
    FILE.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
