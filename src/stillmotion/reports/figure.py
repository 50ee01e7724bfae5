"""A figure: drawn once, saved as SVG and PNG with its values as CSV, and embedded in a page.

In a page it uses the colours of the page (light or dark), its marks show their values on hover, and the marks of a
variant can be hidden; the file on disk is the same drawing on white.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import atomic_write
from ..names import make_visible
from .palette import COLOURS, INK, QUIET, RULE
from .table import tabulate

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
Value = str | int | float | None
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Settings of Matplotlib: text stays text (two dollar signs make no formula), and ids are the same in every run.
SETTINGS: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@dataclass
class Marks:
    """Variant and tooltip of the parts of a drawing, by their id."""

    labels: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __call__(self, artist: Artist, variant: str, tip: str = "") -> None:
        """Record the variant of an artist and its tooltip."""
        name = f"mark-{len(self.labels)}"
        artist.set_gid(name)
        self.labels[name] = (make_visible(variant), make_visible(tip))


Draw = Callable[["Sheet", Marks], None]


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure with its values and its description.

    Args:
        name: of its files, lower-case with hyphens.
        title: what it shows, a line.
        text: description for screen readers.
        rows: its values, the same keys in each.
        draw: draws it on an empty Matplotlib figure.
        size: in inches; about 5 wide, so that it can be read on a phone.
        note: caption below it.
    """

    name: str
    title: str
    text: str
    rows: Sequence[Mapping[str, Value]]
    draw: Draw
    size: tuple[float, float] = (5.0, 3.2)
    note: str = ""

    @property
    def csv(self) -> str:
        """The values as CSV."""
        return tabulate(self.title, self.rows).to_csv()

    def save(self, folder: Path) -> str:
        """Write ``NAME.svg``, ``NAME.png`` and ``NAME.csv``, and return the SVG for a page."""
        import matplotlib as mpl
        from matplotlib.figure import Figure as Sheet

        marks, svg, pixels = Marks(), io.StringIO(), io.BytesIO()
        # A salt for each figure: ids are unique in a page with several figures.
        with mpl.rc_context({**SETTINGS, "svg.hashsalt": self.name}), warnings.catch_warnings():
            # Characters that the font lacks are boxes in the PNG; the SVG keeps them.
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
            sheet = Sheet(figsize=self.size, layout="constrained")
            self.draw(sheet, marks)
            _write_powers(sheet)
            _lay_out(sheet)
            sheet.savefig(svg, format="svg", metadata={"Date": None}, transparent=True)
            sheet.savefig(pixels, format="png", dpi=160, facecolor="white", metadata={"Software": None})
        tree = _cleaned(make_visible(svg.getvalue(), keep="\n\t"), marks, self)
        for ending, content in (("svg", _as_file(tree)), ("png", pixels.getvalue()), ("csv", self.csv)):
            atomic_write(folder / f"{self.name}.{ending}", content)
        return _in_page(tree)


def _lay_out(sheet: Sheet) -> None:
    """Place the panels once, as an SVG's text needs it, for every format.

    While a sheet has a layout engine, Matplotlib draws it twice for each file.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    FigureCanvasSVG(sheet)
    sheet.set_dpi(FigureCanvasSVG.fixed_dpi)
    ConstrainedLayoutEngine(h_pad=0.07).execute(sheet)
    sheet.set_layout_engine(None)


def _write_powers(sheet: Sheet) -> None:
    """Write powers on logarithmic axes as plain text, since formulas are switched off."""
    from matplotlib.ticker import LogFormatterSciNotation

    class Powers(LogFormatterSciNotation):
        def __call__(self, x: float, pos: int | None = None) -> str:
            formula = str(super().__call__(x, pos))
            power = re.fullmatch(r"\$\\mathdefault\{(-?)(?:([\d.]+)\\times)?10\^\{(-?\d+)\}\}\$", formula)
            if power is None:
                return formula
            front = f"{power[2]}×" if power[2] else ""
            return f"{power[1]}{front}10{power[3].translate(RAISED)}"

    for panel in sheet.axes:
        for axis, scale in ((panel.xaxis, panel.get_xscale()), (panel.yaxis, panel.get_yscale())):
            if scale == "log":
                axis.set_major_formatter(Powers())
                axis.set_minor_formatter(Powers(labelOnlyBase=False))


def bare(panel: Axes, *, grid: str = "y") -> Axes:
    """Give a panel a light grid along one axis and no tick marks."""
    panel.grid(axis=grid)  # type: ignore[arg-type]
    panel.tick_params(length=0)
    return panel


def _cleaned(text: str, marks: Marks, figure: Figure) -> ET.Element:
    """Remove what Matplotlib adds, and put variants and tooltips on the marks."""
    ET.register_namespace("", SVG)
    root = ET.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in ("metadata", "style"):
                parent.remove(child)
    used = set(re.findall(r"#([\w-]+)", " ".join(value for node in root.iter() for value in node.attrib.values())))
    for node in root.iter():
        if f"{{{XLINK}}}href" in node.attrib:
            node.set("href", node.attrib.pop(f"{{{XLINK}}}href"))
        name = node.attrib.get("id", "")
        if name in marks.labels:
            variant, tip = marks.labels[name]
            node.set("class", "mark")
            if variant:
                node.set("data-variant", variant)
            if tip:
                node.set("data-tip", tip)
        if name and name not in used:
            del node.attrib["id"]
    for number, (tag, words) in enumerate((("title", figure.title), ("desc", figure.text))):
        node = ET.Element(f"{{{SVG}}}{tag}", {"id": f"{figure.name}-{tag}"})
        node.text = make_visible(words)
        root.insert(number, node)
    root.set("role", "img")
    root.set("aria-labelledby", f"{figure.name}-title {figure.name}-desc")
    return root


def _as_file(root: ET.Element) -> str:
    """Return a standalone SVG on white, whose tooltips are titles that any viewer shows."""
    import copy

    standalone = copy.deepcopy(root)
    for node in list(standalone.iter()):
        tip = node.attrib.pop("data-tip", "")
        if tip:
            title = ET.Element(f"{{{SVG}}}title")
            title.text = tip
            node.insert(0, title)
    standalone.set("style", "background:#ffffff;stroke-linejoin:round;stroke-linecap:butt")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(standalone, encoding="unicode") + "\n"


def _in_page(root: ET.Element) -> str:
    """Return the SVG for a page: its size, colours and font come from the page."""
    for part in ("height", "width"):
        root.attrib.pop(part, None)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
        # Style attributes only: a name may contain text that looks like a colour.
        for key in node.attrib.keys() & {"style", "fill", "stroke"}:
            node.set(key, _with_page_colours(node.attrib[key]))
    return re.sub(r"\n\s*", "\n", ET.tostring(root, encoding="unicode"))


def _with_page_colours(style: str) -> str:
    style = re.sub(r"(font:[^;]*?\d(?:\.\d+)?px) [^;]*", r"\1 var(--sans)", style)
    for name, (light, _) in COLOURS.items():
        style = re.sub(f"{light}\\b", f"var(--{name})", style, flags=re.IGNORECASE)
    return style
