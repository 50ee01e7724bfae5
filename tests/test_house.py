"""The house stays in order: rooms import only from rooms before them, and nothing heavy before it is needed."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "stillmotion"
ROOMS = (
    "signals",
    "windows",
    "features",
    "networks",
    "methods",
    "evaluation",
    "training",
    "decoding",
    "bundles",
    "deploy",
    "studies",
    "reports",
    "commands",
)
HEAVY = ("jax", "keras", "pyarrow", "scipy", "sklearn", "matplotlib", "rich", "numpy")


def imports_of(path):
    """Rooms that a file imports, whole modules and names alike."""
    package = path.relative_to(SOURCE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = node.module.split(".") if node.module else []
            places = [[*base, *module]] if module or base else [[alias.name] for alias in node.names]
            yield from (place[0] for place in places if place)


@pytest.mark.parametrize("room", [room for room in ROOMS if (SOURCE / room).is_dir()])
def test_a_room_imports_only_from_rooms_before_it(room):
    before = {"errors", "names", "escaping", "formatting", "files", "interrupts", "limits", "compiled", "__version__"}
    allowed = {*ROOMS[: ROOMS.index(room) + 1], *before}
    for path in (SOURCE / room).rglob("*.py"):
        assert set(imports_of(path)) <= allowed, f"{path.relative_to(SOURCE)} reaches forward"


def test_every_room_says_what_it_is_for_and_what_is_public():
    for room in SOURCE.iterdir():
        if room.is_dir() and room.name != "__pycache__":
            assert room.name in ROOMS, f"{room.name} has no place in the house"
            text = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
            assert text
            assert 2 <= len(text.splitlines()) <= 8, f"{room.name}/__init__ says in a few lines what it is for"


def test_help_and_import_load_nothing_heavy():
    code = f"""
import sys, stillmotion, stillmotion.cli
try:
    stillmotion.cli.main(["--help"])
except SystemExit as end:
    assert end.code == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_file_is_an_attic():
    for path in SOURCE.rglob("*.py"):
        assert not re.fullmatch(r"(utils?|helpers?|common|misc|manager|base)\.py", path.name), path
        assert len(path.read_text().splitlines()) < 400, f"{path} needs a map"


def modules_imported_by(path):
    """Modules of the package that a file imports anywhere, in functions and for types too."""
    package = path.relative_to(SOURCE.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            yield from (".".join(base), *(".".join([*base, alias.name]) for alias in node.names))


def test_no_file_imports_another_that_imports_it():
    files = {".".join(path.relative_to(SOURCE.parent).with_suffix("").parts): path for path in SOURCE.rglob("*.py")}
    files = {name: path for name, path in files.items() if not name.endswith("__init__") and path.name != "__main__.py"}
    imports = {name: set(modules_imported_by(path)) & files.keys() for name, path in files.items()}
    ended = set()

    def visit(name, trail):
        assert name not in trail, " imports ".join([*trail[trail.index(name) :], name])
        if name not in ended:
            for other in sorted(imports[name]):
                visit(other, [*trail, name])
            ended.add(name)

    for name in imports:
        visit(name, [])
