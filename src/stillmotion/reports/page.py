"""The HTML page of a report: one file that opens offline."""

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
#: Sections in order, with their headings.
SECTIONS = (
    ("compared", "What was compared, and how"),
    ("choice", "Cost and score"),
    ("sources", "The figures of Agac & Incel"),
    ("sizes", "Model sizes"),
    ("teaching", "What is distilled"),
    ("differences", "Differences and tests"),
    ("protocols", "Under another protocol"),
    ("subjects", "Scores by subject and by class"),
    ("confidence", "Calibration"),
    ("learning", "Training"),
    ("attention", "Attention"),
    ("failed", "Failed runs"),
    ("reproduce", "Reproduce"),
)


def page(evidence: Evidence, drawn: Drawn) -> str:
    """Return the whole page.

    Args:
        evidence: data of the report.
        drawn: figures of each section, with their SVG.
    """
    contents = {
        "compared": compared(evidence),
        "choice": joined(_front(evidence), results_table(evidence)),
        "sources": _published(evidence),
        "teaching": _co_trained_teachers(evidence),
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
        "subjects": "No subject has been scored yet.",
        "confidence": "No subject has been scored yet.",
        "learning": "Nothing has been trained yet.",
        "attention": "No network of this study has attention.",
    }
    parts: list[Html] = []
    for name, heading in SECTIONS:
        figures = drawn.get(name, ())
        inside = [contents.get(name, Html("")), _figures(figures) if figures else Html("")]
        if name in empty and not figures:
            inside.append(tag("p", empty[name], class_="quiet"))
        if name == "learning" and figures and not any(figure.name == "trials" for figure, _ in figures):
            inside.append(
                tag("p", "Each variant had one trial per fold, so there is no curve over trials.", class_="quiet")
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
        tag("a", "Skip to the recommendation", href="#answer", class_="skip"),
        tag("header", headline(evidence)),
        tag("main", answer(evidence), _navigation(), _chooser(evidence), *parts),
        tag("div", id="tip", hidden=True, aria_hidden="true"),
        Html(f"<script>{script}</script>"),
    )
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        # The browser refuses to load anything from outside.
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
    text = "The Pareto front of macro-F1 against FLOPs. It ignores uncertainty: a higher score may be due to chance."
    return joined(tag("p", text), items(steps))


def _navigation() -> Html:
    return tag("nav", *(tag("a", heading, href=f"#{name}") for name, heading in SECTIONS), aria_label="Sections")


def _chooser(evidence: Evidence) -> Html:
    """Return a checkbox for each variant and teacher with scores or training curves."""
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
    values: object = tag("p", f"{len(figure.rows):,} rows: see figures/{figure.name}.csv.", class_="quiet")
    if not many:
        values = records(f"Values of: {figure.title}", figure.rows)
    return tag(
        "figure",
        tag("h3", figure.title),
        Html(drawing),
        tag(
            "figcaption",
            tag("p", figure.note, class_="note") if figure.note else "",
            tag("details", tag("summary", "Description"), tag("p", figure.text)),
            tag("details", tag("summary", "Values"), values, class_="values"),
        ),
        id=f"figure-{figure.name}",
        data_variant=variant,
    )


def _published(evidence: Evidence) -> Html:
    if not evidence.published:
        return tag("p", "To add the published results of Agac & Incel: still report … --published.", class_="quiet")
    tables = []
    for published in published_for(evidence.results.data):
        rows = [(row.variant, row.f1, row.accuracy, row.params, row.kflops) for row in published.rows]
        text = f"{published.title}, as published (Agac & Incel)"
        headings = ("variant", "macro-F1 %", "accuracy %", "parameters", "kFLOPs of convolutions")
        cells = [
            (name, f"{f1:.2f}", f"{accuracy:.2f}", params, f"{kflops:,.2f}")
            for name, f1, accuracy, params, kflops in rows
        ]
        keys = [(None, *rest) for _, *rest in rows]
        tables.append(table(text, headings, cells, keys=keys, caption=text))
    note = (
        f"Published results: {PROTOCOL}. Parameters and FLOPs of the variants are computed from the published "
        "changes in percent. Scores under different protocols are not comparable."
    )
    return joined(tag("p", note), tag("details", tag("summary", "Published tables"), *tables))


