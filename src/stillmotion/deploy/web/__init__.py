"""A page that runs a bundle in the browser: the generated C as WebAssembly, in one HTML file that opens from disk."""

from .compiling import compile_wasm
from .export import WebExport, export_web

__all__ = ["WebExport", "compile_wasm", "export_web"]
