"""A method's fingerprint changes with any code that the method reaches, not with texts and formatting."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import linecache
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import numpy as np
import pytest

import stillmotion.methods
from stillmotion.methods import METHODS, Method, method_code
from stillmotion.methods.lm import objective

METHOD = """
import jax.numpy as jnp
from stillmotion.methods import Method, Range

FACTOR = 2.0

def soften(x, temperature):
    # What teaches.
    return x / temperature

def objective(batch, student, teacher, hyperparameters, aux_params):
    '''The gap.'''
    gap = soften(student["logits"], hyperparameters["temperature"]) - teacher["logits"]
    return {"gap": FACTOR * jnp.mean(gap**2)}

SPACE = {"temperature": Range(4, 1, 8)}
OWN = Method("own", "a title", "a source", objective, teacher_taps=("logits",), hyperparameters=SPACE)
"""
SAME = {
    "a docstring": ("'''The gap.'''", "'''The squared gap, a mean over all.'''"),
    "no docstring": ("'''The gap.'''", ""),
    "a comment": ("# What teaches.", "# Softer."),
    "formatting": ('hyperparameters["temperature"]) - ', "hyperparameters['temperature'],\n    ) - "),
    "an annotation": ("def soften(x, temperature):", "def soften(x: float, temperature: float) -> float:"),
    "what nothing reaches": ("FACTOR = 2.0", "FACTOR = 2.0\nOTHER = 3.0\n\ndef other():\n    return OTHER"),
    "a title": ('"a title"', '"another title"'),
    "a range of the search": ("Range(4, 1, 8)", "Range(4, 2, 9)"),
}
OTHER = {
    "the objective": ("gap**2", "gap**4"),
    "a sign": (") - teacher", ") + teacher"),
    "a function that it calls": ("x / temperature", "x / temperature**2"),
    "a number of its module": ("FACTOR = 2.0", "FACTOR = 2.5"),
    "a default": ("Range(4, 1, 8)", "Range(5, 1, 8)"),
    "what it asks of the teacher": ('teacher_taps=("logits",)', 'teacher_taps=("logits", "embedding")'),
}


@pytest.fixture
def written(tmp_path):
    """Makes a method from the text of a file of the user's own."""
    count = iter(range(100))

    def make(text):
        path = tmp_path / f"own_{next(count)}.py"
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.OWN

    return make


@pytest.mark.parametrize("change", list(SAME))
def test_words_and_formatting_of_a_users_own_method_leave_its_fingerprint(written, change):
    before, after = SAME[change]
    assert before in METHOD
    assert method_code(written(METHOD)) == method_code(written(METHOD.replace(before, after)))


@pytest.mark.parametrize("change", list(OTHER))
def test_an_edited_objective_of_a_users_own_method_has_another_fingerprint(written, change):
    before, after = OTHER[change]
    assert before in METHOD
    assert method_code(written(METHOD)) != method_code(written(METHOD.replace(before, after)))


def test_code_that_is_reached_in_roundabout_ways_counts():
    def scaled(factor):
        return lambda batch, student, teacher, hyperparameters, aux_params: {"gap": factor * student["logits"]}

    class Callable:
        def __init__(self, weights):
            self.weights = weights

        def __call__(self, batch, student, teacher, hyperparameters, aux_params):
            return {"gap": self.weights @ student["logits"]}

    def bent(power, batch, student, teacher, hyperparameters, aux_params):
        return {"gap": student["logits"] ** power}

    @jax.jit
    def compiled(batch, student, teacher, hyperparameters, aux_params):
        return {"gap": student["logits"]}

    @jax.jit
    def compiled_otherwise(batch, student, teacher, hyperparameters, aux_params):
        return {"gap": -student["logits"]}

    objectives = [
        scaled(1.0),
        scaled(2.0),
        Callable(np.ones(3)),
        Callable(np.zeros(3)),
        functools.partial(bent, 2),
        functools.partial(bent, 3),
        compiled,
        compiled_otherwise,
        objective,
    ]
    codes = [method_code(Method("own", "", "", each)) for each in objectives]
    assert len(set(codes)) == len(codes)
    assert codes == [method_code(Method("own", "", "", each)) for each in objectives]
    assert method_code(Method("own", "", "", Callable(np.ones(3)))) == codes[2]


