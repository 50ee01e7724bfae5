"""Attention maps of teachers and students over one real window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...studies.predict import load_model
from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import COLOURS, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

Floats = NDArray[np.float32]
LINES = [COLOURS[f"series-{number}"][0] for number in range(1, 7)]


@dataclass(frozen=True, eq=False)
class Maps:
    """Attention maps of a network for one window by tap: spatial (time, sensors) or over filters (filters,)."""

    name: str
    taps: dict[str, Floats]


def attention(evidence: Evidence) -> list[Figure]:
    """Draw one figure; none if no network has attention."""
    networks = _maps(evidence)
    if not networks:
        return []
    index = evidence.record.index
    window, spec = index.example_values, index.spec  # (T, D)
    channels = [f"{channel.sensor}.{channel.axis}" for channel in spec.channels]
    subject, label = index.subject_names[index.example], spec.classes[int(index.labels[index.example])]
    shades = colours(evidence.rows)
    panels = [(network.name, tap, values) for network in networks for tap, values in network.taps.items()]

    def draw(sheet: Sheet, mark: Marks) -> None:
        heights = [1.5, *(1.2 if values.ndim == 2 else 0.65 for *_, values in panels)]
        top, *others = sheet.subplots(len(panels) + 1, 1, height_ratios=heights)
        bare(top)
        scaled = (window - window.mean(0)) / np.maximum(window.std(0), 1e-6)
        for number, name in enumerate(channels):
            if len(channels) > 12 and number % (len(channels) // 12 + 1):
                continue
            (line,) = top.plot(scaled[:, number], color=LINES[number % len(LINES)], linewidth=1, alpha=0.85)
            mark(line, "", f"{name}, {number + 1} of {len(channels)}")
        top.set_title(f"signal: {label}, subject {subject}")
        top.set_xlim(0, len(window) - 1)
        top.set_yticks([])
        top.set_xlabel("sample")
        for panel, (name, tap, values) in zip(others, panels, strict=True):
            where = tap.rpartition("_")[2]
            if values.ndim == 2:
                shown, kind = values.T, f"spatial attention after convolution {where}"
                if len(channels) <= 12 and len(channels) == values.shape[1]:
                    panel.set_yticks(range(len(channels)), channels, fontsize=7)
                else:
                    panel.set_yticks([])
            else:
                shown, kind = values[None], f"channel attention after convolution {where}"
                panel.set_yticks([])
            panel.set_title(f"{name}: {kind}", color=shades.get(name), fontsize=8.5)
            low, high = float(values.min()), float(values.max())
            image = panel.imshow(shown, aspect="auto", cmap="cividis", vmin=low, vmax=max(high, low + 1e-6))
            if values.ndim == 2:
                # Convolutions without padding drop as many samples at either end; align steps with their samples.
                dropped = (len(window) - len(values)) / 2
                image.set_extent((dropped - 0.5, dropped + len(values) - 0.5, values.shape[1] - 0.5, -0.5))
                panel.set_xlim(0, len(window) - 1)
            image.set_interpolation("nearest")
            mark(image, name, f"{name}, {tap}: {low:.3f} to {high:.3f}")
            panel.tick_params(length=0, labelbottom=False)

    rows: list[dict[str, Value]] = [
        {
            "network": name,
            "tap": tap,
            "step": step if values.ndim == 2 else None,
            "place": other,
            "weight": float(values[step, other] if values.ndim == 2 else values[other]),
        }
        for name, tap, values in panels
        for step in range(values.shape[0] if values.ndim == 2 else 1)
        for other in range(values.shape[-1])
    ]
    sentences = []
    for name, tap, values in panels:
        if values.ndim == 2:
            sensor = int(values.mean(0).argmax())
            most = channels[sensor] if values.shape[1] == len(channels) else f"sensor {sensor + 1}"
            sentences.append(f"{name} attends most to {most} and to step {int(values.mean(1).argmax()) + 1}")
        else:
            sentences.append(
                f"{name}'s {tap} weighs {len(values)} filters from {values.min():.2f} to {values.max():.2f}"
            )
    return [
        Figure(
            "attention",
            f"Attention over one window of {label}",
            f"Signal above, maps below, light where a weight is high. {'; '.join(sentences)}.",
            rows,
            draw,
            (5.0, 1.9 + sum(1.25 if values.ndim == 2 else 0.75 for *_, values in panels)),
            "The validation window with the largest variance; dark to light from the lowest to the highest weight of "
            "each map. The channel attention of CBAM weighs filters; sensors are an axis of the spatial map.",
        )
    ]


def _maps(evidence: Evidence) -> list[Maps]:
    """Compute the maps of the first fold and seed, teachers first."""
    from ...networks import list_taps
    from ...training.functional import Functional

    window = evidence.record.index.example_values[None]
    # Privileged teachers see other sensors or times, so this window does not fit them.
    runs = {name: run for name, run in evidence.first_runs.items() if run.attention and not run.privileged}
    order = [
        row.variant
        for role in ("teacher", "reference", "variant", "control")
        for row in evidence.rows
        if row.kind == role
    ]
    networks = []
    for name in (name for name in order if name in runs):
        model = load_model(evidence.record, runs[name])
        wanted = [tap for tap in list_taps(model) if "_attention_" in tap]
        network = Functional(model, wanted)  # Compiled once for all networks of a kind.
        outputs = network.predict_taps(*network.own(), window)
        # Spatial maps have a last axis of length 1.
        taps = {tap: outputs[tap][0] for tap in wanted}
        networks.append(Maps(name, {tap: each[..., 0] if each.ndim == 3 else each for tap, each in taps.items()}))
    return networks
