"""`still live`: a replayed recording and a stalled, noisy, cut-off pipe, in a pseudo-terminal and into a pipe."""

from __future__ import annotations

import json
import os
import pty
import re
import sys
import threading
import time

import numpy as np
import pytest

from stillmotion.bundles import Bundle, Recogniser
from stillmotion.bundles.sample_lines import PATIENCE, SampleLines
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.errors import ContractError, UserError
from stillmotion.features import FeatureSet, LinearArrays
from stillmotion.signals import Channel, SignalSpec

CHANNELS = tuple(Channel("acc", axis, "g", "wrist") for axis in "xyz")
SPEC = SignalSpec(50.0, CHANNELS, ("rest", "walk", "run"), 20, 10)
NAMES = ",".join(SPEC.channel_names)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    """A regression that knows an activity by its strength along x, and a decoder with a lag."""
    features = FeatureSet.of(SPEC)
    weights = np.zeros((len(features.names), 3), np.float32)
    weights[features.names.index("wrist.acc.x.std")] = [-6, 0, 6]
    count = len(features.names)
    model = LinearArrays(features, weights, [3.0, 0.0, -6.0], np.zeros(count), np.ones(count), 5.0)
    decoder = fit_decoder("duration", SPEC.classes, np.repeat([0, 1, 2], 10), hop=0.2, lag=1)
    return Bundle.save(tmp_path_factory.mktemp("live") / "bundle", model, SPEC, decoder=decoder)


def movement(count: int, strength: float, seed: int) -> np.ndarray:
    return strength * np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return np.concatenate([movement(100, 0.05, 0), movement(100, 0.7, 1), movement(100, 1.8, 2)])


def as_lines(samples: np.ndarray) -> bytes:
    return "".join(",".join(f"{value:.9g}" for value in row) + "\n" for row in samples).encode()


def write_csv(path, samples):
    times = np.arange(len(samples)) / SPEC.rate
    rows = (f"{time:.6g},{line}" for time, line in zip(times, as_lines(samples).decode().splitlines(), strict=True))
    path.write_text("\n".join([f"time,{NAMES}", *rows]) + "\n")
    return path


