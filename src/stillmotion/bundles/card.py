"""Write a bundle's model card: activities, signal, cost, scores per subject, provenance, how to open it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..escaping import escape_markdown
from ..networks.cost import Cost
from ..signals import SignalSpec
from .front_matter import write_front_matter

#: Code that opens the bundle; it runs in the bundle's folder with Keras and NumPy alone, window features apart.
OPENING = """\
import json
import keras
import numpy as np

signal = json.load(open("signal.json"))
model = keras.models.load_model("model.keras")
windows = np.zeros((1, signal["window"], len(signal["channels"])), "float32")  # your windows, in the units above
logits = np.asarray(model(windows))
print([signal["classes"][index] for index in logits.argmax(axis=1)])
"""


#: Code that opens the bundle of a feature classifier; it runs in the bundle's folder.
OPENING_OF_CLASSIFIER = """\
import numpy as np
from stillmotion.bundles import Bundle

bundle = Bundle.open(".")
windows = np.zeros((1, bundle.spec.window, len(bundle.spec.channels)))  # your windows, in the units above
logits = bundle.logits(windows, bundle.spec)
print([bundle.spec.classes[index] for index in logits.argmax(axis=1)])
"""

#: What registers the layer of window features; it imports nothing but Keras and NumPy.
LAYER = "import stillmotion.features.feature_layer  # the layer of window features\n"


def write_card(cost: Cost, spec: SignalSpec, scores: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any]) -> str:
    """Return the model card as Markdown, with the front matter of Hugging Face's hub."""
    kinds = {layer.kind for layer in cost.layers}
    described, network = "WindowFeatures" in kinds, "network" in provenance
    opening = OPENING.replace("import keras\n", f"import keras\n{LAYER}") if described else OPENING
    how = f"With Keras and NumPy{'' if described else ' alone'}, on any Keras backend:"
    if not network:
        opening, how = OPENING_OF_CLASSIFIER, "With stillmotion; the arrays in model.npz are plain ones:"
    head = write_front_matter(cost.network, "keras" if network else "stillmotion", scores, provenance)
    return head + "\n".join(
        [
            f"# {escape_markdown(cost.network)}",
            "",
            f"Recognises {len(spec.classes)} activities: {', '.join(map(escape_markdown, spec.classes))}.",
            "",
            "## Signal",
            "",
            f"{spec.rate:g} Hz, windows of {spec.window} samples ({spec.seconds:g} s), one every {spec.hop} samples. "
            "A signal of another rate, channel order or unit does not fit.",
            "",
            *write_table(("channel", "unit"), [(channel.name, channel.unit or "unknown") for channel in spec.channels]),
            "",
            "## Cost per window",
            "",
            *_cost(cost, network=network),
            "",
            "## Scores per subject",
            "",
            *([escape_markdown(str(provenance["estimate"])), ""] if "estimate" in provenance else []),
            *_scores(scores),
            "",
            "## Provenance",
            "",
            *(
                f"- {escape_markdown(f'{key}: {_plain(value)}')}"
                for key, value in provenance.items()
                if key != "estimate"
            ),
            "",
            "## How to open it",
            "",
            how,
            "",
            "```python",
            opening.rstrip(),
            "```",
            "",
        ]
    )


def _cost(cost: Cost, *, network: bool) -> list[str]:
    operations = f"{cost.flops:,} FLOPs ({cost.multiply_adds:,} multiply-adds)"
    stored = f"{cost.weight_bytes:,} bytes of weights" if network else f"{cost.weight_bytes:,} bytes with its tables"
    memory = f"{stored} and at most {cost.activation_bytes:,} bytes of activations at float32"
    if not network:
        return [f"{cost.params:,} stored numbers, {operations}, {memory}."]
    at_int8 = f"{cost.weight_bytes_int8:,} and {cost.activation_bytes_int8:,} at int8"
    return [f"{cost.params:,} parameters, {operations}, {memory} ({at_int8})."]


def _scores(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    if not scores:
        return ["None were given."]
    columns = list(dict.fromkeys(key for row in scores for key in row))
    return write_table(tuple(columns), [tuple(_plain(row.get(column, "")) for column in columns) for row in scores])


def write_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table, escaped."""
    cells = [tuple(map(escape_markdown, row)) for row in (head, *rows)]
    return [f"| {' | '.join(row)} |" for row in (cells[0], ("---",) * len(head), *cells[1:])]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(part)}" for key, part in value.items())
    return str(value)
