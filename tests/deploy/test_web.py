"""The page in a browser: the host C's answers bit for bit, no request, any width; dropped files; a phone's sensors."""

from __future__ import annotations

import base64
import doctest
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.deploy import export_c, run_on_host
from stillmotion.deploy.decoder import decode_stream
from stillmotion.deploy.web import compile_wasm, export_web
from stillmotion.deploy.web.export import compute_golden, describe_page, write_page
from stillmotion.deploy.web.recording import choose_replay
from stillmotion.errors import UserError
from stillmotion.networks import build_network
from tests.browser import Browser
from tests.conftest import unavailable
from tests.deploy.nets import CLASSES, SPEC, draw_weights, draw_windows

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
UNITS = {"acc": "g", "gyr": "rad/s"}
PHONE = replace(SPEC, channels=tuple(replace(each, unit=UNITS[each.sensor]) for each in SPEC.channels))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    """A small network with a decoder, for the sensors of a phone."""
    model = build_network("gru-4", PHONE)
    draw_weights(model)
    labels = np.repeat(np.arange(CLASSES), 12)
    decoder = fit_decoder("duration", PHONE.classes, labels, hop=PHONE.hop / PHONE.rate, lag=1)
    folder = tmp_path_factory.mktemp("web") / "bundle"
    return Bundle.save(folder, model, PHONE, calibration=draw_windows(40), decoder=decoder)


@pytest.fixture(scope="module")
def pages(bundle, tmp_path_factory):
    """The page in float32 and in integers, each with the C that it was compiled from."""
    for tool in ("clang", "wasm-ld"):
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed (apt-get install clang lld)")
    root = tmp_path_factory.mktemp("pages")
    return {
        form: (
            export_web(bundle, root / form, int8=form == "int8", name="watch"),
            export_c(bundle, root / f"{form}-c", int8=form == "int8", name="watch"),
        )
        for form in ("float32", "int8")
    }


def show(browser: Browser, page: Path, width: int = 375, **options: object) -> None:
    browser.open(page, width=width, **options)
    browser.wait("globalThis.stillmotion !== undefined")


def answers(browser: Browser) -> list[dict]:
    text = """JSON.stringify(stillmotion.answers.map(
      (each) => ({...each, logits: [...each.logits], probabilities: [...each.probabilities]})))"""
    return json.loads(browser.ask(text))


@pytest.mark.parametrize("form", ["float32", "int8"])
def test_a_replay_gives_the_answers_of_the_host(browser, pages, form):
    web, c = pages[form]
    show(browser, web.file)
    browser.press("#end")
    given = answers(browser)
    windows = np.lib.stride_tricks.sliding_window_view(web.samples, SPEC.window, axis=0)[:: SPEC.hop].swapaxes(1, 2)
    logits = run_on_host(c, windows)
    labels = decode_stream(c.decoder, logits, c.program.logits)
    assert len(given) == len(labels) > 60
    assert [each["label"] for each in given] == labels.tolist()
    real = logits
    if form == "int8":
        real = (logits.astype(int) - c.program.logits.zero_point).astype(np.float32) * np.float32(c.program.logits.step)
    shown = np.array([each["logits"] for each in given], np.float32)
    assert np.array_equal(shown.view(np.uint32), real[: len(shown)].view(np.uint32))
    assert len(set(labels.tolist())) > 1
    powers = np.exp(real.astype(float) - real.max(1, keepdims=True))
    chances = np.array([each["probabilities"] for each in given])
    np.testing.assert_allclose(chances, (powers / powers.sum(1, keepdims=True))[: len(shown)], atol=1e-6)
    assert given[0]["end"] == SPEC.seconds
    assert browser.ask("document.getElementById('golden').textContent").startswith("4 of 4 golden windows give here")
    assert browser.ask("document.getElementById('activity').textContent") == PHONE.classes[labels[-1]]
    rows = browser.ask("document.getElementById('answers').rows.length")
    assert rows == 1 + int((np.diff(labels) != 0).sum())
    assert browser.requests() == []
    assert browser.complaints() == []


@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1280, True)])
def test_it_fits_every_width_and_follows_the_scheme(browser, pages, width, dark):
    show(browser, pages["float32"][0].file, width, dark=dark)
    browser.press("#end")
    browser.ask("document.querySelectorAll('details').forEach((each) => each.open = true)")
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("innerWidth") == width
    background = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 24, 29)" if dark else "rgb(254, 254, 254)")
    drawn = """['signal', 'timeline'].map((name) => {
      const canvas = document.getElementById(name);
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      return new Set(new Uint32Array(pixels.buffer)).size;
    })"""
    assert min(browser.ask(drawn)) > 3, "a canvas is empty"
    small = (
        "[...document.querySelectorAll('button, select')].filter((b) => b.getBoundingClientRect().height < 40).length"
    )
    assert browser.ask(small) == 0, "a button is too small for a finger"


