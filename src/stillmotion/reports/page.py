"""The page: one file that opens anywhere, without asking anything of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files

from ..evaluation import ComparedVariants
from . import protocols
from .advice import advise, describe_front
from .answers import answer, compared, headline, results_table
from .evidence import Evidence
from .figure import Figure
from .markup import Html, items, joined, records, table, tag
from .origins import failed, reproduce
from .palette import COLOURS, colours, style_sheet
from .published import PROTOCOL, published_for
from .wording import interval, several

Drawn = Mapping[str, Sequence[tuple[Figure, str]]]
#: Sections in the order of the questions a reader has.
SECTIONS = (
    ("compared", "What was compared, and how"),
    ("choice", "Which student to take"),
    ("sources", "The sources' four figures"),
    ("sizes", "Model sizes"),
    ("teaching", "Who teaches what"),
    ("differences", "Differences, and how sure they are"),
    ("protocols", "Under another protocol"),
    ("subjects", "For whom, and for which activities"),
    ("confidence", "Whether confidence means what it says"),
    ("learning", "How training went"),
    ("attention", "Where networks attend"),
    ("failed", "What failed"),
    ("reproduce", "How to make it again"),
)


def page(evidence: Evidence, drawn: Drawn) -> str:
    """The whole page.

    Args:
        evidence: what it rests on.
        drawn: figures of each section, with their drawings.
    """
    said = {
        "compared": compared(evidence),
        "choice": joined(_front(evidence), results_table(evidence)),
        "sources": _published(evidence),
        "teaching": _partners(evidence),
        "differences": _differences(evidence),
        "protocols": protocols.section(evidence),
        "failed": failed(evidence),
        "reproduce": reproduce(evidence),
    }
    empty = {
        "sources": "Nothing has a score yet.",
        "sizes": "Nothing has been trained yet.",
        "teaching": "No variant has been trained yet.",
        "differences": "There is no other variant to compare.",
        "subjects": "Nobody has been scored yet.",
        "confidence": "Nobody has been scored yet.",
        "learning": "Nothing has been trained yet.",
        "attention": "No network of this study has attention.",
    }
    parts: list[Html] = []
    for name, heading in SECTIONS:
        figures = drawn.get(name, ())
        inside = [said.get(name, Html("")), _figures(figures) if figures else Html("")]
        if name in empty and not figures:
            inside.append(tag("p", empty[name], class_="quiet"))
        if name == "learning" and figures and not any(figure.name == "trials" for figure, _ in figures):
            inside.append(
                tag("p", "Each variant had a single trial a fold, so there is no curve over trials.", class_="quiet")
            )
        parts.append(
            tag(
                "section", tag("h2", heading, id=f"{name}-heading"), *inside, id=name, aria_labelledby=f"{name}-heading"
            )
        )
    title = f"{evidence.results.name}: {advise(evidence).take}"
    assets = files(__package__) / "assets"
    css, script = ((assets / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = joined(
        tag("a", "To the answer", href="#answer", class_="skip"),
        tag("header", headline(evidence)),
        tag("main", answer(evidence), _navigation(), _chooser(evidence), *parts),
        tag("div", id="tip", hidden=True, aria_hidden="true"),
        Html(f"<script>{script}</script>"),
    )
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        # Nothing may be loaded: were a link to slip in, the browser would refuse it.
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:",
        ),
        Html('<link rel="icon" href="data:,">'),
        Html(f"<style>{style_sheet()}{css}</style>"),
    )
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', body), lang='en')}\n"


def _front(evidence: Evidence) -> Html:
    steps = describe_front(evidence)
    if not steps:
        return Html("")
    text = "The Pareto front by score alone: nothing that costs as little scores higher. A step up may still be chance."
    return joined(tag("p", text), items(steps))


def _navigation() -> Html:
    return tag("nav", *(tag("a", heading, href=f"#{name}") for name, heading in SECTIONS), aria_label="Sections")


def _chooser(evidence: Evidence) -> Html:
    """A box for each variant and teacher that has something to show."""
    there = set(evidence.histories) | {line.name for line in evidence.scored}
    shades = colours(evidence.lines)
    names = {light: name for name, (light, _) in COLOURS.items()}
    boxes = [
        tag(
            "label",
            tag("input", type="checkbox", value=line.name, checked=True, autocomplete="off"),
            tag("span", class_="swatch", style=f"background:var(--{names[shades[line.name]]})"),
            line.name,
        )
        for line in evidence.lines
        if line.name in there
    ]
    return tag("fieldset", tag("legend", "Show"), *boxes) if len(boxes) > 1 else Html("")


def _figures(figures: Sequence[tuple[Figure, str]]) -> Html:
    return tag("div", *(_figure(figure, drawing) for figure, drawing in figures), class_="figures")


def _figure(figure: Figure, drawing: str) -> Html:
    variant = figure.name.removeprefix("diagram-") if figure.name.startswith("diagram-") else None
    many = len(figure.rows) > 400
    hyperparameters: object = tag("p", f"{len(figure.rows):,} rows: see figures/{figure.name}.csv.", class_="quiet")
    if not many:
        hyperparameters = records(f"Numbers of: {figure.title}", figure.rows)
    return tag(
        "figure",
        tag("h3", figure.title),
        Html(drawing),
        tag(
            "figcaption",
            tag("p", figure.note, class_="note") if figure.note else "",
            tag("details", tag("summary", "In words"), tag("p", figure.text)),
            tag("details", tag("summary", "Numbers"), hyperparameters, class_="hyperparameters"),
        ),
        id=f"figure-{figure.name}",
        data_variant=variant,
    )


def _published(evidence: Evidence) -> Html:
    if not evidence.published:
        return tag("p", "The sources' own figures stand beside these with still report … --published.", class_="quiet")
    shown = []
    for one in published_for(evidence.results.data):
        rows = [(row.variant, row.f1, row.accuracy, row.params, row.kflops) for row in one.rows]
        text = f"{one.title}, as published (Agac & Incel)"
        headings = ("variant", "macro-F1 %", "accuracy %", "parameters", "kFLOPs of convolutions")
        cells = [
            (name, f"{f1:.2f}", f"{right:.2f}", params, f"{kflops:,.2f}") for name, f1, right, params, kflops in rows
        ]
        keys = [(None, *rest) for _, *rest in rows]
        shown.append(table(text, headings, cells, keys=keys, caption=text))
    note = (
        f"Published figures: {PROTOCOL}. Variants' parameters and FLOPs are worked out from the published changes in "
        "percent. They answer another question than ours wherever the protocol differs, and do not compare."
    )
    return joined(tag("p", note), tag("details", tag("summary", "Published tables"), *shown))


def _partners(evidence: Evidence) -> Html:
    """What became of teachers that learnt beside their students."""
    partners = evidence.results.partners
    if not partners:
        return Html("")
    rows, keys = [], []
    for one in partners:
        rows.append(
            (one.variant, one.teacher, interval(one.score), interval(one.alone), interval(one.change, sign="+"))
        )
        shown = (one.score, one.alone, one.change)
        keys.append((None, None, *(None if each is None else 100 * each.score for each in shown)))
    said = (
        f"Macro-F1 in percent of teachers that learnt in the same steps as their students, on {evidence.subjects}, "
        "beside the same network trained alone."
    )
    headings = ("variant", "teacher", "beside its students", "alone", "change, points")
    names = [one.variant for one in partners]
    return joined(
        tag("h3", "What became of the teacher"),
        tag("p", said),
        table("Teachers that learnt", headings, rows, keys=keys, variants=names),
    )


def _differences(evidence: Evidence) -> Html:
    found = evidence.compared
    if found is None or not found.comparisons:
        return Html("")
    smallest = max((one.flips.smallest for one in found.comparisons if one.flips), default=None)
    said = [f"Endpoint: {found.endpoint}, as a difference to {found.against}."]
    if found.family:
        count = several(len(found.family), "comparison")
        said.append(f"The max-statistic correction of p covers {count}: {', '.join(found.family)}.")
    if found.apart:
        said.append(f"Baselines are a family of their own: {', '.join(found.apart)}.")
    if smallest is not None:
        said.append(f"The smallest p that these subjects allow is {smallest:.2g}.")
    notes = dict.fromkeys([*found.notes, *(note for one in found.comparisons for note in one.notes)])
    rows, keys = [], []
    for one in found.comparisons:
        gap = one.difference
        values = (one.flips.p if one.flips else None, one.p_adjusted, one.folds_t.p if one.folds_t else None)
        points = [None if each is None else 100 * each for each in (gap.score, gap.low, gap.high)]
        rows.append(
            (
                one.variant,
                *("–" if each is None else f"{each:+.1f}".replace("-", "−") for each in points),
                *("–" if each is None else f"{each:.2g}" for each in values),
                "–" if one.effect is None else f"{one.effect:+.2f}".replace("-", "−"),
                f"{100 * one.gaining:.0f}",
                one.verdict,
                "–" if one.not_inferior is None else "yes" if one.not_inferior else "not shown",
            )
        )
        keys.append((None, *points, *values, one.effect, one.gaining, None, None))
    margin = f"{100 * found.comparisons[0].margin:g}"
    headings: tuple[str, ...] = (
        "variant",
        "points",
        "from",
        "to",
        "p subjects",
        "p adjusted",
        "p folds",
        "effect",
        "subjects gaining %",
    )
    headings += ("verdict", f"not worse by {margin} point")
    made = table("Differences", headings, rows, keys=keys, variants=[one.variant for one in found.comparisons])
    return joined(items([*said, *notes]), made, _places(found))


def _places(found: ComparedVariants) -> Html:
    """Who comes where, best first, and which places each may truly have."""
    if len(found.ranks) < 2:
        return Html("")
    scores = {one.variant: one.macro_f1 for one in found.standings}
    rows, keys = [], []
    ordered = sorted(found.ranks, key=lambda rank: rank.rank)
    for rank in ordered:
        sure = rank.low is not None and rank.high is not None
        places = f"{rank.low} to {rank.high}" if sure else "–"
        rows.append((rank.variant, f"{rank.rank:g}", places, interval(scores[rank.variant])))
        keys.append((None, rank.rank, rank.low, 100 * scores[rank.variant].score))
    text = "Places by score; between which places the true one lies, with 95 % sureness for each variant by itself."
    names = [rank.variant for rank in ordered]
    headings = ("variant", "place", "places it may have", "macro-F1 %")
    return joined(tag("h3", "Places"), table("Places", headings, rows, keys=keys, variants=names, caption=text))
