"""What was measured of the exported forms of a bundle's model, kept in the bundle and in its card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..escaping import escape_markdown
from ..files import atomic_folder
from .bundle import Bundle
from .card import write_table
from .contents import CARD, EVIDENCE, MANIFEST, parse_json, read_verified, sha256_of, to_json

#: Heading of the card's section, and of that which it stands before.
HEADING, NEXT = "## Forms for devices", "## Provenance"
#: What rounding may cost before the card says so: agreement with the model, points of macro-F1.
LEAST_AGREEMENT, MOST_POINTS = 0.98, 0.5


def read_evidence(bundle: Bundle) -> dict[str, Any]:
    """Return what a bundle keeps of its exported forms.

    Args:
        bundle: the bundle.

    Returns:
        What ``add_evidence`` was given; empty where nothing was measured.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle, read_evidence
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> read_evidence(Bundle.save("watch", build_network("mlp-small", spec), spec))
        {}
    """
    file = bundle.path / EVIDENCE
    if not file.is_file():
        return {}
    evidence = parse_json(file, file.read_bytes())
    return evidence if isinstance(evidence, dict) else {}


def add_evidence(bundle: Bundle, evidence: Mapping[str, Any]) -> Bundle:
    """Keep what was measured of exported forms in a bundle: ``evidence.json``, a table in the card, the manifest.

    Scores on test windows are not replaced by agreement on calibration windows, nor is what was measured on other
    emulated machines or of other forms.

    Args:
        bundle: the bundle, which is replaced as a whole.
        evidence: ``about``, ``scope``, ``scored`` (whether the windows are of test subjects) and ``forms``, rows of
            ``compare_forms``; ``latency``, ``machine`` and ``how`` of their times; and ``machines``, by form, what was
            measured on emulated ones.

    Returns:
        The bundle, opened again.

    Raises:
        UserError: the bundle has changed since it was opened, or cannot be written.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle, add_evidence
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> bundle = Bundle.save("watch", build_network("mlp-small", spec), spec)
        >>> row = {"form": "c-int8", "windows": 30, "agreement": 1.0, "bytes": 5120, "equal": 30}
        >>> bundle = add_evidence(bundle, {"about": "30 windows", "scope": "", "scored": True, "forms": [row]})
        >>> "30 of 30" in (bundle.path / "README.md").read_text()
        True
    """
    kept, given = read_evidence(bundle), dict(evidence)
    given["machines"] = {**kept.get("machines", {}), **given.get("machines", {})}
    if kept.get("scored") and not given.get("scored"):
        given = {**kept, "machines": given["machines"]}
    contents = read_verified(bundle.path)
    contents[EVIDENCE] = to_json(EVIDENCE, given).encode()
    if CARD in contents:
        contents[CARD] = _with_section(contents[CARD].decode("utf-8"), given).encode()
    sums = {name: sha256_of(content) for name, content in sorted(contents.items())}
    with atomic_folder(bundle.path, replace=True) as draft:
        for name, content in contents.items():
            (draft / name).write_bytes(content)
        (draft / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=2) + "\n", encoding="utf-8")
    return Bundle.open(bundle.path)


def _with_section(card: str, evidence: Mapping[str, Any]) -> str:
    """Return a card with the section of forms, in the place of an older one."""
    before, _, after = card.partition(f"{NEXT}\n")
    before = before.partition(f"{HEADING}\n")[0]
    forms: Sequence[Mapping[str, Any]] = evidence["forms"]
    lines = [HEADING, "", escape_markdown(evidence["about"]), "", *write_table(COLUMNS, list(map(_cells, forms)))]
    lines += [f"\n{form['form']}: {escape_markdown(form['note'])}" for form in forms if form.get("note")]
    lines += [f"\n{sentence}" for sentence in map(_explain_loss, forms) if sentence]
    lines += ["", escape_markdown(evidence["scope"]), ""]
    if timed := evidence.get("latency"):
        lines += [escape_markdown(f"{timed['how']} Machine: {timed['machine']}."), ""]
    return f"{before}{chr(10).join(lines)}\n{NEXT}\n{after}"


def _explain_loss(form: Mapping[str, Any]) -> str:
    """Return a sentence on an int8 form to which rounding costs more than it should; nothing for others."""
    agreement, change = form.get("agreement"), form.get("change")
    if not form["form"].endswith("int8") or (
        (agreement is None or agreement >= LEAST_AGREEMENT) and (change is None or change >= -MOST_POINTS)
    ):
        return ""
    scored = "" if change is None else f" and its macro-F1 changes by {change:+.1f} points"
    remedy = 'training with `quantise = "int8"` may win it back, and the float32 form has none'
    return (
        f"{form['form']} gives the model's class on {_percent(agreement) or 'an unknown share'} of the windows{scored} "
        f"(aims: {LEAST_AGREEMENT:.0%}, {MOST_POINTS:g} points). The loss is that of rounding: {remedy}."
    )


COLUMNS = (
    "form",
    "agreement",
    "macro-F1",
    "change, points",
    "worst subject",
    "bytes",
    "memory",
    "latency, µs",
    "equal to the reference",
)


def _cells(form: Mapping[str, Any]) -> tuple[str, ...]:
    worst, change = form.get("worst"), form.get("change")
    lost = ""
    if worst is not None:
        own = worst.get("change")
        lost = f"{worst['subject']}: {_percent(worst['agreement'])}" + ("" if own is None else f", {own:+.1f} points")
    equal, latency = form.get("equal"), form.get("latency")
    sizes = ("" if form.get(name) is None else f"{form[name]:,}" for name in ("bytes", "memory"))
    times = ""
    if latency is not None:
        p50, p99 = latency["p50_microseconds"], latency["p99_microseconds"]
        times = f"p50 {p50:,.1f}, p99 {p99:,.1f}; {latency['windows']:,} windows"
    return (
        form["form"],
        _percent(form.get("agreement")),
        _percent(form.get("macro_f1")),
        "" if change is None else f"{change:+.1f}",
        lost,
        *sizes,
        times,
        "" if equal is None else f"{equal:,} of {form['windows']:,} windows",
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
