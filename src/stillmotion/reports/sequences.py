"""Windows alone and in sequence: scores by delay, and by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..formatting import format_number
from ..studies import Results, SequenceRow
from .table import Column, Table, make_gain, make_interval, make_percent, make_text

CAPTION = (
    "Macro-F1 of the same test subjects, pooled, 95 % interval. Alone: each window by itself. Late: windows of future "
    "that an answer waits for; offline: the whole recording."
)
EVENTS = (
    "Seen: true events with their class predicted within one window of them. Fragmented, merged, deleted: of the true "
    "events; inserted: of the predicted ones. Duration error: minutes given to a wrong class, by class."
)

UNKNOWN = (
    "Rejected: test windows with a class that are answered unknown; macro-F1 of the others. False activations: bouts "
    "of a class an hour, where no activity is labelled; people may well do one of them there."
)

#: Rows of one variant, windows alone first.
Group = Sequence[SequenceRow]


def sequence_tables(results: Results) -> Iterator[Table[Group] | Table[SequenceRow]]:
    """Yield the tables of windows alone and in sequence: scores by delay, halves and events, and the unknown.

    Args:
        results: of a study; none without ``[decoding]`` or before test subjects are evaluated.
    """
    if not results.sequences:
        return
    by_variant: dict[str, list[SequenceRow]] = {}
    for row in results.sequences:
        by_variant.setdefault(row.variant, []).append(row)
    groups = list(by_variant.values())
    decoder = groups[0][-1].decoder
    columns: list[Column[Group]] = [make_text("variant", lambda rows: rows[0].variant)]
    columns += [make_interval(row.delay, _score(at), _heading(row.delay)) for at, row in enumerate(groups[0])]
    yield Table(f"Windows alone and in sequence ({decoder})", columns, groups, CAPTION)
    shared: list[Column[SequenceRow]] = [
        make_text("variant", lambda row: row.variant),
        make_text("delay", lambda row: row.delay),
        make_gain("gain", lambda row: row.gain, "gain, points"),
    ]
    halves = [
        make_percent("basic", lambda row: row.basic, "basic F1, %"),
        make_percent("transitions", lambda row: row.transitions, "transitions F1, %"),
        _share("seen_basic", "seen", "basic seen, %", lambda row: row.events_basic),
        _share("seen_transitions", "seen", "transitions seen, %", lambda row: row.events_transitions),
        _share("inserted_transitions", "inserted", "transitions inserted, %", lambda row: row.events_transitions),
    ]
    events = [
        _share(name, name, f"{name.replace('_', ' ')}, %", lambda row: row.events)
        for name in ("segment_f1", "seen", "fragmented", "merged", "deleted", "inserted", "duration_error")
    ]
    delay = Column[SequenceRow](
        "onset_delay_s", lambda row: row.events["onset_delay_s"], "onset delay, s", format_number
    )
    shown = halves if results.sequences[0].basic is not None else []
    title = "Halves and events" if shown else "Events"
    yield Table(title, [*shared, *shown, *events, delay], results.sequences, EVENTS, lambda row: row.variant)
    if any(row.unknown["rejected"] for row in results.sequences):
        rejections: list[Column[SequenceRow]] = [
            _share("rejected", "rejected", "rejected, %", lambda row: row.unknown),
            make_interval("macro_f1", lambda row: row.macro_f1, "macro-F1 of all, %"),
            _share("macro_f1_accepted", "macro_f1", "of the accepted, %", lambda row: row.unknown),
            _number("activations_of_all", "false activations an hour, nothing rejected"),
            _number("activations", "with rejection"),
            _share("answered", "answered", "answered without a class, %", lambda row: row.unknown),
        ]
        yield Table("Unknown", [*shared[:2], *rejections], results.sequences, UNKNOWN, lambda row: row.variant)


def _heading(delay: str) -> str:
    names = {"alone": "window alone, %", "0": "causal, %", "offline": "offline, %"}
    return names.get(delay, f"{delay} late, %")


def _score(at: int) -> Callable[[Group], object]:
    return lambda rows: rows[at].macro_f1


def _number(name: str, heading: str) -> Column[SequenceRow]:
    return Column[SequenceRow](name, lambda row: row.unknown[name], heading, format_number)


def _share(key: str, name: str, heading: str, part: Callable[[SequenceRow], object]) -> Column[SequenceRow]:
    return make_percent(key, lambda row: part(row).get(name), heading)  # type: ignore[attr-defined]
