"""The HTML page of a report: one file that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from . import figures
from .advice import advise, describe_front
from .answers import answer, compared, headline
from .compared import differences_table, explain_differences, list_notes, scores_table
from .evidence import Evidence
from .figure import Figure
from .markup import Html, items, joined, tag
from .origins import failed, reproduce
from .palette import COLOURS, colours, style_sheet
from .protocols import explain_protocols, protocols_table
from .published import PROTOCOL, published_for, published_table
from .results import co_trained_tables, refit_tables
from .sequences import sequence_tables
from .table import tabulate

Drawn = Mapping[str, Sequence[tuple[Figure, str]]]


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        name: id on the page.
        title: heading.
        figures: functions that draw its figures.
        body: content above the figures.
        when_empty: shown if there is no figure.
    """

    name: str
    title: str
    figures: tuple[Callable[[Evidence], list[Figure]], ...] = ()
    body: Callable[[Evidence], Html] = lambda evidence: Html("")
    when_empty: str = ""

    def to_html(self, evidence: Evidence, drawn: Sequence[tuple[Figure, str]]) -> Html:
        """Return the section with its figures and their SVG."""
        drawings = tag("div", *(_figure(figure, drawing) for figure, drawing in drawn), class_="figures")
        shown = drawings if drawn else tag("p", self.when_empty, class_="quiet") if self.when_empty else ""
        heading = tag("h2", self.title, id=f"{self.name}-heading")
        return tag("section", heading, self.body(evidence), shown, id=self.name, aria_labelledby=f"{self.name}-heading")


def page(evidence: Evidence, drawn: Drawn) -> str:
    """Return the whole page.

    Args:
        evidence: data of the report.
        drawn: figures of each section, with their SVG.
    """
    parts = [section.to_html(evidence, drawn.get(section.name, ())) for section in SECTIONS]
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


def _choice(evidence: Evidence) -> Html:
    """Return the Pareto front and the table of results."""
    text = "The Pareto front of macro-F1 against FLOPs. It ignores uncertainty: a higher score may be due to chance."
    steps = describe_front(evidence)
    caption = f"Macro-F1 of {evidence.subjects}, pooled over subjects, mean over seeds, 95 % interval. Headings sort."
    table = replace(evidence.table, title="Results", caption=caption).to_html()
    return joined(tag("p", text) if steps else "", items(steps), table)


def _navigation() -> Html:
    return tag("nav", *(tag("a", each.title, href=f"#{each.name}") for each in SECTIONS), aria_label="Sections")


def _chooser(evidence: Evidence) -> Html:
    """Return a checkbox for each variant and teacher with scores or training curves."""
    there = set(evidence.histories) | {row.variant for row in evidence.scored}
    shades = colours(evidence.rows)
    names = {light: name for name, (light, _) in COLOURS.items()}
    boxes = [
        tag(
            "label",
            tag("input", type="checkbox", value=row.variant, checked=True, autocomplete="off"),
            tag("span", class_="swatch", style=f"background:var(--{names[shades[row.variant]]})"),
            row.variant,
        )
        for row in evidence.rows
        if row.variant in there
    ]
    return tag("fieldset", tag("legend", "Show"), *boxes) if len(boxes) > 1 else Html("")


def _figure(figure: Figure, drawing: str) -> Html:
    variant = figure.name.removeprefix("diagram-") if figure.name.startswith("diagram-") else None
    many = len(figure.rows) > 400
    values: object = tag("p", f"{len(figure.rows):,} rows: see figures/{figure.name}.csv.", class_="quiet")
    if not many:
        values = tabulate(f"Values of: {figure.title}", figure.rows).to_html()
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
    tables = [published_table(each).to_html() for each in published_for(evidence.results.data)]
    note = (
        f"Published results: {PROTOCOL}. Parameters and FLOPs of the variants are computed from the published "
        "changes in percent. Scores under different protocols are not comparable."
    )
    return joined(tag("p", note), tag("details", tag("summary", "Published tables"), *tables))