def test_it_works_with_a_keyboard_and_for_a_screen_reader(browser, pages):
    show(browser, pages["float32"][0].file)
    browser.type(Keys.TAB)
    assert browser.ask("document.activeElement.id") == "play"
    assert browser.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.type(Keys.ENTER)
    assert browser.ask("document.getElementById('play').textContent") == "Pause"
    browser.ask("document.getElementById('speed').value = '16'")
    browser.wait("stillmotion.answers.length > 1")
    browser.type(Keys.ENTER)
    assert browser.ask("document.getElementById('play').textContent") == "Play"
    names = browser.do("Accessibility.getFullAXTree")["nodes"]
    roles = {(each["role"]["value"], each.get("name", {}).get("value", "")) for each in names if not each["ignored"]}
    for role in ("button", "combobox", "meter", "image", "img"):
        assert all(name for kind, name in roles if kind == role), f"a {role} has no name"
    assert "status" in {role for role, _ in roles}
    label = browser.ask("document.getElementById('timeline').getAttribute('aria-label')")
    assert browser.ask("document.getElementById('activity').textContent") in label
    assert browser.ask("document.querySelectorAll('[aria-live]').length") == 1


def test_with_reduced_motion_it_draws_with_each_answer_alone(browser, pages):
    page = pages["float32"][0].file
    show(browser, page)
    browser.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    browser.ask("(globalThis.times = 0, 0)")
    count = """(() => { const pen = document.getElementById('signal').getContext('2d'), own = pen.clearRect;
      pen.clearRect = function (...box) { globalThis.times += 1; return own.apply(this, box); }; })()"""
    browser.ask(count)
    browser.press("#play")
    browser.wait("stillmotion.answers.length >= 2")
    browser.press("#play")
    assert browser.ask("times") <= browser.ask("stillmotion.answers.length") + 1


def write_csv(path: Path, samples: np.ndarray, times: np.ndarray | None = None, names=SPEC.channel_names) -> Path:
    columns = [] if times is None else [times]
    head = ",".join([*([] if times is None else ["time"]), *names])
    rows = np.column_stack([*columns, samples])
    path.write_text("\n".join([head, *(",".join(f"{value:.9g}" for value in row) for row in rows)]) + "\n")
    return path


