"""Compared variants: scores, differences and their explanation, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..evaluation import ComparedVariants, Comparison, Rank, VariantScore
from ..formatting import format_number, format_several
from .results import style_verdict
from .screen import console, styled
from .table import Column, Table, make_count, make_gain, make_interval, make_p, make_percent, make_text

#: Shares of bouts in the table of events.
BOUTS = ("seen", "fragmented", "merged", "deleted", "inserted", "duration_error")


def scores_table(compared: ComparedVariants, calibration: Mapping[str, float | None]) -> Table[VariantScore]:
    """Return the scores and ranks of variants.

    Args:
        compared: result of ``compare_variants``.
        calibration: expected calibration error of each variant, None where it is unknown.
    """
    ranks = {rank.variant: rank for rank in compared.ranks}
    columns: list[Column[VariantScore]] = [
        make_text("variant", lambda each: each.variant),
        Column("rank", lambda each: getattr(ranks.get(each.variant), "rank", None), "rank", "{:g}".format),
        make_text("rank_interval", lambda each: _rank_interval(ranks.get(each.variant)), "95 % interval of the rank"),
        make_interval("macro_f1", lambda each: each.macro_f1, "macro-F1, %"),
        make_percent("weighted_f1", lambda each: each.weighted_f1, "weighted F1, %"),
        make_percent("accuracy", lambda each: each.accuracy, "accuracy, %"),
        make_percent("balanced_accuracy", lambda each: each.balanced_accuracy, "balanced, %"),
        Column("kappa", lambda each: each.kappa, "kappa", lambda value: format_number(value, ".3f")),
        make_percent("ece", lambda each: calibration.get(each.variant), "ECE, %"),
        make_count("subjects", lambda each: each.subjects),
        make_count("seeds", lambda each: each.seeds),
    ]
    return Table("Scores, pooled over subjects, averaged over seeds", columns, compared.standings)


def differences_table(compared: ComparedVariants) -> Table[Comparison]:
    """Return the differences to the reference with tests and verdicts."""
    columns: list[Column[Comparison]] = [
        make_text("variant", lambda each: each.variant),
        make_gain("difference", lambda each: each.difference, "difference, points"),
        make_p("p", lambda each: each.flips.p if each.flips else None, "p subjects"),
        make_p("p_adjusted", lambda each: each.p_adjusted, "p adjusted"),
        make_p("p_folds", lambda each: each.folds_t.p if each.folds_t else None, "p folds"),
        Column("effect", lambda each: each.effect, "effect", lambda value: format_number(value, "+.2f")),
        make_percent("gaining", lambda each: each.gaining, "subjects gaining, %"),
        make_text("verdict", lambda each: each.verdict, style=style_verdict),
        make_text("not_inferior", lambda each: each.not_inferior, "not inferior", format=_format_not_inferior),
    ]
    return Table(f"Macro-F1 against {compared.against}", columns, compared.comparisons)


def events_table(events: Mapping[str, Mapping[str, float | None]]) -> Table[tuple[str, Mapping[str, float | None]]]:
    """Return the event scores of variants whose windows have a time."""

    def decimal(key: str, heading: str) -> Column[tuple[str, Mapping[str, float | None]]]:
        return Column(key, lambda row: row[1][key], heading, format_number)

    columns: list[Column[tuple[str, Mapping[str, float | None]]]] = [
        make_text("variant", lambda row: row[0]),
        make_percent("segment_f1", lambda row: row[1]["segment_f1"], "segment F1, %"),
        decimal("onset_delay_s", "onset delay, s"),
        make_percent("missed", lambda row: row[1]["missed"], "missed, %"),
        decimal("false_transitions_per_hour", "false changes an hour"),
        *(make_percent(name, _event(name), f"{name.replace('_', ' ')}, %") for name in BOUTS),
        decimal("hours", "hours"),
    ]
    return Table("Event scores (matched by an overlap of one half)", columns, list(events.items()))


def _event(name: str) -> Callable[[tuple[str, Mapping[str, float | None]]], float | None]:
    return lambda row: row[1].get(name)


def explain_differences(compared: ComparedVariants) -> list[str]:
    """Explain the table of differences, a sentence each."""
    sentences = [f"Endpoint: {compared.endpoint}, as a difference to {compared.against}."]
    if compared.family:
        names = f"{format_several(len(compared.family), 'comparison')} with {compared.against}"
        sentences.append(f"Max-statistic correction over {names} ({', '.join(compared.family)}).")
    if compared.apart:
        sentences.append(f"Baselines are a separate family: {', '.join(compared.apart)}.")
    sentences.append(f"Non-inferiority margin: {100 * compared.comparisons[0].margin:g} points.")
    smallest = max((each.flips.smallest for each in compared.comparisons if each.flips), default=None)
    if smallest is not None:
        sentences.append(f"Smallest p possible with these subjects: {smallest:.2g}.")
    return sentences


def show_compared(compared: ComparedVariants, calibration: Mapping[str, float | None]) -> None:
    """Print scores, then differences with verdicts, then notes; see ``scores_table``."""
    out = console()
    out.print(scores_table(compared, calibration).to_terminal())
    if compared.comparisons:
        out.print(differences_table(compared).to_terminal())
        for sentence in explain_differences(compared):
            out.print(sentence, highlight=False)
    else:
        out.print("Only one variant: nothing to compare.")
    for name, note in list_notes(compared):
        out.print(styled("yellow", name, f" {note}"))


def show_events(events: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print event scores, if there are any."""
    if events:
        console().print(events_table(events).to_terminal())


def list_notes(compared: ComparedVariants) -> list[tuple[str, str]]:
    """Return every note once, with the variants that it is about."""
    about: dict[str, list[str]] = {}
    scored: tuple[VariantScore | Comparison, ...] = compared.comparisons or compared.standings
    for each in scored:
        for note in each.notes:
            about.setdefault(note, []).append(each.variant)
    named = [
        ("All:" if len(names) == len(scored) > 1 else f"{', '.join(names)}:", note) for note, names in about.items()
    ]
    return [*named, *(("All:", note) for note in compared.notes)]


def _rank_interval(rank: Rank | None) -> str | None:
    return None if rank is None or rank.low is None else f"{rank.low} to {rank.high}"


def _format_not_inferior(value: bool) -> str:
    return "yes" if value else "not shown"
