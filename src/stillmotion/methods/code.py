"""A fingerprint of what a method computes: its code, and all code that this reaches.

What is hashed are syntax trees without docstrings, annotations, comments and formatting, and the values that functions
find outside of themselves. Code of installed packages counts by its name alone.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
import linecache
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from .method import Method

#: Fields of a method that words alone are in.
WORDS = ("name", "title", "source", "when")
#: Fields of a syntax tree that compute nothing, or that not every Python has.
IDLE = ("annotation", "returns", "kind", "type_comment", "type_params", "type_ignores")
#: Folders of Python itself and of installed packages.
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
HERE = __name__.rpartition(".")[0]


def method_code(method: Method) -> str:
    """Fingerprint of what a method computes, the same whatever its words, comments and formatting are.

    Args:
        method: built in, or a user's own: its functions may be defined anywhere, in a notebook too.
    """
    called = [value for part in fields(method) if callable(value := getattr(method, part.name))]
    roots = {str(getattr(each, "__module__", None)).partition(".")[0] for each in called}
    return _hash(_Walk(frozenset(roots)).value(method))


def class_code(kind: type) -> str:
    """Fingerprint of a class, such as a user's own Keras layer."""
    return _hash(_Walk(frozenset({kind.__module__.partition(".")[0]})).value(kind))


