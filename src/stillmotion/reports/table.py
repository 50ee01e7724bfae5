"""Tables: columns over rows, defined once, rendered to the terminal, Markdown, CSV, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..escaping import escape_latex, escape_markdown, write_csv
from ..formatting import MISSING, format_count, format_gain, format_interval, format_number, format_p, format_percent
from ..names import make_visible
from .markup import Html, tag

if TYPE_CHECKING:
    from rich.table import Table as RichTable

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table.

    Args:
        key: name by which a column is chosen, and its heading in CSV.
        heading: shown above it; the key by default.
        value: plain value of a row: text, a number, an ``Interval``, a truth value or None.
        format: text of a value that is not None.
        text: whether values are text: aligned to the left, sorted as text.
        style: style of a row's cell on the terminal.
    """

    key: str
    value: Callable[[Row], Any]
    heading: str = ""
    format: Callable[[Any], str] = str
    text: bool = False
    style: Callable[[Row], str] = lambda row: ""

    def shown(self, row: Row) -> str:
        """Return the text of a row's cell."""
        value = self.value(row)
        return MISSING if value is None else self.format(value)

    def plain(self, row: Row) -> dict[str, Any]:
        """Return the values of a row's cell for programs; an interval has its ends beside its score."""
        value = self.value(row)
        if self.format not in (format_interval, format_gain):
            return {self.key: value}
        score, low, high = (None, None, None) if value is None else (value.score, value.low, value.high)
        return {self.key: score, f"{self.key}_low": low, f"{self.key}_high": high}


def make_text(key: str, value: Callable[[Row], Any], heading: str = "", **options: Any) -> Column[Row]:
    """Make a column of texts."""
    return Column(key, value, heading or key, text=True, **options)


def make_percent(key: str, value: Callable[[Row], Any], heading: str) -> Column[Row]:
    """Make a column of shares in percent."""
    return Column(key, value, heading, format_percent)


def make_interval(key: str, value: Callable[[Row], Any], heading: str) -> Column[Row]:
    """Make a column of shares in percent with their intervals."""
    return Column(key, value, heading, format_interval)


def make_gain(key: str, value: Callable[[Row], Any], heading: str) -> Column[Row]:
    """Make a column of differences in points with their intervals."""
    return Column(key, value, heading, format_gain)


def make_p(key: str, value: Callable[[Row], Any], heading: str) -> Column[Row]:
    """Make a column of p-values."""
    return Column(key, value, heading, format_p)


def make_count(key: str, value: Callable[[Row], Any], heading: str = "") -> Column[Row]:
    """Make a column of counts."""
    return Column(key, value, heading or key, format_count)


