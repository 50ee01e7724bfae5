"""Ctrl-C ends a command within seconds, wherever it comes, with what was trained kept.

Each test is a process of its own, which sends itself Ctrl-C at a known place. What Ctrl-C does is set by each: whoever
runs the tests may have it ignored, as shells do for what runs in the background.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.test_cli import QUICK

HELPERS = """
import gc, hashlib, os, signal, sys, threading, time, weakref
from concurrent.futures import ThreadPoolExecutor
from stillmotion import interrupts

def press():
    os.kill(os.getpid(), signal.SIGINT)

def long():
    # As a compiled program does: no signal is looked at until it has ended.
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)

class Thing:
    def __del__(self):
        press()
"""
COMMAND = """
try:
    with interrupts.stoppable("told to stop"), interrupts.saved_when_stopped(lambda: os.write(1, b"saved ")):
        work()
        while True:
            time.sleep(0.05)
except KeyboardInterrupt:
    interrupts.end_stopped("told to stop")
"""
PLACES = {
    "between two lines": "press()",
    "in a callback of the garbage collector, such as JAX has": """
        def callback(phase, info):
            gc.callbacks.remove(callback)
            press()
        gc.callbacks.append(callback)
        gc.collect()
        """,
    "in a destructor": "Thing()",
    "in a callback of a weak reference": """
        class Other: pass
        it = Other()
        kept = weakref.ref(it, lambda _: press())
        del it
        """,
    "in a thread of a pool": """
        with ThreadPoolExecutor(2) as pool:
            pool.submit(press)
            list(pool.map(time.sleep, [0.1] * 4))
        """,
    "where it is swallowed": """
        try:
            press()
            time.sleep(1)
        except BaseException:
            pass
        """,
    "while something runs that looks at no signal": """
        threading.Timer(0.2, press).start()
        long()
        """,
    "while something is saved": """
        with interrupts.SAVING:
            press()
            time.sleep(1)
        """,
}


def child(code, *, ignored=False):
    """Exit code, output and errors of a process of this code."""
    before = "signal.SIG_IGN" if ignored else "signal.default_int_handler"
    text = f"{HELPERS}\nsignal.signal(signal.SIGINT, {before})\n{code}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def at(place, grace=0.5):
    body = textwrap.indent(textwrap.dedent(place).strip(), "    ")
    return f"interrupts.GRACE = {grace}\ndef work():\n{body}\n{COMMAND}"


@pytest.mark.parametrize("place", list(PLACES))
def test_ctrl_c_ends_a_command_wherever_it_comes_and_saves_once(place):
    assert child(at(PLACES[place])) == (130, "saved ", "\ntold to stop\n")


def test_ctrl_c_ends_a_command_that_was_started_with_ctrl_c_ignored():
    assert child(at("press()"), ignored=True) == (130, "saved ", "\ntold to stop\n")


def test_ctrl_c_lost_in_a_callback_is_raised_again_and_not_taken_for_a_second_one():
    # With minutes of grace, nothing but the exception ends it in time.
    place = PLACES["in a callback of the garbage collector, such as JAX has"]
    assert child(at(place, grace=300)) == (130, "saved ", "\ntold to stop\n")


def test_a_second_ctrl_c_ends_a_command_at_once():
    place = "threading.Timer(0.2, press).start()\nthreading.Timer(0.4, press).start()\nlong()"
    assert child(at(place, grace=300)) == (130, "", "\ntold to stop\n")


def test_a_command_leaves_signals_as_they_were():
    code = """
def handler(number, frame): pass
signal.signal(signal.SIGINT, handler)
before = threading.active_count(), sys.unraisablehook, signal.set_wakeup_fd(-1)
try:
    with interrupts.stoppable(""):
        press()
        time.sleep(1)
except KeyboardInterrupt:
    pass
assert signal.getsignal(signal.SIGINT) is handler
assert (threading.active_count(), sys.unraisablehook, signal.set_wakeup_fd(-1)) == before
press()
def work():
    with interrupts.stoppable(""):
        print("not the first thread")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    assert child(code) == (0, "not the first thread\n", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["study", "one two.toml"], "finished training is kept. Continue with: still study 'one two.toml'"),
        (["demo", "--out", "there"], "finished training is kept. Continue with: still demo --out there"),
        (["datasets"], "still datasets: stopped."),
    ],
)
def test_the_command_says_how_to_go_on_and_ends_with_130(arguments, sentence):
    code = f"""
from stillmotion import cli
sys.argv = ["still", *{arguments!r}]
for command in cli.COMMANDS:
    command.run = lambda options: (press(), time.sleep(60))
sys.exit(cli.main())
"""
    code, out, errors = child(code)
    assert (code, out) == (130, "")
    assert sentence in errors
    assert "Traceback" not in errors


