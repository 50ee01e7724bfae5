"""Configure the documentation: guides are written by hand, data cards and the reference come from the code."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from stillmotion import __version__, features, reports  # noqa: E402
from stillmotion.deploy.web.export import write_page  # noqa: E402
from stillmotion.reports.pages import card_page  # noqa: E402
from stillmotion.signals import list_cards  # noqa: E402

# Autodoc sees only what is imported, and these rooms import on first use.
for room in (features, reports):
    vars(room).update({name: getattr(room, name) for name in room.__all__})

project = "stillmotion"
author = "the stillmotion maintainers"
copyright = "the stillmotion maintainers, Apache-2.0"  # noqa: A001
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "formulas"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_static_path = ["_static"]
html_extra_path = ["_generated/gallery"]  # beside the page that shows them
html_css_files = ["pages.css"]
html_math_renderer = "mathtext"  # docs/formulas.py: drawn in the build, readable without a network
html_title = "stillmotion"
exclude_patterns = ["_build", "**/.*"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "undoc-members": False, "imported-members": True}
nitpicky = False
# Fields of several results are called as a type is: bytes.
suppress_warnings = ["ref.python"]


def write_generated() -> None:
    """Write a page for every data card; an unchanged page keeps its time, so that it is not built again."""
    folder = HERE / "_generated" / "datasets"
    folder.mkdir(parents=True, exist_ok=True)
    for name, card in list_cards().items():
        page = folder / f"{name}.md"
        text = card_page(card)
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def write_gallery() -> None:
    """Write the pages of the gallery, of models that ``make_gallery.py`` keeps, with the page's program of today."""
    folder = HERE / "_generated" / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for model in (HERE / "gallery").glob("*.json"):
        folder.joinpath(f"{model.stem}-page.html").write_text(
            write_page(json.loads(model.read_text())), encoding="utf-8"
        )


write_generated()
write_gallery()
