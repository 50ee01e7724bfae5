"""Build HTML with function calls; all other text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def table(
    name: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    keys: Sequence[Sequence[object]] = (),
    variants: Sequence[str] = (),
    caption: str = "",
) -> Html:
    """Return a table whose columns can be sorted.

    Args:
        name: description for screen readers.
        headings: of the columns.
        rows: cells; numbers are aligned to the right.
        keys: sort keys in the same shape; the cell itself where a key is None or left out.
        variants: variant of each row, if it can be hidden.
        caption: above it.
    """
    numeric = [
        all(
            isinstance(_key(keys, r, c, row[c]), int | float) or row[c] in ("", "–", None) for r, row in enumerate(rows)
        )
        for c in range(len(headings))
    ]
    head = tag("tr", *(tag("th", tag("button", text, type="button"), scope="col") for text in headings))
    body = []
    for r, row in enumerate(rows):
        cells = []
        for c, cell in enumerate(row):
            key = _key(keys, r, c, cell)
            kind = "th" if c == 0 else "td"
            cells.append(
                tag(
                    kind,
                    cell if isinstance(cell, Html) else _shown(cell),
                    scope="row" if c == 0 else None,
                    class_="number" if numeric[c] else None,
                    data_key=None if key is None else str(key),
                )
            )
        body.append(tag("tr", *cells, data_variant=variants[r] if variants else None))
    inner = tag("table", tag("caption", caption) if caption else "", tag("thead", head), tag("tbody", *body))
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=name)


def records(name: str, rows: Sequence[Mapping[str, object]]) -> Html:
    """Return a table of rows with the same keys."""
    headings = list(dict.fromkeys(key for row in rows for key in row))
    variants = [str(row.get("variant", "")) for row in rows]
    cells = [[row.get(heading) for heading in headings] for row in rows]
    shown = [heading.replace("_", " ") for heading in headings]
    return table(name, shown, cells, variants=variants if any(variants) else ())


def _key(keys: Sequence[Sequence[object]], r: int, c: int, cell: object) -> object:
    given = keys[r][c] if keys else None
    return cell if given is None and isinstance(cell, int | float) else given


def _shown(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
