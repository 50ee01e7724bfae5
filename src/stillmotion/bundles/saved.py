"""Open a saved model and count its cost."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from ..errors import UserError
from ..networks.cost import Cost, network_cost
from ..networks.draws import drawn_by_numpy
from .bundle import Bundle
from .classifier import cost_of_classifier
from .contents import MODEL


def saved_cost(path: str | Path) -> Cost:
    """Count the cost of a saved model; its window, channels and classes are read from the file.

    Args:
        path: a bundle's folder, whose checksums are verified, or a ``.keras`` file.

    Returns:
        The cost of one window.

    Raises:
        UserError: there is no such file, it cannot be opened, its window has no fixed length, or a layer's type has no
            formula; the message names it.

    Example:
        >>> from stillmotion.networks import build_network
        >>> from stillmotion.bundles import saved_cost
        >>> build_network("mlp-small", (50, 3, 4)).save("model.keras")
        >>> cost = saved_cost("model.keras")
        >>> cost.input_shape, cost.output_shape, cost.params
        ((50, 3), (4,), 6020)
    """
    path = Path(path)
    if not path.is_dir() and path.suffix != ".keras":
        raise UserError(f"{path} is neither the folder of a bundle nor a .keras file.")
    bundle = Bundle.open(path) if path.is_dir() else None
    if bundle is not None and bundle.classifier is not None:
        return cost_of_classifier(bundle.classifier, str(bundle.provenance.get("method", "feature-classifier")))
    model = open_model(path if bundle is None else path / MODEL)
    try:
        return network_cost(model)
    except UserError as problem:
        raise UserError(f"{path}: {problem}") from problem


def open_model(path: str | Path) -> keras.Model:
    """Open a ``.keras`` file without compiling it; no code in it is run.

    Args:
        path: a file written by ``keras.Model.save``.

    Returns:
        The model.

    Raises:
        UserError: there is no such file, it is damaged, or it holds layers that Keras cannot load; the message names
            them.

    Example:
        >>> from stillmotion.networks import build_network
        >>> from stillmotion.bundles import open_model
        >>> build_network("mlp-small", (50, 3, 4)).save("model.keras")
        >>> open_model("model.keras").output_shape
        (None, 4)
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is not there.")
    try:
        with drawn_by_numpy():
            return keras.models.load_model(path, compile=False)
    except Exception as problem:  # Keras raises many types for files that it cannot load.
        if names := ", ".join(dict.fromkeys(_foreign(path))):
            reason = f"it holds {names}, which Keras cannot load; import what registers it, or save plain layers"
        else:
            reason = f"it is damaged or no Keras file ({str(problem).splitlines()[0][:200]})"
        raise UserError(f"{path} cannot be opened: {reason}.") from problem


def _foreign(path: Path) -> Iterator[str]:
    """Yield the names of classes and functions in a file that do not belong to Keras."""
    try:
        with zipfile.ZipFile(path) as file:
            pending: list[Any] = [json.loads(file.read("config.json"))]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            name, module = value.get("class_name"), value.get("module")
            if isinstance(name, str) and not (
                isinstance(module, str) and module.split(".")[0] in ("keras", "builtins")
            ):
                yield name.strip("_")
            pending += value.values()
        elif isinstance(value, list):
            pending += value