STUDY = """
import warnings
warnings.simplefilter("ignore")
from stillmotion import cli
from stillmotion.training.progress import Progress
sys.argv = ["still", *sys.argv[1:]]
"""
#: Ctrl-C while the first fleet's second epoch is told of, in a callback that loses it.
LOST = """
def show(self, epoch, *, last=False):
    if epoch.number == 2 and not seen:
        seen.append(1)
        def callback(phase, info):
            gc.callbacks.remove(callback)
            press()
        gc.callbacks.insert(0, callback)
        gc.collect()
    print(epoch.number, epoch.alive, flush=True)
seen = []
Progress.__call__ = show
"""


@pytest.fixture(scope="module")
def study(recordings, tmp_path_factory):
    """Starts a small study in a process, which says each epoch that it has trained."""
    root = tmp_path_factory.mktemp("stopped")
    (root / "quick.toml").write_text(QUICK.replace("epochs = 3", "epochs = 40\npatience = 40"))
    environment = {**os.environ, "STILLMOTION_CACHE": str(root / "cache")}

    def start(out, code, ignored=False):
        call = ["study", str(root / "quick.toml"), "--data", str(recordings), "--out", str(root / out)]
        before = "signal.SIG_IGN" if ignored else "signal.default_int_handler"
        text = f"{HELPERS}\nsignal.signal(signal.SIGINT, {before})\n{STUDY}{code}\nsys.exit(cli.main())"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", text, *call], env=environment, **pipes)

    def table(out):
        rows = json.loads((root / out / "results.json").read_text())["rows"]
        return [{**row, "seconds": 0} for row in rows]

    return start, table


@pytest.mark.slow
def test_ctrl_c_in_a_callback_of_jax_keeps_the_last_whole_epoch_and_the_study_goes_on_from_there(study):
    start, table = study
    with start("lost", LOST, ignored=True) as process:
        out, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "Continue with: still study" in errors
    seen = [int(line.split()[0]) for line in out.splitlines()]
    assert seen[:2] == [1, 2]
    assert len(seen) < 40, "it was lost"
    shows = "Progress.__call__ = lambda self, epoch, *, last=False: print(epoch.number, epoch.alive, flush=True)"
    with start("lost", shows) as process:
        out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert int(out.split()[0]) == seen[-1] + 1
    with start("alone", "") as process:
        _, errors = process.communicate(timeout=300)
    assert table("lost") == table("alone")


@pytest.mark.slow
def test_ctrl_c_at_any_instant_ends_a_study_within_seconds(study):
    start, table = study
    moments = random.Random(7)
    for number in range(20):
        with start("any", "print('begun', flush=True)") as process:
            process.stdout.readline()
            # In imports, while recordings are read, while programs are compiled, in an epoch, in a transaction.
            time.sleep(moments.uniform(0.1, 12) if number % 2 else moments.uniform(0.1, 3))
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
            _, errors = process.communicate(timeout=60)
        assert time.monotonic() - pressed < 20
        if process.returncode == -signal.SIGINT:
            # Python was shutting down, and had put the system's own handler back: the study had ended.
            table("any")
            continue
        assert process.returncode in (0, 130), errors
        assert process.returncode == 0 or "Continue with: still study" in errors
        assert "Traceback" not in errors
    with start("any", "") as process:
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    with start("unstopped", "") as process:
        process.communicate(timeout=300)
    assert table("any") == table("unstopped")


@pytest.mark.slow
def test_ctrl_c_ends_a_command_while_jax_compiles_or_runs_a_program_of_minutes():
    program = """
import jax, jax.numpy as jnp, numpy as np
def program(x):
    return jax.lax.scan(lambda c, _: (jnp.tanh(c @ c), None), x, None, length=100_000)[0]
def work():
    press_later = threading.Timer(DELAY, press)
    press_later.start()
    np.asarray(jax.jit(program)(jnp.ones((500, 500))))
"""
    for delay in (0.1, 2.0):
        started = time.monotonic()
        ended = child(f"interrupts.GRACE = 1\n{program.replace('DELAY', str(delay))}\n{COMMAND}")
        assert ended == (130, "saved ", "\ntold to stop\n")
        assert time.monotonic() - started < 50
