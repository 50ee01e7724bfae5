"""A figure: drawn once, kept as SVG and PNG with its numbers, and put into a page.

In a page it takes the page's colours (light or dark), its marks carry their values (shown on hover), and those of a
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

from ..escaping import write_csv
from ..files import atomic_write
from ..names import make_visible
from .palette import COLOURS, INK, QUIET, RULE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
Value = str | int | float | None
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: What Matplotlib draws with: text stays text (two dollars make no formula), and names of parts come out the same
#: every time.
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
    """Which parts of a drawing stand for what."""

    said: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __call__(self, artist: Artist, variant: str, tip: str = "") -> None:
        """Say whose an artist is, and what to show when it is pointed at."""
        name = f"mark-{len(self.said)}"
        artist.set_gid(name)
        self.said[name] = (make_visible(variant), make_visible(tip))


Draw = Callable[["Sheet", Marks], None]


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure with its numbers and its words.

    Args:
        name: of its files, lower-case with hyphens.
        title: what it shows, a line.
        text: what one sees in it, for those who do not.
        rows: its numbers, the same keys in each.
        draw: draws it on an empty sheet.
        size: in inches; about 5 wide, so that it can be read on a phone.
        note: below it.
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
        """Its numbers."""
        headings = list(dict.fromkeys(key for row in self.rows for key in row))
        return write_csv(headings, [[row.get(heading) for heading in headings] for row in self.rows])

    def save(self, folder: Path) -> str:
        """Write ``NAME.svg``, ``NAME.png`` and ``NAME.csv``; the drawing for a page is given back."""
        import matplotlib as mpl
        from matplotlib.figure import Figure as Sheet

        marks, drawn, pixels = Marks(), io.StringIO(), io.BytesIO()
        # A salt for each figure: names of parts are unique in a page that holds several.
        with mpl.rc_context({**SETTINGS, "svg.hashsalt": self.name}), warnings.catch_warnings():
            # A script or an emoji that the font lacks is a box in the PNG, and itself in the SVG.
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
            sheet = Sheet(figsize=self.size, layout="constrained")
            self.draw(sheet, marks)
            _write_powers(sheet)
            sheet.set_layout_engine("constrained", h_pad=0.07)
            sheet.savefig(drawn, format="svg", metadata={"Date": None}, transparent=True)
            # The layout of the first drawing holds for the second: it takes half of the time.
            sheet.set_layout_engine("none")
            sheet.savefig(pixels, format="png", dpi=160, facecolor="white", metadata={"Software": None})
        tree = _cleaned(make_visible(drawn.getvalue(), keep="\n\t"), marks, self)
        for ending, content in (("svg", _alone(tree)), ("png", pixels.getvalue()), ("csv", self.csv)):
            atomic_write(folder / f"{self.name}.{ending}", content)
        return _in_page(tree)


def _write_powers(sheet: Sheet) -> None:
    """Write the powers on logarithmic axes as plain text, since nothing in a drawing is a formula."""
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
    """A panel with light rules along one axis and no box."""
    panel.grid(axis=grid)  # type: ignore[arg-type]
    panel.tick_params(length=0)
    return panel


def _cleaned(text: str, marks: Marks, figure: Figure) -> ET.Element:
    """The drawing without what Matplotlib adds; marks know whose they are."""
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
        if name in marks.said:
            variant, tip = marks.said[name]
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


def _alone(root: ET.Element) -> str:
    """A file of its own, on white, whose tips are titles that any viewer shows."""
    import copy

    made = copy.deepcopy(root)
    for node in list(made.iter()):
        tip = node.attrib.pop("data-tip", "")
        if tip:
            title = ET.Element(f"{{{SVG}}}title")
            title.text = tip
            node.insert(0, title)
    made.set("style", "background:#ffffff;stroke-linejoin:round;stroke-linecap:butt")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(made, encoding="unicode") + "\n"


def _in_page(root: ET.Element) -> str:
    """The drawing for a page: sized by it, in its colours and its font."""
    for part in ("height", "width"):
        root.attrib.pop(part, None)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
        # Only how things look: a name may hold what looks like a colour.
        for key in node.attrib.keys() & {"style", "fill", "stroke"}:
            node.set(key, _in_its_colours(node.attrib[key]))
    return re.sub(r"\n\s*", "\n", ET.tostring(root, encoding="unicode"))


def _in_its_colours(style: str) -> str:
    style = re.sub(r"(font:[^;]*?\d(?:\.\d+)?px) [^;]*", r"\1 var(--sans)", style)
    for name, (light, _) in COLOURS.items():
        style = re.sub(f"{light}\\b", f"var(--{name})", style, flags=re.IGNORECASE)
    return style