class _Walk:
    """What a value comes to, as plain lists; what was met before is a number, so that circles end."""

    def __init__(self, roots: frozenset[str]) -> None:
        self.roots = roots - {__name__.partition(".")[0]}
        self.met: dict[int, int] = {}
        self.kept: list[Any] = []

    def value(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
            return repr(value)
        if isinstance(value, (list, tuple)):
            return [type(value).__name__, *map(self.value, value)]
        if isinstance(value, (set, frozenset)):
            return ["set", *sorted(json.dumps(self.value(each)) for each in value)]
        if isinstance(value, Mapping):
            return ["table", *([self.value(key), self.value(each)] for key, each in value.items())]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if hasattr(value, "__array__") and not isinstance(value, type):
            array = np.asarray(value)
            return ["array", str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
        if id(value) in self.met:
            return self.met[id(value)]
        self.met[id(value)] = len(self.met)
        self.kept.append(value)  # While it lives, nothing else has its id.
        return self._thing(value)

    def _thing(self, value: Any) -> Any:
        if isinstance(value, Method):
            kept = {part.name: getattr(value, part.name) for part in fields(value) if part.name not in WORDS}
            kept["hyperparameters"] = {name: number.default for name, number in value.hyperparameters.items()}
            return ["method", self.value(kept), *([] if type(value) is Method else [self.value(type(value))])]
        if isinstance(value, functools.partial):
            return ["partial", self.value(value.func), self.value(value.args), self.value(value.keywords)]
        if isinstance(value, types.MethodType):
            return ["bound", self.value(value.__func__), self.value(value.__self__)]
        if isinstance(value, (staticmethod, classmethod)):
            return [type(value).__name__, self.value(value.__func__)]
        if isinstance(value, property):
            return ["property", self.value(value.fget), self.value(value.fset)]
        if isinstance(value, types.BuiltinFunctionType):
            return _name(value)
        if isinstance(value, types.FunctionType):
            return self._function(value) if self._own(value.__module__) else _name(value)
        if not isinstance(value, type) and hasattr(value, "__wrapped__"):
            return ["wrapped", type(value).__name__, self.value(value.__wrapped__)]
        if isinstance(value, type):
            if not self._own(value.__module__):
                return _name(value)
            inside = {name: each for name, each in vars(value).items() if _counts(name, each)}
            return ["class", [self.value(base) for base in value.__bases__], self.value(inside)]
        if self._own(type(value).__module__):
            return ["object", self.value(type(value)), self.value(dict(getattr(value, "__dict__", {})))]
        return _name(type(value))

    def _function(self, function: types.FunctionType) -> Any:
        tree = _tree(function)
        code = _code(function.__code__, function.__doc__) if tree is None else _dump(tree)
        outside = dict(sorted(self._outside(function, tree)))
        return ["function", code, self.value([function.__defaults__, function.__kwdefaults__]), outside]

    def _outside(self, function: types.FunctionType, tree: ast.AST | None) -> Iterator[tuple[str, Any]]:
        """What a function finds outside of itself: in the function around it, and in its module."""
        names = set(_names(function.__code__))
        there = {name: value for name, value in function.__globals__.items() if name in names}
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                there[name] = cell.cell_contents
            except ValueError:
                continue  # Not filled yet.
        chains = {(name,) for name in there} if tree is None else set(_chains(tree))
        for name, *attributes in sorted(chains):
            if name not in there:
                continue
            value = there[name]
            while attributes and isinstance(value, types.ModuleType) and self._own(value.__name__):
                value = getattr(value, attributes.pop(0), None)
            yield f"{name}.{'.'.join(attributes)}", self.value(value)

    def _own(self, module: str | None) -> bool:
        """Whether the code of a module counts."""
        name = module or ""
        if name == HERE or name.startswith(f"{HERE}."):
            return True
        top = name.partition(".")[0]
        if top == HERE.partition(".")[0] or top in sys.stdlib_module_names:
            return False
        file = getattr(sys.modules.get(name), "__file__", None)
        return top in self.roots or file is None or not file.startswith(INSTALLED)


def _hash(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _counts(name: str, value: Any) -> bool:
    """Whether an entry of a class computes anything."""
    if isinstance(value, types.FunctionType) and value.__code__.co_filename == "<string>":
        return False  # Written by ``dataclass``.
    given = ("__init__", "__call__", "__post_init__")
    return name in given or not (name.startswith("__") or isinstance(value, types.MemberDescriptorType))


def _tree(function: types.FunctionType) -> ast.AST | None:
    """The syntax tree of a function, None where its source is not to be had."""
    code = function.__code__
    there = [node for node in _definitions(code.co_filename, function) if _line(node) == code.co_firstlineno]
    named = [node for node in there if getattr(node, "name", "<lambda>") == code.co_name]
    # Lambdas of one line cannot be told apart: all of them count.
    return ast.Module(named, []) if named else None  # type: ignore[arg-type]


def _definitions(file: str, function: types.FunctionType) -> list[ast.AST]:
    linecache.checkcache(file)
    return _parsed("".join(linecache.getlines(file, function.__globals__)))


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> list[ast.AST]:
    try:
        nodes = ast.walk(ast.parse(text))
    except SyntaxError:
        return []
    return [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))]


def _line(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", [])
    return int(decorators[0].lineno if decorators else node.lineno)  # type: ignore[attr-defined]


def _dump(node: Any) -> Any:
    """A syntax tree as plain lists, the same in every Python that can read it."""
    if isinstance(node, list):
        return [_dump(each) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    body = getattr(node, "body", None)
    if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and _is_text(body[0].value):
        node = type(node)(**{**dict(ast.iter_fields(node)), "body": body[1:]})
    parts = [(name, value) for name, value in ast.iter_fields(node) if name not in IDLE and value not in (None, [])]
    return [type(node).__name__, *([name, _dump(value)] for name, value in parts)]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _chains(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """Names with the attributes that are asked of them: ``rb_kd.objective`` is ("rb_kd", "objective")."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            yield (node.id, *attributes)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _names(constant)


def _code(code: types.CodeType, text: str | None) -> Any:
    """What Python made of a function whose source is not to be had; the docstring is left out."""
    constants = [each for number, each in enumerate(code.co_consts) if number or text is None or each != text]
    plain = [_code(each, None) if inspect.iscode(each) else repr(each) for each in constants]
    return [code.co_code.hex(), plain, list(code.co_names), list(code.co_varnames)]