class Terminal:
    """A pseudo-terminal in the place of standard output, and a pipe in that of standard input."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, out: bool = True) -> None:
        self.master, slave = pty.openpty()
        self.text, self.done = "", threading.Event()
        reading, self.pipe = os.pipe()
        self._stdin = os.fdopen(reading, encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", self._stdin)
        self._slave = os.fdopen(slave, "w", encoding="utf-8")
        if out:
            monkeypatch.setattr(sys, "stdout", self._slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self.master, 1 << 16)
            except OSError:  # the other end was closed
                return
            self.text += part.decode("utf-8", "replace")

    def send(self, *steps: bytes | str) -> None:
        """Write bytes into the pipe; wait for what the terminal shows before going on where a step is text."""

        def write() -> None:
            for step in steps:
                if isinstance(step, bytes):
                    os.write(self.pipe, step)
                else:
                    until = time.monotonic() + 60
                    while step not in self.text and time.monotonic() < until:
                        time.sleep(0.02)
            os.close(self.pipe)

        threading.Thread(target=write, daemon=True).start()

    def close(self) -> str:
        self._stdin.close()
        self._slave.close()
        self._reader.join(10)
        os.close(self.master)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)


def rows_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def require_rows(rows, recogniser, pushed):
    expected = [*pushed, *recogniser.finish()]
    assert [row["label"] for row in rows] == [each.label for each in expected]
    for row, each in zip(rows, expected, strict=True):
        assert (row["start"], row["end"]) == pytest.approx((each.start, each.end))
        assert [row[f"p_{name}"] for name in SPEC.classes] == pytest.approx(each.probabilities.tolist(), abs=1e-6)


def test_a_replay_into_a_pipe_is_what_predict_says(bundle, samples, tmp_path, capsys):
    file = write_csv(tmp_path / "day.csv", samples)
    assert main(["live", str(bundle.path), "--replay", str(file), "--speed", "0"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert main(["predict", str(bundle.path), str(file), "--json"]) == 0
    predicted = json.loads(capsys.readouterr().out)["rows"]
    assert {row["label"] for row in rows} == set(SPEC.classes)
    for row, other in zip(rows, predicted, strict=True):
        assert row["label"] == other["label"]
        for key in ("start", "end", *(f"p_{name}" for name in SPEC.classes)):
            assert row[key] == pytest.approx(other[key], abs=2e-6)


def test_a_replay_in_a_terminal_shows_activity_probability_and_signal(bundle, samples, tmp_path, monkeypatch):
    file = write_csv(tmp_path / "day.csv", samples)
    terminal = Terminal(monkeypatch)
    began = time.monotonic()
    assert main(["live", str(bundle.path), "--replay", str(file), "--speed", "10"]) == 0
    assert time.monotonic() - began > 0.55, "6 s at ten times their speed"
    shown = terminal.close()
    last = shown[shown.rindex("wrist.acc.z") :]
    assert "the end" in last
    assert all(f"s  {name}" in last for name in SPEC.classes)
    assert re.search(r"run +█+·* +\d+%", shown)
    assert re.search(r"wrist\.acc\.x [▁▂▃▄▅▆▇█]{40} [+-][0-9.e-]+ g", shown)
    assert "{" not in shown


def test_a_stalled_noisy_cut_off_pipe_in_a_terminal(bundle, samples, monkeypatch):
    terminal = Terminal(monkeypatch)
    noise = b"\xff\xfe\x00garbage\n1,2\nnan;x;3\n"
    terminal.send(
        as_lines(samples[:100]), noise, as_lines(samples[100:200]), "no sample for", as_lines(samples[200:]), b"0.1,0."
    )
    assert main(["live", str(bundle.path)]) == 0
    shown = terminal.close()
    assert re.search(r"no sample for \d+ s", shown)
    assert "4 of 304 lines were no samples" in shown, "the cut-off line counts too"
    last = shown[shown.rindex("wrist.acc.z") :]
    assert all(f"s  {name}" in last for name in SPEC.classes)
    assert "the end" in last


def test_a_noisy_pipe_gives_the_answers_of_the_recogniser(bundle, samples, monkeypatch, capsys):
    """A line that is no sample is one sample that was lost."""
    terminal = Terminal(monkeypatch, out=False)
    terminal.send(
        as_lines(samples[:50]) + b"noise\n" + as_lines(samples[50:120]) + b"1,2,3,4\n" + as_lines(samples[120:])
    )
    assert main(["live", str(bundle.path)]) == 0
    shown = capsys.readouterr()
    lost = np.full((1, 3), np.nan, np.float32)
    recogniser = Recogniser(bundle)
    answers = recogniser.push(np.concatenate([samples[:50], lost, samples[50:120], lost, samples[120:]]))
    require_rows(rows_of(shown.out), recogniser, answers)
    assert "2 of 302 lines were no samples" in shown.err
    terminal.close()


def test_a_heading_sets_order_and_clock(bundle, samples, monkeypatch, capsys):
    terminal = Terminal(monkeypatch, out=False)
    times = np.concatenate([np.arange(150), 1000 + np.arange(150)]) / SPEC.rate  # a jump of the clock
    rows = [f"{time:.6g};{z:.9g};{x:.9g};{y:.9g}" for time, (x, y, z) in zip(times, samples, strict=True)]
    terminal.send("\n".join(["t;wrist.acc.z;wrist.acc.x;wrist.acc.y", *rows, ""]).encode())
    assert main(["live", str(bundle.path), "--json"]) == 0
    recogniser = Recogniser(bundle)
    require_rows(rows_of(capsys.readouterr().out), recogniser, recogniser.push(samples, times))
    terminal.close()


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", "No sample came from standard input; expected lines of wrist.acc.x, wrist.acc.y, wrist.acc.z"),
        (b"hello\n" * 250, f"{PATIENCE} lines in a row are no samples, the last being 'hello'; expected 3 numbers"),
        (b"time,wrist.acc.x\n1,2\n", "The heading lacks wrist.acc.y, wrist.acc.z; it names time, wrist.acc.x"),
    ],
)
def test_what_is_no_signal_is_one_sentence(bundle, sent, message, monkeypatch, capsys):
    terminal = Terminal(monkeypatch, out=False)
    terminal.send(sent)
    assert main(["live", str(bundle.path)]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    terminal.close()


def test_few_samples_and_a_terminal_without_a_pipe_say_so(bundle, samples, tmp_path, monkeypatch, capsys):
    terminal = Terminal(monkeypatch, out=False)
    terminal.send(as_lines(samples[:7]))
    assert main(["live", str(bundle.path)]) == 0
    assert "7 samples are less than a window of 20" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", terminal._slave)
    assert main(["live", str(bundle.path)]) == 2
    assert "pipe lines of samples into it, or give --replay FILE" in capsys.readouterr().err
    assert main(["live", str(bundle.path), "--replay", str(tmp_path / "none.csv")]) == 2
    assert "none.csv is not there" in capsys.readouterr().err
    terminal.close()


def test_lines_keep_what_float32_cannot_hold_apart_from_noise():
    lines = SampleLines(SPEC)
    assert np.isposinf(lines.read("1e300, 0, nan").values[0])
    assert np.isnan(lines.read("1 2").values).all()
    assert (lines.count, lines.lost) == (2, 1)
    for _ in range(PATIENCE - 2):
        lines.read("x")
    with pytest.raises(UserError, match="lines in a row"):
        lines.read("x")
    with pytest.raises(ContractError, match="lacks"):
        SampleLines(SPEC).read("wrist.acc.x,other")
