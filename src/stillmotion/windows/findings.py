"""What an audit says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]

#: Copies that no search for equal stretches can see.
UNSEEN = (
    "Not seen are copies that are shorter than 32 rows, resampled or stretched in time elsewhere, filtered, rotated, "
    "mixed with noise or with another signal, or rounded more coarsely than the sensor trembles."
)


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        kind: ``samples``, ``subjects``, ``statistic``, ``duplicate``, ``adjacent``, ``random split`` or
            ``same subjects``.
        severity: ``error`` where something crosses a split, ``warning`` where something is odd on one side of it,
            ``note`` where a reader should know.
        fold: number of the fold, None where it is not about one.
        count: how many windows, subjects, channels or rows; the evidence says of what.
        evidence: one sentence with source and rows.
    """

    kind: str
    severity: Severity
    fold: int | None
    count: int
    evidence: str


@dataclass(frozen=True)
class Audit:
    """What was looked at and what was found.

    ``checked`` counts what was looked at, ``unseen`` says which copies would not be found; ``str(audit)`` is a
    paragraph, ``to_dict`` is ready for JSON.
    """

    dataset: str
    protocol: str
    checked: dict[str, int]
    findings: tuple[Finding, ...]
    unseen: str = ""

    @property
    def clean(self) -> bool:
        """Whether nothing crosses a split."""
        return not any(finding.severity == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "clean": self.clean,
            "checked": dict(self.checked),
            "findings": [asdict(finding) for finding in self.findings],
            "unseen": self.unseen,
        }

    def __str__(self) -> str:
        looked = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        verdict = "nothing crosses a split" if self.clean else "NOT CLEAN"
        parts = [f"Audit of {self.dataset} under {self.protocol} ({looked}): {verdict}."]
        for severity in ("error", "warning", "note"):
            by_kind: dict[str, list[Finding]] = {}
            for finding in self.findings:
                if finding.severity == severity:
                    by_kind.setdefault(finding.kind, []).append(finding)
            for kind, found in by_kind.items():
                more = f" (and {len(found) - 1} more of this kind)" if len(found) > 1 else ""
                where = "" if found[0].fold is None else f", fold {found[0].fold}"
                parts.append(f"{severity.capitalize()}, {kind}{where}: {found[0].evidence}{more}")
        return " ".join([*parts, self.unseen]).rstrip()
