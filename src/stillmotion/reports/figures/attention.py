"""Where a real window is attended to: teacher beside student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..evidence import Evidence
from ..figure import Figure, Marks, Value, bare
from ..palette import COLOURS, colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

Floats = NDArray[np.float32]
LINES = [COLOURS[f"series-{number}"][0] for number in range(1, 7)]


@dataclass(frozen=True, eq=False)
class Maps:
    """A network's attention to one window: ``spatial`` (time, sensors) and ``filters`` (filters,), by tap."""

    name: str
    taps: dict[str, Floats]


def attention(evidence: Evidence) -> list[Figure]:
    """One figure; none where no network has attention."""
    place = _window(evidence)
    found = _maps(evidence, place)
    if not found:
        return []
    study_data = evidence.record.study_data
    window = study_data.values[place]  # (T, D)
    spec = study_data.windows.spec
    channels = [f"{channel.sensor}.{channel.axis}" for channel in spec.channels]
    subject, label = study_data.subjects(np.array([place]))[0], spec.classes[int(study_data.labels[place])]
    shades = colours(evidence.lines)
    panels = [(one.name, tap, values) for one in found for tap, values in one.taps.items()]

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
                shown, what = values.T, f"where, after convolution {where}"
                if len(channels) <= 12 and len(channels) == values.shape[1]:
                    panel.set_yticks(range(len(channels)), channels, fontsize=7)
                else:
                    panel.set_yticks([])
            else:
                shown, what = values[None], f"filters, after convolution {where}"
                panel.set_yticks([])
            panel.set_title(f"{name}: {what}", color=shades.get(name), fontsize=8.5)
            low, high = float(values.min()), float(values.max())
            image = panel.imshow(shown, aspect="auto", cmap="cividis", vmin=low, vmax=max(high, low + 1e-6))
            if values.ndim == 2:
                # Convolutions without padding lose as many samples at either end: steps stand under their samples.
                lost = (len(window) - len(values)) / 2
                image.set_extent((lost - 0.5, lost + len(values) - 0.5, values.shape[1] - 0.5, -0.5))
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
    said = []
    for name, tap, values in panels:
        if values.ndim == 2:
            sensor = int(values.mean(0).argmax())
            most = channels[sensor] if values.shape[1] == len(channels) else f"sensor {sensor + 1}"
            said.append(f"{name} attends most to {most} and to step {int(values.mean(1).argmax()) + 1}")
        else:
            said.append(f"{name}'s {tap} weighs {len(values)} filters from {values.min():.2f} to {values.max():.2f}")
    return [
        Figure(
            "attention",
            f"Attention over one window of {label}",
            f"Signal above, maps below, light where a weight is high. {'; '.join(said)}.",
            rows,
            draw,
            (5.0, 1.9 + sum(1.25 if values.ndim == 2 else 0.75 for *_, values in panels)),
            "A window of a validation subject, the one in which the signal moves most; dark to light from each map's "
            "lowest to its highest weight. CBAM's channel attention weighs filters; sensors are an axis of the "
            "spatial map.",
        )
    ]


def _window(evidence: Evidence) -> int:
    study_data = evidence.record.study_data
    rows = study_data.folds[0].validation
    return int(rows[np.argmax(study_data.values[rows].std(1).mean(1))])


def _maps(evidence: Evidence, place: int) -> list[Maps]:
    """Teachers first, then students: those of the first fold, first seed."""
    from ...networks import list_taps, with_taps

    window = evidence.record.study_data.values[place][None]
    # A teacher that sees other moments or sensors has no place under this window.
    runs = {name: run for name, run in evidence.first_runs.items() if run.attention and not run.privileged}
    order = [
        line.name
        for role in ("teacher", "reference", "variant", "control")
        for line in evidence.lines
        if line.role == role
    ]
    found = []
    for name in (name for name in order if name in runs):
        model = evidence.record.evaluator.model(runs[name])
        wanted = [tap for tap in list_taps(model) if "_attention_" in tap]
        said = with_taps(model, wanted).predict_on_batch(window)
        # Spatial maps end in an axis of one.
        taps = {tap: np.asarray(said[tap], np.float32)[0] for tap in wanted}
        found.append(Maps(name, {tap: each[..., 0] if each.ndim == 3 else each for tap, each in taps.items()}))
    return found
