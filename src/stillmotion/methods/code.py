"""Fingerprint what a method computes: its code and all code that it calls.

Hashed are syntax trees without docstrings, annotations, comments and formatting, and the global and enclosing values
that functions use. Of installed packages only names are hashed.
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

#: Fields of a method that hold only text for readers.
WORDS = ("name", "title", "source", "when")
#: Fields of a syntax tree that compute nothing or do not exist in every Python version.
IDLE = ("annotation", "returns", "kind", "type_comment", "type_params", "type_ignores")
#: Folders of Python itself and of installed packages.
INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
HERE = __name__.rpartition(".")[0]


def method_code(method: Method) -> str:
    """Fingerprint what a method computes; texts, comments and formatting do not change it.

    Args:
        method: a built-in or a user's own method; its functions may be defined anywhere, in a notebook too.

    Returns:
        A SHA-256.

    Example:
        >>> from dataclasses import replace
        >>> from stillmotion.methods import get_method, method_code
        >>> kd = get_method("kd")
        >>> method_code(kd) == method_code(replace(kd, title="other words"))
        True
        >>> method_code(kd) == method_code(replace(kd, objective=get_method("dkd").objective))
        False
    """
    called = [value for part in fields(method) if callable(value := getattr(method, part.name))]
    roots = {str(getattr(function, "__module__", None)).partition(".")[0] for function in called}
    return _hash(_Walk(frozenset(roots)).value(method))


def class_code(kind: type) -> str:
    """Fingerprint a class, such as a user's own Keras layer."""
    return _hash(_Walk(frozenset({kind.__module__.partition(".")[0]})).value(kind))


class _Walk:
    """Turn a value into plain lists; an object seen before becomes a number, so that cycles end."""

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
            return ["set", *sorted(json.dumps(self.value(item)) for item in value)]
        if isinstance(value, Mapping):
            return ["table", *([self.value(key), self.value(item)] for key, item in value.items())]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if hasattr(value, "__array__") and not isinstance(value, type):
            array = np.asarray(value)
            return ["array", str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
        if id(value) in self.met:
            return self.met[id(value)]
        self.met[id(value)] = len(self.met)
        self.kept.append(value)  # Kept alive, so that no other object gets its id.
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
            inside = {name: member for name, member in vars(value).items() if _counts(name, member)}
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
        """Yield what a function uses from the function around it and from its module."""
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
        """Tell whether the code of a module is part of the fingerprint."""
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
    """Tell whether a member of a class computes anything."""
    if isinstance(value, types.FunctionType) and value.__code__.co_filename == "<string>":
        return False  # Written by ``dataclass``.
    given = ("__init__", "__call__", "__post_init__")
    return name in given or not (name.startswith("__") or isinstance(value, types.MemberDescriptorType))


def _tree(function: types.FunctionType) -> ast.AST | None:
    """Return the syntax tree of a function, or None where its source is not available."""
    code = function.__code__
    there = [node for node in _definitions(code.co_filename, function) if _line(node) == code.co_firstlineno]
    named = [node for node in there if getattr(node, "name", "<lambda>") == code.co_name]
    # Lambdas on one line cannot be told apart: all of them are hashed.
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
    """Return a syntax tree as plain lists, the same in every Python version that can parse it."""
    if isinstance(node, list):
        return [_dump(child) for child in node]
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
    """Yield names with the attributes read from them: ``rb_kd.objective`` is ("rb_kd", "objective")."""
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
    """Return the byte code of a function whose source is not available, without its docstring."""
    constants = [value for number, value in enumerate(code.co_consts) if number or text is None or value != text]
    plain = [_code(value, None) if inspect.iscode(value) else repr(value) for value in constants]
    return [code.co_code.hex(), plain, list(code.co_names), list(code.co_varnames)]
