"""Sphinx extension: formulas as inline SVG, drawn by matplotlib's mathtext. It needs no network and no LaTeX.

Two kinds of source are drawn:

- TeX in Markdown, ``$…$`` and ``$$…$$``, as far as mathtext knows TeX;
- a ``text`` block that begins with ``L = `` on a page of ``methods/``. It is the first line of the method's docstring;
  it is translated symbol by symbol here, so that page and docstring cannot differ.

A line may end at ``\\allowbreak`` and at ``\\quad``: what stands between two of them is one drawing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from html import escape
from typing import Any

from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from sphinx.application import Sphinx

BREAK = "\\allowbreak "
LINE_ENDS = re.compile(r"\\allowbreak\b|\\q?quad\b")
#: A piece of words, with what closes it, and its parts.
PLAIN = re.compile(r"(?:\\text\{[^}]*\})+[).,]*")
WORDS = re.compile(r"(?<=\\text\{)[^}]*|[).,]+$")
#: Size at which glyphs are drawn; the page scales them by em.
SIZE = 100
#: Glyphs of the formulas' font are smaller than the page's font at the same size.
SCALE = 1.15
FONT = FontProperties(math_fontfamily="stix", size=SIZE)

SYMBOLS = {
    **dict(
        zip(
            "αβγδεμρστ",
            (f"\\{name} " for name in ["alpha", "beta", "gamma", "delta", "epsilon", "mu", "rho", "sigma", "tau"]),
            strict=True,
        )
    ),
    **{"Σ": "\\sum ", "·": "\\cdot ", "−": "-", "≠": "\\neq ", "∝": "\\propto ", "⊙": "\\odot ", "‖": "\\Vert "},
}
RAISED = {"²": "2", "³": "3", "ᵀ": "\\top"}
#: A formula may break before these, and stays together after them.
OPERATORS = ("+", "−", "=", "·", "∝")
FUNCTIONS = ("log", "cos")
LETTERS = "A-Za-zα-ωΑ-Ω"
TOKEN = re.compile(
    rf"(?P<name>[A-Za-z]+(?:['’-][a-z]+)*|[α-ω])(?P<hat>\u0302)?"
    rf"|(?P<script>[_^])(?:\{{(?P<group>[^}}]*)\}}|(?P<bare>[{LETTERS}]+|\d+))"
    rf"|(?P<number>\d+(?:\.\d+)?)|(?P<space> +)|(?P<other>.)"
)


def to_tex(formula: str) -> str:
    """Translate a formula in the notation of docstrings to TeX.

    Args:
        formula: such as ``L = L_stud + w · τ² · KL(p_T ‖ p_S), softened at temperature τ.``

    Returns:
        TeX with words as ``\\text{…}`` and ``\\allowbreak`` where a line may end.
    """
    clauses = [translate(clause, words="=" not in clause and "∝" not in clause) for clause in split_clauses(formula)]
    return f"\\text{{,}}{BREAK}".join(clauses)


def split_clauses(formula: str) -> list[str]:
    """Split at commas outside of brackets."""
    clauses, depth = [""], 0
    for character in formula:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            clauses.append("")
        else:
            clauses[-1] += character
    return [clause.strip() for clause in clauses]


def translate(clause: str, *, words: bool) -> str:
    """Translate one clause; in a clause of ``words`` the letter a is an article."""
    tex, text, after_word = "", decompose(clause), False
    for match in TOKEN.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        word = is_word(match, after, words=words)
        if match["space"]:
            following = TOKEN.match(after)
            breaks = after_word or (following and is_word(following, after[following.end() :], words=words))
            tex += BREAK if breaks else joint(before, after)
            continue
        if word or (after_word and match["other"] in (".", ")")):
            tex += f"\\text{{{match[0]}}}"
        elif name := match["name"]:
            letter = SYMBOLS.get(name, name if len(name) == 1 else f"\\mathrm{{{name}}}")
            tex += f"\\hat{{{letter.strip()}}}" if match["hat"] else letter
        elif match["script"]:
            tex += f"{match['script']}{{{script(match['group'] or match['bare'], bare=bool(match['bare']))}}}"
        elif match[0] in RAISED:
            tex += f"^{{{RAISED[match[0]]}}}"
        elif match[0] == "‖" and before.endswith(" ") and after.startswith(" "):
            tex += "\\parallel "
        else:
            tex += SYMBOLS.get(match[0], match[0])
        after_word = word
    return tex


def decompose(text: str) -> str:
    """Split letters with a hat into letter and hat."""
    return "".join(unicodedata.normalize("NFD", letter) if letter.isalpha() else letter for letter in text)


def is_word(match: re.Match[str], after: str, *, words: bool) -> bool:
    """Tell a word of English from a symbol or the name of a function."""
    name = match["name"]
    if name is None:
        return False
    if len(name) == 1:
        return words and name == "a"
    return not (name.isupper() or name in FUNCTIONS or after[:1] in ("(", "_"))


def script(text: str, *, bare: bool) -> str:
    """Translate what is raised or lowered: words upright, indices such as ij as they are."""
    if bare and len(text) > 1:
        return text if set(text) <= set("ijk") else f"\\mathrm{{{text}}}"
    return translate(text, words=False)


def joint(before: str, after: str) -> str:
    """Space between two symbols: a possible end of the line before an operator."""
    if before.endswith(OPERATORS):
        return "\\ "
    if after.startswith(OPERATORS):
        return BREAK
    return "\\ " if before.endswith("/") or after.startswith("/") else "\\,"


@cache
def draw(tex: str) -> str:
    """Draw TeX without line breaks as one ``<svg>`` that stands on the line of the text around it."""
    tex = re.sub(r"\\frac(\w)(\w)", r"\\frac{\1}{\2}", " ".join(tex.split()))  # mathtext wants the braces
    width, _, depth, *_ = MathTextParser("path").parse(f"${tex}$", dpi=72, prop=FONT)
    outline = TextPath((0, 0), f"${tex}$", prop=FONT)
    box = outline.get_extents()
    left, right = min(0.0, box.x0), max(width, box.x1)
    low, high = min(-depth, box.y0), box.y1
    em = SCALE / SIZE
    return (
        f'<svg class="formula" aria-hidden="true" viewBox="{left:.1f} {-high:.1f} {right - left:.1f} {high - low:.1f}" '
        f'style="width:{(right - left) * em:.3f}em;height:{(high - low) * em:.3f}em;vertical-align:{low * em:.3f}em">'
        f'<path fill="currentColor" d="{path_data(outline)}"/></svg>'
    )


def path_data(outline: Path) -> str:
    """Write an outline as SVG path data, y downwards."""
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
    return "".join(
        letters[code]
        + ("" if code == Path.CLOSEPOLY else " ".join(f"{x:.1f} {-y:.1f}" for x, y in points.reshape(-1, 2)))
        for points, code in outline.iter_segments(simplify=False)
    )


def to_html(tex: str) -> str:
    """Draw TeX piece by piece; pieces that are only words become text of the page."""
    pieces = [piece.strip() for piece in LINE_ENDS.split(tex)]
    html = (
        escape("".join(WORDS.findall(piece))) if PLAIN.fullmatch(piece) else draw(piece) for piece in pieces if piece
    )
    return " ".join(f'<span class="formula-part">{part}</span>' for part in html)


def show(self: Any, node: nodes.Element) -> None:
    """Write a formula into the page."""
    tag, source = ("div" if isinstance(node, nodes.math_block) else "span"), node.astext()
    label = escape(node.get("spoken", source), quote=True)
    self.body.append(f'<{tag} class="math" role="math" aria-label="{label}">{to_html(source)}</{tag}>')
    raise nodes.SkipNode


def translate_losses(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Replace the loss on a method's page by its formula."""
    if not page.startswith("methods/"):
        return
    for block in list(tree.findall(nodes.literal_block)):
        loss = block.astext()
        if loss.startswith("L = "):
            tex = to_tex(loss)
            block.replace_self(nodes.math_block(tex, tex, spoken=loss))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathtext", inline_renderers=(show, None), block_renderers=(show, None))
    app.connect("doctree-resolved", translate_losses)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
