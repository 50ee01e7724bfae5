"""Findings of an audit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

#: Copies that a search for equal stretches cannot find.
UNSEEN = (
    "Not seen are copies that are shorter than 32 rows, resampled or stretched in time elsewhere, filtered, rotated, "
    "mixed with noise or with another signal, or rounded more coarsely than the sensor's noise."
)


@dataclass(frozen=True)
class Finding:
    """One finding of an audit.

    Args:
        kind: ``samples``, ``subjects``, ``statistic``, ``duplicate``, ``adjacent``, ``random split`` or
            ``same subjects``.
        severity: ``error`` for a leak between splits, ``warning`` for something odd within one, ``note`` for
            information.
        fold: number of the fold, None if it concerns no single fold.
        count: how many windows, subjects, channels or rows; the evidence says which.
        evidence: one sentence with source and rows.
    """

    kind: str
    severity: Severity
    fold: int | None
    count: int
    evidence: str


@dataclass(frozen=True)
class Audit:
    """Result of an audit.

    ``checked`` counts what was checked, ``unseen`` describes copies that cannot be found; ``str(audit)`` is a
    paragraph, ``to_dict`` is ready for JSON.
    """

    dataset: str
    protocol: str
    checked: dict[str, int]
    findings: tuple[Finding, ...]
    unseen: str = ""

    @property
    def clean(self) -> bool:
        """Whether there is no leak between splits."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "clean": self.clean,
            "checked": dict(self.checked),
            "findings": [asdict(finding) for finding in self.findings],
            "unseen": self.unseen,
        }

    def __str__(self) -> str:
        checked = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        verdict = "nothing crosses a split" if self.clean else "NOT CLEAN"
        parts = [f"Audit of {self.dataset} under {self.protocol} ({checked}): {verdict}."]
        for severity in ("error", "warning", "note"):
            by_kind: dict[str, list[Finding]] = {}
            for finding in self.findings:
                if finding.severity == severity:
                    by_kind.setdefault(finding.kind, []).append(finding)
            for kind, same_kind in by_kind.items():
                more = f" (and {len(same_kind) - 1} more of this kind)" if len(same_kind) > 1 else ""
                where = "" if same_kind[0].fold is None else f", fold {same_kind[0].fold}"
                parts.append(f"{severity.capitalize()}, {kind}{where}: {same_kind[0].evidence}{more}")
        return " ".join([*parts, self.unseen]).rstrip()
