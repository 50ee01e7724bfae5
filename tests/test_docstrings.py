"""Examples in the docstrings of the public surface run, and say what a call takes and gives."""

import doctest
import importlib
import inspect
import io
import re

import pytest

import stillmotion
from stillmotion.networks.draws import drawn_by_numpy

ROOMS = (
    *("signals", "windows", "features", "networks", "methods"),
    *("evaluation", "training", "decoding", "bundles", "deploy", "studies", "reports"),
)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
#: Public functions that have no example yet: take a name out when it gets one, never add one.
WITHOUT_EXAMPLE = {
    "reports.write_report",
    "signals.fetch",
    "studies.compare_protocols",
    "studies.read_protocol_gap",
}


def public_objects():
    """Functions and classes by name, those of the package's own list under their room's name."""
    rooms = {room: importlib.import_module(f"stillmotion.{room}") for room in ROOMS}
    objects = {f"{room}.{name}": getattr(module, name) for room, module in rooms.items() for name in module.__all__}
    short = {name: getattr(stillmotion, name) for name in stillmotion.__all__ if name not in rooms}
    return objects | {name: value for name, value in short.items() if value not in objects.values()}


PUBLIC = {name: value for name, value in public_objects().items() if callable(value)}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}


def examples_of(name):
    """The docstrings with examples of a function, or of a class and its methods."""
    docstrings = doctest.DocTestFinder().find(PUBLIC[name], name, globs={})
    return [each for each in docstrings if each.examples]


EXAMPLES = {name: examples for name in PUBLIC if (examples := examples_of(name))}


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # Keras saves
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of(name, tmp_path, monkeypatch, forget_own):
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    with drawn_by_numpy():  # Keras compiles every draw of weights
        for example in EXAMPLES[name]:
            doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=output.write)
    if output.getvalue():
        pytest.fail(output.getvalue(), pytrace=False)


def test_public_functions_without_an_example_only_become_fewer():
    assert set(FUNCTIONS) - set(EXAMPLES) == WITHOUT_EXAMPLE


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name in EXAMPLES])
def test_the_docstring_says_what_is_taken_and_what_comes_back(name):
    text, signature = inspect.getdoc(FUNCTIONS[name]), inspect.signature(FUNCTIONS[name])
    arguments = re.split(r"^Args:$", text, flags=re.MULTILINE)
    if signature.parameters:
        assert len(arguments) == 2
        entries = re.findall(r"^    (\w+(?:, \w+)*): ", arguments[1], flags=re.MULTILINE)
        assert {each for entry in entries for each in entry.split(", ")} >= set(signature.parameters)
    if signature.return_annotation != "None":
        assert re.search(r"^Returns:$", text, flags=re.MULTILINE)
    assert text.index(">>>") > text.index("Example:")
