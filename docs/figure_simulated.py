"""Draw the simulated subjects, alone (the committed figure) or each activity beside a real one.

    python docs/figure_simulated.py                       # writes docs/figures/simulated.svg
    python docs/figure_simulated.py --data DIR --out FILE  # beside DIR/hapt and DIR/wisdm-2019

The second holds real recordings and is for looking at, not for the repository.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from stillmotion.signals.recording import Dataset
from stillmotion.signals.simulated import CLASSES, generate

SECONDS = 8.0
COLOURS = ("#0072b2", "#d55e00", "#009e73")
WAIST = {"walking": 1, "upstairs": 2, "downstairs": 3, "sitting": 4, "standing": 5, "lying": 6}  # HAPT's numbers
WRIST = {"walking": "A", "jogging": "B", "upstairs": "C", "sitting": "D", "standing": "E"}  # WISDM's letters


@dataclass(frozen=True)
class Stretch:
    """A few seconds of one unit: title, rate in Hz, (T, 6) in g and rad/s."""

    title: str
    rate: float
    signal: NDArray[np.float32]


def main() -> None:
    """Read the arguments, choose the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds hapt/ and wisdm-2019/ as published")
    parser.add_argument("--out", type=Path, help="file to write (default: docs/figures/simulated.svg)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    subjects = generate(subjects=8, seed=given.seed)
    out = given.out or Path(__file__).parent / "figures" / "simulated.svg"
    out.parent.mkdir(parents=True, exist_ok=True)
    if given.data:
        draw(list(beside(subjects, given.data)), out)
    else:
        overview(subjects, out)
    print(out)


def overview(subjects: Dataset, out: Path) -> None:
    """Acceleration of every activity at wrist, waist and pocket, three seconds each, all on one scale."""
    plt.rcParams["svg.hashsalt"] = "simulated"  # the same bytes every time
    plt.rcParams["svg.fonttype"] = "none"
    plt.rcParams["font.sans-serif"] = ["DejaVu Sans"]
    plt.rcParams["path.simplify_threshold"] = 0.5
    units = ("wrist", "waist", "pocket")
    figure, axes = plt.subplots(len(CLASSES), len(units), figsize=(8.4, 8.0), sharex=True, sharey=True)
    for row, activity in zip(axes, CLASSES, strict=True):
        for ax, unit in zip(row, units, strict=True):
            stretch = simulated(subjects, activity, unit)
            half = Stretch("", stretch.rate / 2, stretch.signal[: round(3 * stretch.rate) : 2])
            _panel(ax, half, slice(0, 3), unit if activity == CLASSES[0] else "")
            ax.set_ylim(-3, 3)
            ax.set_yticks([-2, 0, 2])
            ax.tick_params(left=unit == units[0], bottom=activity == CLASSES[-1])
        row[0].set_ylabel(activity, fontsize=7, rotation=0, ha="right", va="center", labelpad=8)
    for ax in axes[-1]:
        ax.set_xlabel("s", fontsize=7)
    figure.suptitle("Simulated acceleration (g): x blue, y red, z green", fontsize=9)
    figure.tight_layout(h_pad=0.1, w_pad=0.3)
    figure.savefig(out, dpi=100, metadata={"Date": None} if out.suffix == ".svg" else None)
    plt.close(figure)
    if out.suffix != ".svg":
        return
    drawn = re.sub(r"(?<=[ \"])(\d+\.\d)\d+", r"\1", out.read_text())  # points to a tenth: a third of the size
    out.write_text("\n".join(line.strip() for line in drawn.splitlines()) + "\n")


def beside(subjects: Dataset, data: Path) -> Iterator[tuple[Stretch, ...]]:
    """Every activity that has been recorded: simulated, then real, twice; waist first, then wrist."""
    for activity, number in WAIST.items():
        yield (
            simulated(subjects, activity, "waist"),
            real_waist(data / "hapt" / "RawData", number, 0),
            simulated(subjects, activity, "waist", skip=5),
            real_waist(data / "hapt" / "RawData", number, 7),
        )
    for activity, letter in WRIST.items():
        yield (
            simulated(subjects, activity, "wrist"),
            real_wrist(data / "wisdm-2019" / "raw" / "watch", letter, 1),
            simulated(subjects, activity, "wrist", skip=5),
            real_wrist(data / "wisdm-2019" / "raw" / "watch", letter, 9),
        )


def simulated(subjects: Dataset, activity: str, unit: str, *, skip: int = 0) -> Stretch:
    """The middle of the ``skip``-th bout that is long enough."""
    columns = [i for i, channel in enumerate(subjects.spec.channels) if channel.position == unit]
    length = round(SECONDS * subjects.spec.rate)
    bouts = []
    for recording in subjects.recordings:
        inside = np.concatenate([[False], recording.labels == CLASSES.index(activity), [False]])
        for start, stop in np.flatnonzero(np.diff(inside)).reshape(-1, 2):
            if stop - start > length + 50:
                bouts.append((recording, (start + stop - length) // 2))
    recording, start = bouts[skip % len(bouts)]
    signal = recording.samples[start : start + length, columns]
    return Stretch(f"{unit}, {activity}: simulated subject {recording.subject}", subjects.spec.rate, signal)


def real_waist(folder: Path, activity: int, skip: int) -> Stretch:
    """The middle of the ``skip``-th labelled segment of HAPT that is long enough."""
    segments = np.loadtxt(folder / "labels.txt", dtype=int)
    long = segments[(segments[:, 2] == activity) & (segments[:, 4] - segments[:, 3] > SECONDS * 50)]
    experiment, user, _, first, last = long[skip % len(long)]
    start = (first + last - int(SECONDS * 50)) // 2
    parts = [
        np.loadtxt(folder / f"{kind}_exp{experiment:02d}_user{user:02d}.txt", dtype=np.float32)
        for kind in ("acc", "gyro")
    ]
    signal = np.concatenate(parts, axis=1)[start : start + int(SECONDS * 50)]
    return Stretch(f"waist: real, HAPT subject {user}", 50.0, signal)


def real_wrist(folder: Path, letter: str, skip: int) -> Stretch:
    """Seconds 60 to 68 of the ``skip``-th subject of WISDM-2019, both sensors on the accelerometer's clock."""
    subject = sorted((folder / "accel").glob("data_*_accel_watch.txt"))[skip].name.split("_")[1]
    sensors = []
    for kind, unit in (("accel", 1 / 9.80665), ("gyro", 1.0)):
        lines = (folder / kind / f"data_{subject}_{kind}_watch.txt").read_text().replace(";", "").splitlines()
        rows = [line.split(",") for line in lines if f",{letter}," in line]
        table = np.array([[float(cell) for cell in row[2:6]] for row in rows])
        sensors.append((table[:, 0] * 1e-9, table[:, 1:] * unit))
    grid = sensors[0][0][0] + 60 + np.arange(0, SECONDS, 0.05)
    signal = np.stack([np.interp(grid, time, column) for time, values in sensors for column in values.T], axis=1)
    return Stretch(f"wrist: real, WISDM subject {subject}", 20.0, signal.astype(np.float32))


def draw(rows: list[tuple[Stretch, ...]], out: Path) -> None:
    """A grid of stretches, acceleration above angular velocity; a row shares its scale."""
    columns = len(rows[0])
    figure, axes = plt.subplots(
        2 * len(rows), columns, figsize=(4.0 * columns, 2.0 * len(rows)), squeeze=False, sharex=True
    )
    for number, row in enumerate(rows):
        for sensor, name in enumerate(("g", "rad/s")):
            part = slice(3 * sensor, 3 * sensor + 3)
            low = min(float(stretch.signal[:, part].min()) for stretch in row)
            high = max(float(stretch.signal[:, part].max()) for stretch in row)
            for stretch, ax in zip(row, axes[2 * number + sensor], strict=True):
                _panel(ax, stretch, part, stretch.title if sensor == 0 else "")
                ax.set_ylim(low - 0.05 * (high - low) - 0.02, high + 0.05 * (high - low) + 0.02)
            axes[2 * number + sensor, 0].set_ylabel(name, fontsize=7)
    for ax in axes[-1]:
        ax.set_xlabel("s", fontsize=7)
    figure.tight_layout(h_pad=0.1, w_pad=0.3)
    figure.savefig(out, dpi=100)
    plt.close(figure)


def _panel(ax: Axes, stretch: Stretch, part: slice, title: str) -> None:
    time = np.arange(len(stretch.signal)) / stretch.rate
    for column, colour in zip(stretch.signal[:, part].T, COLOURS, strict=True):
        ax.plot(time, column, color=colour, linewidth=0.7)
    ax.tick_params(labelsize=6)
    ax.spines[["top", "right"]].set_visible(False)
    if title:
        ax.set_title(title, fontsize=7, loc="left", pad=2)


if __name__ == "__main__":
    main()