def test_a_method_of_a_session_without_source_counts_by_what_python_made_of_it():
    def make(text):
        space = {"Method": Method}
        exec(compile(textwrap.dedent(text), "<nowhere>", "exec"), space)
        return method_code(space["OWN"])

    text = "def objective(b, s, t, n, e):\n    'Words.'\n    return {'gap': s['logits'] * 2}\n"
    text += "OWN = Method('own', '', '', objective)"
    assert make(text) == make(text.replace("Words", "Other words"))
    assert make(text) != make(text.replace("* 2", "* 3"))
    assert make(text) != make(text.replace("* 2", "+ 2"))


def test_a_method_of_a_notebook_counts_by_its_source(monkeypatch):
    def run(name, text):
        # A cell is compiled by itself, with its text where tracebacks find it, in a module without a file.
        monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(keepends=True), name))
        space = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), space)
        return method_code(space["OWN"])

    assert run("<cell 1>", METHOD) == run("<cell 2>", METHOD.replace("The gap.", "Words."))
    assert run("<cell 3>", METHOD) != run("<cell 4>", METHOD.replace("gap**2", "gap**4"))


@pytest.fixture
def edited(tmp_path):
    """Makes fingerprints of built-in methods after an edit of a copy of the package's own files, in a process."""

    def codes(file="", before="", after=""):
        package = tmp_path / "edited" / "stillmotion"
        shutil.rmtree(package, ignore_errors=True)
        source = Path(stillmotion.methods.__file__).parents[1]
        shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
        if file:
            path = package / "methods" / file
            text = path.read_text()
            assert before in text
            path.write_text(text.replace(before, after, 1))
        call = "from stillmotion.methods import METHODS, method_code\n"
        call += "for name, method in METHODS.items(): print(name, method_code(method))"
        done = subprocess.run(
            [sys.executable, "-c", call],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(package.parent), "KERAS_BACKEND": "jax", "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        )
        return dict(line.split() for line in done.stdout.splitlines())

    return codes


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (
            ("rb_kd.py", 'hyperparameters["alpha"]', '(1 - hyperparameters["alpha"])'),
            {"rb-kd", "rb-kd-att", "rab-kd", "kd", "takd"},
        ),
        pytest.param(("dkd.py", "TCKD = KL between", "TCKD is KL between"), set(), marks=pytest.mark.slow),
        pytest.param(("dkd.py", "tau**2", "tau"), {"dkd"}, marks=pytest.mark.slow),
        pytest.param(
            ("losses.py", "import jax.numpy as jnp", "import jax.numpy as jnp\n"), set(), marks=pytest.mark.slow
        ),
    ],
)
def test_an_edit_of_a_built_in_method_changes_it_and_those_that_use_its_code(edited, edit, changed):
    known = {name: method_code(method) for name, method in METHODS.items()}
    codes = edited(*edit)
    assert {name for name in known if codes[name] != known[name]} == changed


def test_every_built_in_method_but_copies_of_one_has_a_fingerprint_of_its_own():
    codes = {}
    for name, method in METHODS.items():
        codes.setdefault(method_code(method), []).append(name)
    assert sorted(names for names in codes.values() if len(names) > 1) == [["kd", "rb-kd", "takd"]]
    assert method_code(METHODS["kd"]) == method_code(dataclasses.replace(METHODS["kd"], title="another", when="never"))
    assert method_code(METHODS["hmkd"].choose({"ensemble": "per-network"})) != method_code(METHODS["hmkd"])
