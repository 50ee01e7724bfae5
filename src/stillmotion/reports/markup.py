"""Build HTML with function calls; all other text is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from ..escaping import escape_html

#: Elements without an end tag.
VOID = ("meta", "input", "br", "hr")


class Html(str):
    """Text that is already HTML and is not escaped."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: str | bool | int | None) -> Html:
    """Return an element. ``class_`` is class, ``data_variant`` is data-variant; None and False omit it."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        parts.append(word if value is True else f'{word}="{escape_html(str(value))}"')
    if name in VOID:
        return Html(f"<{' '.join(parts)}>")
    return Html(f"<{' '.join(parts)}>{joined(*children)}</{name}>")


def joined(*children: object) -> Html:
    """Concatenate elements and texts."""
    return Html("".join(str(each) if isinstance(each, Html) else escape_html(str(each)) for each in children if each))


def items(texts: Sequence[str | Html]) -> Html:
    """Return a list."""
    return tag("ul", *(tag("li", text) for text in texts)) if texts else Html("")