def _co_trained_teachers(evidence: Evidence) -> Html:
    """Compare co-trained teachers with the same networks trained alone."""
    teachers = evidence.results.partners
    if not teachers:
        return Html("")
    rows, keys = [], []
    for each in teachers:
        cells = (interval(each.score), interval(each.alone), interval(each.change, sign="+"))
        rows.append((each.variant, each.teacher, *cells))
        scores = (each.score, each.alone, each.change)
        keys.append((None, None, *(None if score is None else 100 * score.score for score in scores)))
    text = (
        f"Macro-F1 in percent of teachers that were trained together with their students, on {evidence.subjects}, "
        "compared with the same network trained alone."
    )
    headings = ("variant", "teacher", "co-trained", "alone", "change, points")
    names = [each.variant for each in teachers]
    return joined(
        tag("h3", "Co-trained teachers"),
        tag("p", text),
        table("Co-trained teachers", headings, rows, keys=keys, variants=names),
    )


def _differences(evidence: Evidence) -> Html:
    compared = evidence.compared
    if compared is None or not compared.comparisons:
        return Html("")
    smallest = max((each.flips.smallest for each in compared.comparisons if each.flips), default=None)
    sentences = [f"Endpoint: {compared.endpoint}, as a difference to {compared.against}."]
    if compared.family:
        count = several(len(compared.family), "comparison")
        sentences.append(f"The max-statistic correction of p covers {count}: {', '.join(compared.family)}.")
    if compared.apart:
        sentences.append(f"Baselines are a separate family: {', '.join(compared.apart)}.")
    if smallest is not None:
        sentences.append(f"The smallest p possible with these subjects is {smallest:.2g}.")
    notes = dict.fromkeys([*compared.notes, *(note for each in compared.comparisons for note in each.notes)])
    rows, keys = [], []
    for comparison in compared.comparisons:
        gap = comparison.difference
        values = (
            comparison.flips.p if comparison.flips else None,
            comparison.p_adjusted,
            comparison.folds_t.p if comparison.folds_t else None,
        )
        points = [None if each is None else 100 * each for each in (gap.score, gap.low, gap.high)]
        rows.append(
            (
                comparison.variant,
                *("–" if each is None else f"{each:+.1f}".replace("-", "−") for each in points),
                *("–" if each is None else f"{each:.2g}" for each in values),
                "–" if comparison.effect is None else f"{comparison.effect:+.2f}".replace("-", "−"),
                f"{100 * comparison.gaining:.0f}",
                comparison.verdict,
                "–" if comparison.not_inferior is None else "yes" if comparison.not_inferior else "not shown",
            )
        )
        keys.append((None, *points, *values, comparison.effect, comparison.gaining, None, None))
    margin = f"{100 * compared.comparisons[0].margin:g}"
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
    headings += ("verdict", f"not inferior (margin {margin})")
    names = [each.variant for each in compared.comparisons]
    differences = table("Differences", headings, rows, keys=keys, variants=names)
    return joined(items([*sentences, *notes]), differences, _ranks(compared))


def _ranks(compared: ComparedVariants) -> Html:
    """Return the ranks of the variants with their confidence intervals, best first."""
    if len(compared.ranks) < 2:
        return Html("")
    scores = {each.variant: each.macro_f1 for each in compared.standings}
    rows, keys = [], []
    ordered = sorted(compared.ranks, key=lambda rank: rank.rank)
    for rank in ordered:
        known = rank.low is not None and rank.high is not None
        places = f"{rank.low} to {rank.high}" if known else "–"
        rows.append((rank.variant, f"{rank.rank:g}", places, interval(scores[rank.variant])))
        keys.append((None, rank.rank, rank.low, 100 * scores[rank.variant].score))
    text = "Ranks by score, with the 95 % confidence interval of each variant's rank."
    names = [rank.variant for rank in ordered]
    headings = ("variant", "rank", "95 % interval", "macro-F1 %")
    return joined(tag("h3", "Ranks"), table("Ranks", headings, rows, keys=keys, variants=names, caption=text))
