"""`still live`."""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .fitting_tables import load_fitting
from .flags import add_data
from .table_flags import add_table_flags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..bundles import Bundle, Prediction, Recogniser
    from ..reports import LiveView
    from ..signals import SignalSpec

HELP = "Recognise activities live: lines from standard input, or a recording as if it were recorded now."
#: Seconds without a line after which the view says so; views in a second; lines that wait to be read.
STALLED, VIEWS, WAITING = 1.0, 8, 4096
#: Longest line, in bytes: noise may have no end of line.
LONGEST = 1 << 14
#: Stands for a line without an end.
CUT_OFF = "(cut off)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="folder of a bundle, such as STUDY/models/best")
    parser.add_argument("--replay", metavar="FILE", help="a table or a data set, whose recordings are replayed")
    parser.add_argument(
        "--speed", type=_read_speed, default=1.0, help="times as fast as it was recorded; 0 does not wait (default: 1)"
    )
    parser.add_argument("--resample", action="store_true", help="resample a recording of another rate")
    parser.add_argument(
        "--lag",
        default="bundle",
        choices=("bundle", "alone"),
        help="answer as the bundle's decoder, or each window alone",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each answer, as into a pipe")
    add_data(parser)
    add_table_flags(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import numpy as np

    from ..bundles import Bundle, Recogniser
    from ..reports import LiveView

    bundle = Bundle.open(options.bundle)
    spec = bundle.spec
    if options.replay is None and sys.stdin.isatty():
        raise UserError("Nothing is piped into still live; pipe lines of samples into it, or give --replay FILE.")
    recogniser = Recogniser(bundle, lag=options.lag)
    # The first window would wait for the compilation of the network.
    bundle.logits(np.zeros((1, spec.window, len(spec.channels)), np.float32), spec)
    chunks = _replayed(bundle, options) if options.replay is not None else _piped(spec)
    if options.json or not sys.stdout.isatty():
        return _print_lines(recogniser, chunks)
    return _show(recogniser, chunks, LiveView(spec))


#: What comes in: samples (n, channels), their times in seconds, and what is wrong with the input.
Chunk = tuple["NDArray[np.float32]", "NDArray[np.float64]", str]


def _print_lines(recogniser: Recogniser, chunks: Iterator[Chunk]) -> int:
    """Print a line of JSON for each answer, and changes of the input's state to standard error."""
    said = ""
    for samples, times, status in chunks:
        for answer in _push(recogniser, samples, times):
            print(json.dumps(_row(answer, recogniser)), flush=True)
        if status and status != said:
            print(f"still live: {status}", file=sys.stderr, flush=True)
        said = status
    for answer in recogniser.finish():
        print(json.dumps(_row(answer, recogniser)), flush=True)
    return 0


def _show(recogniser: Recogniser, chunks: Iterator[Chunk], view: LiveView) -> int:
    """Show the view in the terminal until the input ends."""
    from rich.live import Live

    from ..reports.screen import console

    shown, clock, status = 0.0, "waiting for samples", ""
    with Live(view.render(clock), console=console(), auto_refresh=False) as live:
        for samples, times, status in chunks:
            view.take(samples, _push(recogniser, samples, times))
            if len(times):
                clock = f"{times[-1]:.1f} s"
            if time.monotonic() - shown > 1 / VIEWS:
                shown = time.monotonic()
                live.update(view.render(f"{clock} · {status}" if status else clock), refresh=True)
        view.take(samples[:0], recogniser.finish())
        live.update(view.render(f"{clock} · the end{f' · {status}' if status else ''}"), refresh=True)
    return 0


def _push(recogniser: Recogniser, samples: NDArray[np.float32], times: NDArray[np.float64]) -> list[Prediction]:
    """Push samples, a hop at a time: at most one window ends in each, so the network is compiled once."""
    parts = (slice(start, start + recogniser.spec.hop) for start in range(0, len(samples), recogniser.spec.hop))
    return [answer for part in parts for answer in recogniser.push(samples[part], times[part])]


def _row(answer: Prediction, recogniser: Recogniser) -> dict[str, Any]:
    chances = zip(recogniser.spec.classes, answer.probabilities.round(6).tolist(), strict=True)
    start, end = round(answer.start, 6), round(answer.end, 6)
    return {"start": start, "end": end, "label": answer.label} | {f"p_{name}": chance for name, chance in chances}


def _replayed(bundle: Bundle, options: argparse.Namespace) -> Iterator[Chunk]:
    """Yield a recording's samples when they are due."""
    import numpy as np

    from ..bundles.recordings import fit_recordings

    spec, speed = bundle.spec, options.speed
    data = fit_recordings(load_fitting(options.replay, options, spec), spec, resampled=options.resample)
    step = max(1, round(spec.rate * max(speed, 1) / VIEWS))
    began, sent = time.monotonic(), 0
    for number, recording in enumerate(data.recordings):
        # Between recordings the clock jumps by more than a window, so that the stream begins anew.
        origin = sent + number * 2 * spec.window
        for start in range(0, len(recording.samples), step):
            samples = recording.samples[start : start + step]
            if speed:
                due = began + (sent + start + len(samples)) / spec.rate / speed
                time.sleep(max(0.0, due - time.monotonic()))
            yield samples, (origin + np.arange(start, start + len(samples))) / spec.rate, ""
        sent += len(recording.samples)


def _piped(spec: SignalSpec) -> Iterator[Chunk]:
    """Yield the samples of lines as they come; where none comes for a while, say so."""
    import numpy as np

    from ..bundles.sample_lines import SampleLines

    lines, pending = SampleLines(spec), _read_ahead()
    quiet, clock, ended = time.monotonic(), 0.0, False
    while not ended:
        waiting, ended = _take_lines(pending, spec.hop)
        held = [sample for line in waiting if (sample := lines.read(line)) is not None]
        waited = time.monotonic() - quiet
        status = f"{lines.lost} of {lines.count} lines were no samples" if lines.lost else ""
        if held:
            quiet = time.monotonic()
            # Nobody knows how many samples a long pause lost: the clock jumps, and the stream begins anew.
            clock += waited + spec.seconds if clock and waited > max(STALLED, spec.seconds) else 0
        elif waited > STALLED and not ended:
            status = f"no sample for {waited:.0f} s"
        times = []
        for sample in held:
            times.append(clock if sample.time is None else sample.time)
            clock += 1 / spec.rate
        yield (
            np.array([each.values for each in held], np.float32).reshape(-1, len(spec.channels)),
            np.array(times),
            status,
        )
    good = lines.count - lines.lost
    if not good:
        raise UserError(f"No sample came from standard input; expected lines of {', '.join(spec.channel_names)}.")
    if good < spec.window:
        yield (
            np.zeros((0, len(spec.channels)), np.float32),
            np.zeros(0),
            f"{good} samples are less than a window of {spec.window}",
        )


def _take_lines(pending: queue.Queue[str | None], most: int) -> tuple[list[str], bool]:
    """Return the lines that wait, after a moment if none does, and whether the input has ended."""
    taken: list[str] = []
    try:
        while len(taken) < most:
            line = pending.get_nowait() if taken else pending.get(timeout=0.2)
            if line is None:
                return taken, True
            taken.append(line)
    except queue.Empty:
        pass
    return taken, False


def _read_ahead() -> queue.Queue[str | None]:
    """Return a queue that a thread fills with the lines of standard input; None is its end."""
    pending: queue.Queue[str | None] = queue.Queue(WAITING)

    # Not through Python's own buffer: the end of the process would wait for its lock.
    source = sys.stdin.fileno()

    def read() -> None:
        rest = b""
        with suppress(OSError):  # a serial port that is pulled out
            while part := os.read(source, 1 << 16):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    pending.put(line.decode("utf-8", "replace"))
                if len(rest) > LONGEST:
                    pending.put(CUT_OFF)
                    rest = b""
        if rest:  # the last number of a line that was cut off may lack digits
            pending.put(CUT_OFF)
        pending.put(None)

    threading.Thread(target=read, daemon=True).start()
    return pending


def _read_speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= 1000:
        raise argparse.ArgumentTypeError(f"must be 0 to 1000, not {text!r}")
    return speed
