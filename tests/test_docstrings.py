"""Examples in the docstrings of the public surface run, and say what a call takes and gives."""

import doctest
import importlib
import inspect
import io
import re
import shutil
from functools import cache

import pytest

import stillmotion
from stillmotion.networks.draws import drawn_by_numpy

ROOMS = (
    *("signals", "windows", "features", "networks", "methods"),
    *("evaluation", "training", "decoding", "bundles", "deploy", "studies", "reports"),
)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
#: What an example says that begins where another one ends.
AFTER = re.compile(r"After the example of ``(\w+)``")


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
@pytest.mark.filterwarnings("ignore:The protocol random leaks")
@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.usefixtures("forget_own", "simulated_once")
def test_the_example_of(name, tmp_path, ran):
    run_examples(name, tmp_path, ran)


def run_examples(name, folder, ran):
    """Run the examples of a public object in a folder; return the names that the last one leaves."""
    names, output = {}, io.StringIO()
    for earlier in set(AFTER.findall(inspect.getdoc(PUBLIC[name]) or "")):
        (full,) = (each for each in EXAMPLES if each.rpartition(".")[2] == earlier)
        before, known = ran(full)
        shutil.copytree(before, folder, dirs_exist_ok=True)
        names |= known
    with pytest.MonkeyPatch.context() as patch, drawn_by_numpy():  # Keras compiles every draw of weights
        patch.chdir(folder)
        for example in examples_of(name):
            example.globs.update(names)
            doctest.DocTestRunner(optionflags=OPTIONS).run(example, out=output.write, clear_globs=False)
            names = dict(example.globs)
    if output.getvalue():
        pytest.fail(output.getvalue(), pytrace=False)
    return names


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """``ran(name)``: the folder in which examples ran that others begin with, and the names that they left."""

    @cache
    def run(name):
        folder = tmp_path_factory.mktemp("example")
        return folder, run_examples(name, folder, run)

    return run


def test_every_public_function_has_an_example():
    assert set(FUNCTIONS) <= set(EXAMPLES)


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
