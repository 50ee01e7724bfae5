"""Tables of results for papers, in LaTeX and Markdown."""

from __future__ import annotations

from ..escaping import escape_latex
from .evidence import Evidence, Line
from .study import caption, markdown, title
from .wording import interval, percent

HEADINGS = (
    "variant",
    "params",
    "kFLOPs",
    "trials",
    "macro-F1",
    "accuracy",
    "difference",
    "p (max-statistic)",
    "verdict",
)


def latex(evidence: Evidence) -> str:
    """Return the table in LaTeX; it needs the packages booktabs and graphicx."""
    lines = [
        "% \\usepackage{booktabs}, \\usepackage{graphicx}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{escape_latex(f'{title(evidence.results)}. {caption(evidence.results)}')}}}",
        f"\\label{{tab:{''.join(each for each in evidence.results.name if each.isalnum() or each == '-')}}}",
        "\\resizebox{\\linewidth}{!}{%",
        "\\begin{tabular}{lrrrrrrrl}",
        "\\toprule",
        " & ".join(escape_latex(heading) for heading in HEADINGS) + " \\\\",
        "\\midrule",
    ]
    role = ""
    for line in evidence.lines:
        if role and line.role != role and line.role in ("control", "baseline", "teacher"):
            lines.append("\\midrule")
        role = line.role
        lines.append(" & ".join(escape_latex(cell) for cell in cells(line)) + " \\\\")
    lines += ["\\bottomrule", "\\end{tabular}}", "\\end{table}", ""]
    return "\n".join(lines)


def for_markdown(evidence: Evidence) -> str:
    """Return the table in Markdown; with ``published``, the published tables and their protocol below it."""
    text = markdown(evidence.results)
    if not evidence.published:
        return text
    from .published import PROTOCOL, published_for

    lines = [text, f"Published (Agac & Incel): {PROTOCOL}.", ""]
    for tables in published_for(evidence.results.data):
        lines += [
            f"### {tables.title}, published",
            "",
            "| variant | macro-F1 | accuracy | params | kFLOPs |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row.variant} | {row.f1:.2f} | {row.accuracy:.2f} | {row.params:,} | {row.kflops:,.2f} |"
            for row in tables.rows
        ]
        lines.append("")
    return "\n".join(lines)


def cells(line: Line) -> tuple[str, ...]:
    """Return a row of the table."""
    comparison = line.comparison
    return (
        line.name,
        "–" if line.cost is None else f"{line.cost.params:,}",
        "–" if line.cost is None else f"{line.cost.flops / 1000:,.1f}",
        "" if line.role == "teacher" else str(line.row.trials),
        interval(line.f1),
        percent(line.accuracy),
        "" if comparison is None else interval(comparison.difference, sign="+"),
        "" if comparison is None or comparison.p_adjusted is None else f"{comparison.p_adjusted:.2g}",
        "" if comparison is None else comparison.verdict,
    )