@dataclass(frozen=True)
class Table(Generic[Row]):
    """Columns over rows.

    Args:
        title: what it shows.
        columns: the first names the row.
        rows: anything that the columns read.
        caption: explanation below it.
        group: rows of different groups are separated.

    Example:
        >>> from stillmotion.evaluation import Interval
        >>> from stillmotion.reports import Column, Table
        >>> from stillmotion.formatting import format_gain
        >>> gain = Column("gain", lambda row: row, "gain, points", format_gain)
        >>> table = Table("Gains", [gain], [Interval(-0.012, -0.034, 0.01, 9, 0.95)])
        >>> table.cells()
        [['−1.2 [−3.4, +1.0]']]
        >>> print(table.to_csv())
        gain,gain_low,gain_high
        -0.012,-0.034,0.01
        <BLANKLINE>
    """

    title: str
    columns: Sequence[Column[Row]]
    rows: Sequence[Row]
    caption: str = ""
    group: Callable[[Row], object] = lambda row: None

    def select(self, *keys: str) -> Table[Row]:
        """Return the table with the columns of these keys, in this order."""
        by_key = {column.key: column for column in self.columns}
        return replace(self, columns=[by_key[key] for key in keys])

    def cells(self) -> list[list[str]]:
        """Return the text of every cell, by row."""
        return [[column.shown(row) for column in self.columns] for row in self.rows]

    def to_terminal(self) -> RichTable:
        """Return a table for the terminal."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=self.title or None, caption=self.caption or None, caption_justify="left")
        for column in self.columns:
            table.add_column(column.heading, justify="left" if column.text else "right", overflow="fold")
        for number, (row, cells) in enumerate(zip(self.rows, self.cells(), strict=True)):
            if self._starts_group(number):
                table.add_section()
            texts = zip(self.columns, cells, strict=True)
            table.add_row(*(Text(make_visible(cell, keep="\n"), column.style(row)) for column, cell in texts))
        return table

    def to_markdown(self) -> str:
        """Return the table in Markdown, without title and caption."""
        lines = [[escape_markdown(column.heading) for column in self.columns]]
        lines += [["---" if column.text else "--:" for column in self.columns]]
        for cells in self.cells():
            pairs = zip(self.columns, cells, strict=True)
            lines.append([escape_markdown(cell) if column.text else cell for column, cell in pairs])
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

    def records(self) -> list[dict[str, Any]]:
        """Return the plain values of each row by the keys of the columns."""
        return [
            {key: value for column in self.columns for key, value in column.plain(row).items()} for row in self.rows
        ]

    def to_csv(self) -> str:
        """Return the plain values as CSV."""
        rows = self.records()
        return write_csv(list(rows[0]) if rows else [], [list(row.values()) for row in rows])

    def to_latex(self, label: str) -> str:
        """Return the table in LaTeX, which needs the packages booktabs and graphicx."""
        text = f"{self.title}. {self.caption}" if self.caption else self.title
        lines = [
            "% \\usepackage{booktabs}, \\usepackage{graphicx}",
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{escape_latex(text)}}}",
            f"\\label{{tab:{''.join(each for each in label if each.isalnum() or each == '-')}}}",
            "\\resizebox{\\linewidth}{!}{%",
            f"\\begin{{tabular}}{{{''.join('l' if column.text else 'r' for column in self.columns)}}}",
            "\\toprule",
            " & ".join(escape_latex(column.heading) for column in self.columns) + " \\\\",
            "\\midrule",
        ]
        for number, cells in enumerate(self.cells()):
            lines += ["\\midrule"] if self._starts_group(number) else []
            lines.append(" & ".join(map(escape_latex, cells)) + " \\\\")
        return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""])

    def to_html(self) -> Html:
        """Return a sortable table; the rows of a column ``variant`` can be hidden."""
        head = tag("tr", *(tag("th", tag("button", each.heading, type="button"), scope="col") for each in self.columns))
        hidden = next((column for column in self.columns if column.key == "variant"), None)
        body = []
        for row in self.rows:
            cells = [_html_cell(column, row, first=column is self.columns[0]) for column in self.columns]
            body.append(tag("tr", *cells, data_variant=hidden.shown(row) if hidden else None))
        inner = tag(
            "table",
            tag("caption", self.caption) if self.caption else "",
            tag("thead", head),
            tag("tbody", *body),
        )
        return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=self.title)

    def _starts_group(self, number: int) -> bool:
        return number > 0 and self.group(self.rows[number]) != self.group(self.rows[number - 1])


def tabulate(title: str, rows: Sequence[Mapping[str, Any]]) -> Table[Mapping[str, Any]]:
    """Return a table of rows with named values, a column for each name.

    Args:
        title: what it shows.
        rows: values by name.

    Returns:
        The table; values are shown by their type.

    Example:
        >>> from stillmotion.reports import tabulate
        >>> print(tabulate("Windows", [{"subject": "ann", "windows": 1200}]).to_markdown())
        | subject | windows |
        | --- | --: |
        | ann | 1,200 |
        <BLANKLINE>
    """
    columns = []
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(key) for row in rows]
        text = not all(value is None or isinstance(value, int | float) for value in values)
        columns.append(Column(key, _getter(key), key.replace("_", " "), _format_value, text))
    return Table(title, columns, rows)


def _html_cell(column: Column[Row], row: Row, *, first: bool) -> Html:
    value = None if column.text else column.value(row)
    key = getattr(value, "score", value)
    return tag(
        "th" if first else "td",
        column.shown(row),
        scope="row" if first else None,
        class_=None if column.text else "number",
        data_key=None if key is None else str(key),
    )


def _getter(key: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: row.get(key)


def _format_value(value: Any) -> str:
    """Format a value whose meaning is unknown."""
    if isinstance(value, float):
        return format_number(value, ",.0f" if abs(value) >= 10_000 else ".4g")
    return format_number(value, ",") if isinstance(value, int) and not isinstance(value, bool) else str(value)
