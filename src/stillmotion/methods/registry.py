"""The list of methods: collected from the files of this folder, and the user's own."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..errors import UnknownName, UserError
from ..names import require_file_name
from . import __path__
from .method import Method


def _collect() -> dict[str, Method]:
    """Collect every ``Method`` that a file of this folder defines."""
    names = [each.name for each in iter_modules(__path__) if each.name != __name__.rpartition(".")[2]]
    files = [import_module(f"{__package__}.{name}") for name in sorted(names)]
    defined = [value for file in files for value in vars(file).values() if isinstance(value, Method)]
    return {method.name: method for method in sorted(defined, key=lambda method: method.name)}


#: All methods by name; ``register_method`` adds to them.
METHODS = _collect()
BUILT_IN = frozenset(METHODS)


def get_method(name: str | Method, **options: str) -> Method:
    """Look up a method by name.

    Args:
        name: one of ``METHODS``; a ``Method`` is returned with the options set.
        options: values of the method's options, such as ``project="teacher"``.

    Returns:
        The method with these options.

    Raises:
        UnknownName: no method has this name, or no such option or value exists.

    Example:
        >>> from stillmotion.methods import get_method
        >>> get_method("kd").name
        'kd'
    """
    if not isinstance(name, Method):
        if name not in METHODS:
            raise UnknownName("method", name, list(METHODS))
        name = METHODS[name]
    return name.choose(options)


def register_method(method: Method) -> str:
    """Add a method of one's own to the list, so that studies can name it.

    Args:
        method: its code is part of the fingerprint of every run, so a changed method is trained again.

    Returns:
        Its name. An own method of the same name is replaced.

    Raises:
        UserError: it is no method, its name cannot name a file, or a built-in method has it.

    Example:
        >>> from dataclasses import replace
        >>> from stillmotion.methods import get_method, register_method
        >>> register_method(replace(get_method("kd"), name="my-kd", title="KD of my own"))
        'my-kd'
    """
    if not isinstance(method, Method):
        raise UserError(f"A method is a stillmotion.methods.Method, not {type(method).__name__}.")
    require_file_name(method.name, "method")
    if method.name in BUILT_IN and method is not METHODS[method.name]:
        raise UserError(f"{method.name} is a built-in method; give yours another name.")
    METHODS[method.name] = method
    return method.name