def test_a_dropped_recording_is_fitted_to_the_contract(browser, pages, tmp_path):
    web, c = pages["float32"]
    show(browser, web.file)
    samples = draw_windows(8, seed=5).reshape(-1, 6)
    turned = [5, 4, 3, 2, 1, 0]
    short = [".".join(name.split(".")[1:]) for name in SPEC.channel_names]
    browser.give_file("#file", write_csv(tmp_path / "a.csv", samples[:, turned], names=[short[at] for at in turned]))
    browser.wait("document.getElementById('source').textContent.startsWith('a.csv')")
    browser.press("#end")
    windows = np.lib.stride_tricks.sliding_window_view(samples, SPEC.window, axis=0)[:: SPEC.hop].swapaxes(1, 2)
    expected = run_on_host(c, windows)
    shown = np.array([each["logits"] for each in answers(browser)], np.float32)
    assert np.array_equal(shown, expected[: len(shown)])
    assert len(shown) == len(windows) - 1
    # Four times as fast: means over each tick.
    times = np.arange(1200) / 100
    waves = np.sin(2 * np.pi * times[:, None] * [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    browser.give_file("#file", write_csv(tmp_path / "b.csv", waves, times))
    browser.wait("document.getElementById('source').textContent.startsWith('b.csv')")
    assert "resampled from 100 Hz" in browser.ask("document.getElementById('source').textContent")
    browser.press("#end")
    taken = np.array(browser.ask("stillmotion.recent"))
    ticks = np.arange(len(taken)) / 25
    assert abs(len(taken) - 300) <= 1
    wanted = np.sin(2 * np.pi * ticks[:, None] * [0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    np.testing.assert_allclose(taken[1:], wanted[1:], atol=0.02)  # the first has no neighbours before it


BAD = {
    "empty.csv": ("", "empty.csv has no rows under a heading"),
    "other.csv": ("a,b\n1,2\n", "other.csv lacks the columns wrist.acc.x"),
    "ragged.csv": (",".join(SPEC.channel_names) + "\n1,2\n", "Row 2 of ragged.csv has 2 cells"),
    "words.csv": (",".join(SPEC.channel_names) + "\n" + "x,x,x,x,x,x\n" * 3, "hold no numbers"),
    "short.csv": (",".join(SPEC.channel_names) + "\n" + "1,2,3,4,5,6\n" * 3, "short.csv has 3 samples"),
    "clock.csv": (
        ",".join(["time", *SPEC.channel_names]) + "\n" + "".join(f"{40 * at},1,2,3,4,5,6\n" for at in range(99)),
        "rows a second by its time column",
    ),
    "back.csv": (",".join(["t", *SPEC.channel_names]) + "\n0,1,2,3,4,5,6\n-1,1,2,3,4,5,6\n", "The time in row 3"),
}


def test_a_file_that_does_not_fit_is_one_sentence(browser, pages, tmp_path):
    show(browser, pages["float32"][0].file)
    before = browser.ask("document.getElementById('source').textContent")
    for name, (text, message) in BAD.items():
        (tmp_path / name).write_text(text)
        browser.give_file("#file", tmp_path / name)
        browser.wait(f"document.getElementById('message').textContent.includes({message!r})")
        assert browser.ask("document.getElementById('message').textContent").count("\n") == 0
    assert browser.ask("document.getElementById('source').textContent") == before, "the recording before stays"
    assert browser.complaints() == []


#: Sends events of a phone that lies on a table and is shaken along x, turned about z: 4 seconds, at a rate of its own.
EVENTS = """((rate, sign) => {
  for (let k = 0; k < 4 * rate; k++) {
    const time = k / rate, wave = Math.sin(2 * Math.PI * time);
    const event = new DeviceMotionEvent('devicemotion', {
      accelerationIncludingGravity: {x: sign * 9.80665 * wave, y: 0, z: sign * 9.80665},
      rotationRate: {alpha: 10, beta: -20, gamma: 180 * wave}, interval: 1000 / rate});
    Object.defineProperty(event, 'timeStamp', {value: 5000 + 1000 * time});
    dispatchEvent(event);
  }
})(%d, %d)"""


@pytest.mark.parametrize(("rate", "apple"), [(60, False), (60, True), (20, False)])
def test_a_phones_motion_at_another_rate_is_resampled(browser, pages, rate, apple):
    show(browser, pages["float32"][0].file)
    if apple:  # whose browsers have the other sign of acceleration
        browser.ask("(Object.defineProperty(navigator, 'vendor', {value: 'Apple Computer, Inc.'}), 0)")
    browser.press("#sensors")
    browser.wait("document.getElementById('sensors').textContent === 'Stop the sensors'")
    browser.ask(EVENTS % (rate, -1 if apple else 1))
    taken = np.array(browser.ask("stillmotion.recent"))
    ticks = np.arange(len(taken)) / 25
    wave = np.sin(2 * np.pi * ticks)
    assert abs(len(taken) - 100) <= 2
    turned = np.radians([10, -20])
    np.testing.assert_allclose(taken[1:, 0], wave[1:], atol=0.06)
    np.testing.assert_allclose(taken[:, 1:3], np.broadcast_to([0.0, 1.0], (len(taken), 2)), atol=1e-9)
    np.testing.assert_allclose(taken[:, 3:5], np.broadcast_to(turned, (len(taken), 2)), atol=1e-9)
    np.testing.assert_allclose(taken[1:, 5], np.pi * wave[1:], atol=0.2)
    assert len(answers(browser)) == (len(taken) - SPEC.window) // SPEC.hop
    browser.press("#sensors")
    assert browser.ask("document.getElementById('sensors').textContent") == "Use this device's sensors"
    assert browser.complaints() == []


def test_a_pause_of_the_sensors_begins_the_stream_anew(browser, pages):
    show(browser, pages["float32"][0].file)
    browser.press("#sensors")
    browser.wait("document.getElementById('sensors').textContent === 'Stop the sensors'")
    browser.ask(EVENTS % (25, 1))
    before = browser.ask("stillmotion.answers.length")
    browser.ask((EVENTS % (25, 1)).replace("5000", "60000"))
    assert browser.ask("stillmotion.answers.length") == 2 * before
    assert answers(browser)[before]["start"] == pytest.approx(answers(browser)[0]["start"] + 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("(DeviceMotionEvent.requestPermission = async () => 'denied', 0)", "sensors were not allowed"),
        ("delete globalThis.DeviceMotionEvent", "This browser has no motion sensors"),
        ("(Object.defineProperty(globalThis, 'isSecureContext', {value: false}), 0)", "over HTTPS alone"),
        ("(stillmotion.contract.channels[0].position = 'ankle', 0)", "at ankle and wrist, but a phone is at one place"),
        ("(stillmotion.contract.channels[0].sensor = 'mag', 0)", "which browsers do not deliver"),
        ("(stillmotion.contract.channels[0].unit = '', 0)", "in an unknown unit"),
        ("0", "This browser delivers no motion"),
    ],
)
def test_a_browser_without_such_sensors_says_so(browser, pages, change, message):
    show(browser, pages["float32"][0].file)
    browser.ask(change)
    browser.press("#sensors")
    browser.wait(f"document.getElementById('message').textContent.includes({message!r})")


def test_an_answer_without_a_class_is_unknown(browser, bundle, pages, tmp_path):
    """C that rejects windows returns -2; here for every window of the second class."""
    c = export_c(bundle, tmp_path / "c", name="watch")
    source = c.folder / "watch.c"
    text = source.read_text().replace("int watch_push(const", "static int own_push(const")
    wrapper = "{ int label = own_push(sample); return label == 1 ? -2 : label; }"
    source.write_text(f"{text}int watch_push(const float sample[WATCH_CHANNELS]) {wrapper}\n")
    page = tmp_path / "unknown.html"
    page.write_text(
        write_page(describe_page(bundle, c, compile_wasm(c), choose_replay(bundle), compute_golden(bundle, c))),
        encoding="utf-8",
    )
    show(browser, pages["float32"][0].file)
    browser.press("#end")
    usual = [each["label"] for each in answers(browser)]
    assert 1 in usual
    show(browser, page)
    browser.press("#end")
    assert [each["label"] for each in answers(browser)] == [-2 if label == 1 else label for label in usual]
    names = browser.ask("[...document.getElementById('answers').rows].map((row) => row.cells[1].textContent)")
    assert "unknown" in names
    assert PHONE.classes[1] not in names
    assert "unknown" in browser.ask("document.getElementById('timeline').getAttribute('aria-label')")
    assert browser.complaints() == []


def test_a_browser_that_computes_something_else_says_so(browser, pages, tmp_path):
    """As if its WebAssembly rounded otherwise: the page holds one logit that the model does not give."""
    held = json.loads(re.search(r'id="contract">(.*?)</script>', pages["int8"][0].file.read_text(), re.DOTALL)[1])
    logits = np.frombuffer(base64.b64decode(held["golden"]["logits"]), "<f4").copy()
    logits[CLASSES + 1] = np.nextafter(logits[CLASSES + 1], np.float32(np.inf))
    held["golden"]["logits"] = base64.b64encode(logits.tobytes()).decode()
    (tmp_path / "page.html").write_text(write_page(held), encoding="utf-8")
    show(browser, tmp_path / "page.html")
    assert browser.ask("document.getElementById('golden').textContent").startswith("3 of 4 golden windows")
    assert "computes other logits" in browser.ask("document.getElementById('message').textContent")


def test_names_of_classes_cannot_leave_the_page(browser, pages):
    show(browser, pages["float32"][0].file)
    assert browser.ask("document.querySelector('#classes li:last-child span').textContent") == PHONE.classes[-1]
    assert browser.ask("document.scripts.length") == 2


@pytest.mark.parametrize("function", [compile_wasm, export_web])
def test_the_examples_run(pages, function, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder().find(function, globs={})
    assert example.examples
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example).failed == 0, capsys.readouterr()


def test_a_missing_compiler_is_one_sentence(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs clang and wasm-ld, but clang is not there; install them"):
        export_web(bundle, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_the_command_writes_the_page_and_a_recording_of_ones_own(bundle, tmp_path, capsys):
    if shutil.which("wasm-ld") is None or shutil.which("clang") is None:
        unavailable("clang or wasm-ld is not installed (apt-get install clang lld)")
    walk = write_csv(tmp_path / "walk.csv", draw_windows(8).reshape(-1, 6), np.arange(8 * SPEC.window) / 25)
    line = ["export", str(bundle.path), "--to", "web", "--out", str(tmp_path / "page"), "--name", "watch", "--json"]
    assert main([*line, "--int8", "--recording", str(walk)]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["bytes"] == (tmp_path / "page" / "watch.html").stat().st_size
    assert written["recording"] == "8 s of walk."


def test_the_gallerys_model_runs(browser, tmp_path):
    """The demo's model as the documentation keeps it, in the page of today."""
    held = json.loads((Path(__file__).parents[2] / "docs" / "gallery" / "demo.json").read_text(encoding="utf-8"))
    page = tmp_path / "demo.html"
    page.write_text(write_page(held), encoding="utf-8")
    assert page.stat().st_size < 100_000
    show(browser, page, 800)
    browser.press("#end")
    given = answers(browser)
    assert len({each["label"] for each in given}) > len(held["classes"]) // 2
    assert browser.ask("document.getElementById('golden').textContent").startswith("4 of 4")
    assert np.isfinite([each["logits"] for each in given]).all()
    assert browser.complaints() == browser.requests() == []
