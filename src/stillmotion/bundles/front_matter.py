"""The head of a model card that Hugging Face's hub reads: YAML with licence, tags and evaluation results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.intervals import StandardError, make_interval
from ..names import make_visible

#: Scores of a row by the hub's names of metrics, with their titles.
METRICS = {"macro_f1": ("f1", "macro-F1"), "accuracy": ("accuracy", "accuracy")}
TAGS = ("human-activity-recognition", "wearables", "tinyml", "time-series-classification", "stillmotion")
#: Of the confidence interval.
LEVEL = 0.95


def write_front_matter(
    name: str, library: str, scores: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]
) -> str:
    """Return the front matter with its marks.

    Scores are means over the subjects of the bundle, each with Student's interval of a mean over subjects.

    Args:
        name: of the model.
        library: that opens it.
        scores: rows of the bundle, one per subject.
        provenance: where the model comes from; ``license`` is that of the model, by default not known.
    """
    values: dict[str, Any] = {
        "license": str(provenance.get("license", "unknown")),
        "library_name": library,
        "tags": list(TAGS),
    }
    metrics = [metric for key in METRICS if (metric := _metric(key, scores, provenance))]
    if metrics:
        data = provenance.get("data", "")
        title = str(data.get("name", "") if isinstance(data, Mapping) else data) or "recordings of one's own"
        result = {
            "task": {"type": "time-series-classification", "name": "Human activity recognition"},
            "dataset": {"name": title, "type": title},
            "metrics": metrics,
        }
        values["model-index"] = [{"name": name, "results": [result]}]
    return "\n".join(["---", *_block(values, 0), "---", ""])


def _metric(key: str, scores: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a score's mean over subjects, as the hub reads it; None where no subject has it."""
    kept = [float(row[key]) for row in scores if isinstance(row.get(key), int | float)]
    if not kept:
        return None
    kind, title = METRICS[key]
    subjects, mean = len(kept), float(np.mean(kept))
    spread = float(np.std(kept, ddof=1)) / subjects**0.5 if subjects > 1 else 0.0
    error = StandardError(np.array(spread), np.array(max(subjects - 1, 1)))
    interval = make_interval(mean, error, subjects=subjects, level=LEVEL, bounds=(0.0, 1.0))
    ends = None if interval.low is None or interval.high is None else [round(interval.low, 4), round(interval.high, 4)]
    return {
        "type": kind,
        "name": f"{title}, mean over {subjects} subject{'s' * (subjects > 1)}",
        "value": round(mean, 4),
        "args": {"protocol": str(provenance.get("protocol", "unknown")), "level": LEVEL, "confidence_interval": ends},
    }


def _block(value: Any, depth: int) -> list[str]:
    """Return lines of YAML in block style; scalars as JSON, which YAML contains."""
    pad, lines = "  " * depth, []
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, Mapping | list):
                lines += [f"{pad}{key}:", *_block(each, depth + 1)]
            else:
                lines.append(f"{pad}{key}: {_scalar(each)}")
        return lines
    for each in value:
        if isinstance(each, Mapping):
            first, *rest = _block(each, depth + 1)
            lines += [f"{pad}- {first.strip()}", *rest]
        else:
            lines.append(f"{pad}- {_scalar(each)}")
    return lines


def _scalar(value: Any) -> str:
    return json.dumps(make_visible(value) if isinstance(value, str) else value, ensure_ascii=False)
