"""Generate Markdown pages of the documentation from the code."""

from __future__ import annotations

from ..signals.card import Card


def card_page(card: Card) -> str:
    """Return the page of a data set."""
    spec = card.spec
    lines = [
        f"# `{card.name}`",
        "",
        f"**{card.title}** ({card.authors}, {card.year}).",
        "",
        f"{card.subjects} subjects, {card.placement}.",
        "",
        "| | |",
        "|---|---|",
        f"| Rate | {spec.rate:g} Hz |",
        f"| Channels | {', '.join(_channels(card))} |",
        f"| Classes | {', '.join(f'`{name}`' for name in spec.classes)} |",
        f"| Window | {spec.window} samples ({spec.seconds:g} s), hop {spec.hop}, label: {spec.label_policy} |",
        f"| Protocols | {', '.join(f'`{name}`' for name in card.protocols)} |",
    ]
    if card.official_test:
        lines.append(f"| Official test subjects | {', '.join(card.official_test)} |")
    if card.same_subjects_as:
        lines.append(f"| Same subjects as | {', '.join(f'`{name}`' for name in card.same_subjects_as)} |")
    lines += [
        f"| Licence | {card.licence} |",
        f"| Citation | {card.citation} |",
        f"| Publisher | {card.url} |",
    ]
    if card.layout:
        lines += ["", "## Files", "", f"Below `{card.name}/` in the folder that `--data` names:", ""]
        lines += [f"- `{pattern}`" for pattern in card.layout]
    if card.counts:
        lines += ["", "## Published counts", "", "| what | count |", "|---|---|"]
        lines += [f"| {what} | {count:,} |" for what, count in card.counts.items()]
    if card.quirks:
        lines += ["", "## Known quirks", ""]
        lines += [f"- {quirk}" for quirk in card.quirks]
    return "\n".join(lines) + "\n"


def _channels(card: Card) -> list[str]:
    """List each sensor with its axes and unit."""
    channels_of = []
    for group in card.spec.groups:
        channels = [channel for channel in card.spec.channels if channel.group == group]
        unit = f" ({channels[0].unit})" if channels[0].unit else ""
        channels_of.append(f"`{group}.{''.join(channel.axis for channel in channels)}`{unit}")
    return channels_of