def _refits(evidence: Evidence) -> Html:
    """Compare refits on training and validation subjects with the reported runs."""
    text = (
        f"Macro-F1 on {evidence.subjects} after a refit: once selection is over, the validation subjects are trained "
        "on too. Recommendations and figures are of the runs before."
    )
    tables = [each.to_html() for each in refit_tables(evidence.results)]
    return joined(tag("p", text), *tables) if tables else Html("")


def _co_trained_teachers(evidence: Evidence) -> Html:
    """Compare co-trained teachers with the same networks trained alone."""
    tables = list(co_trained_tables(evidence.results))
    text = (
        f"Macro-F1 of teachers that were trained together with their students, on {evidence.subjects}, compared with "
        "the same network trained alone."
    )
    shown = joined(*(joined(tag("h3", each.title), each.to_html()) for each in tables))
    return joined(tag("p", text), shown) if tables else Html("")


def _differences(evidence: Evidence) -> Html:
    compared = evidence.compared
    if compared is None or not compared.comparisons:
        return _refits(evidence)
    notes = [f"{names} {note}" for names, note in list_notes(compared)]
    sentences = items([*explain_differences(compared), *notes])
    table = replace(differences_table(compared), title="Differences").to_html()
    return joined(sentences, table, _ranks(evidence), _refits(evidence))


def _ranks(evidence: Evidence) -> Html:
    """Return the ranks of the variants with their confidence intervals, best first."""
    compared = evidence.compared
    if compared is None or len(compared.ranks) < 2:
        return Html("")
    ranks = {each.variant: each.rank for each in compared.ranks}
    scores = scores_table(compared, {row.variant: row.ece for row in evidence.rows})
    ordered = sorted(compared.standings, key=lambda each: ranks.get(each.variant, len(ranks)))
    return joined(tag("h3", "Ranks"), replace(scores, title="Ranks", rows=ordered).to_html())


def _protocols(evidence: Evidence) -> Html:
    """Return the table with notes, or how to request it."""
    if evidence.beside is None:
        text = "To compare with the same study under another protocol: still report … --beside OTHER."
        return tag("p", text, class_="quiet")
    return joined(items(explain_protocols(evidence.beside)), protocols_table(evidence.beside).to_html())


def _sequences(evidence: Evidence) -> Html:
    """Return the tables of windows alone and in sequence, or how to request them."""
    tables = list(sequence_tables(evidence.results))
    if not tables:
        text = "Windows were answered alone; [decoding] in the specification decodes windows in a row."
        return tag("p", text, class_="quiet")
    return joined(*(joined(tag("h3", each.title), each.to_html()) for each in tables))


def _training(evidence: Evidence) -> Html:
    if not evidence.histories or any(row.trials > 1 for row in evidence.rows):
        return Html("")
    return tag("p", "Each variant had one trial per fold, so there is no curve over trials.", class_="quiet")


#: Sections in order.
SECTIONS = (
    Section("compared", "What was compared, and how", body=compared),
    Section("choice", "Cost and score", (figures.pareto,), _choice),
    Section(
        "sources",
        "The figures of Agac & Incel",
        (figures.baselines, figures.changes, figures.overhead, figures.bubbles),
        _published,
        "Nothing has a score yet.",
    ),
    Section("sizes", "Model sizes", (figures.sizes,), when_empty="Nothing has been trained yet."),
    Section(
        "teaching",
        "What is distilled",
        (figures.diagrams, figures.ensembles),
        _co_trained_teachers,
        "No variant has been trained yet.",
    ),
    Section(
        "differences",
        "Differences and tests",
        (figures.differences,),
        _differences,
        "There is no other variant to compare.",
    ),
    Section("sequences", "Windows in a row", (figures.bouts,), _sequences),
    Section("protocols", "Under another protocol", (figures.protocols,), _protocols),
    Section(
        "subjects",
        "Scores by subject and by class",
        (figures.subjects, figures.classes, figures.confusion),
        when_empty="No subject has been scored yet.",
    ),
    Section("confidence", "Calibration", (figures.reliability,), when_empty="No subject has been scored yet."),
    Section("learning", "Training", (figures.curves, figures.trials), _training, "Nothing has been trained yet."),
    Section("attention", "Attention", (figures.attention,), when_empty="No network of this study has attention."),
    Section("failed", "Failed runs", body=failed),
    Section("reproduce", "Reproduce", body=reproduce),
)
