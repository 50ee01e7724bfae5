"""The bundle: what leaves the lab. A folder that Keras and NumPy open, with the contract its signal must fit.

``model.keras`` (signal to logits), ``signal.json`` (the contract), ``scores.json`` (per person), ``provenance.json``
(where it comes from, and a checksum of the model), ``README.md`` (the card). No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ContractError, UserError
from ..signals import SignalSpec
from .card import card
from .cost import cost
from .draws import drawn_by_numpy
from .heads import gives_logits, refuse_probabilities
from .taps import inference

MODEL, SIGNAL, SCORES, PROVENANCE, CARD = "model.keras", "signal.json", "scores.json", "provenance.json", "README.md"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model with everything one must know to use it.

    Args:
        path: its folder.
        spec: the contract that windows must fit.
        scores: one row per person: ``subject`` and numbers.
        provenance: where the model comes from: data, protocol, method, seed, versions.
    """

    path: Path
    spec: SignalSpec
    scores: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]

    @classmethod
    def save(
        cls,
        path: str | Path,
        model: keras.Model,
        spec: SignalSpec,
        *,
        scores: Sequence[Mapping[str, Any]] = (),
        provenance: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> Bundle:
        """Write a bundle; the folder appears whole or not at all.

        Args:
            path: folder to make.
            model: its auxiliary classifiers are left out, and a softmax at its end; input and logits must have the
                contract's shape.
            spec: the contract of the windows it was trained on.
            scores: one row per person, each with ``subject``.
            provenance: plain values; the versions used are added.
            replace: take the place of a bundle that is there already.
        """
        path = Path(path)
        if path.exists() and not (replace and (path / SIGNAL).is_file()):
            what = "is a bundle already; say replace" if (path / SIGNAL).is_file() else "exists and is no bundle"
            raise UserError(f"{path} {what}.")
        if any("subject" not in row for row in scores):
            raise UserError("Every row of a bundle's scores needs a 'subject'.")
        device = inference(model)
        _require_shape(device, spec)
        _require_logits(device)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            device.save(draft / MODEL)
            story = {
                **(provenance or {}),
                "network": model.name.replace("_", "-"),
                "versions": {name: version(name) for name in ("stillmotion", "keras", "numpy")},
                "sha256": {MODEL: _checksum(draft / MODEL)},
            }
            rows = [dict(row) for row in scores]
            for name, value in ((SIGNAL, spec.to_dict()), (SCORES, rows), (PROVENANCE, story)):
                (draft / name).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
            (draft / CARD).write_text(card(cost(device), spec, rows, story), encoding="utf-8")
            _move_into_place(draft, path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read a bundle's papers and check its model's checksum; the model itself is loaded when first used."""
        path = Path(path)
        missing = [name for name in (MODEL, SIGNAL, SCORES, PROVENANCE) if not (path / name).is_file()]
        if missing:
            raise UserError(f"{path} is no bundle: it lacks {', '.join(missing)}.")
        signal, scores, provenance = (_read(path / name) for name in (SIGNAL, SCORES, PROVENANCE))
        if provenance.get("sha256", {}).get(MODEL) != _checksum(path / MODEL):
            raise UserError(f"{path / MODEL} is not the file that was bundled: its checksum differs; copy it anew.")
        return cls(path, SignalSpec.from_dict(signal), tuple(scores), provenance)

    @cached_property
    def model(self) -> keras.Model:
        """The network, from the signal in its own units to logits."""
        with drawn_by_numpy():
            return inference(keras.models.load_model(self.path / MODEL, compile=False))

    def logits(self, windows: ArrayLike, spec: SignalSpec) -> NDArray[np.float32]:
        """Logits (window, class) of ``windows`` (window, time, channel); ``spec`` must fit the bundle's contract."""
        self.spec.require_fit(spec, this="bundle", other="signal")
        windows = np.asarray(windows, np.float32)
        expected = (self.spec.window, len(self.spec.channels))
        if windows.shape[1:] != expected:
            raise ContractError(f"The bundle takes windows of shape {expected}, not {windows.shape[1:]}.")
        if not len(windows):
            return np.zeros((0, len(self.spec.classes)), np.float32)
        return np.asarray(self.model.predict(windows, batch_size=256, verbose=0), np.float32)

    def predict(self, windows: ArrayLike, spec: SignalSpec) -> NDArray[np.float32]:
        """Probabilities (window, class) of ``windows`` (window, time, channel), which must fit as for ``logits``."""
        logits = self.logits(windows, spec)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True)) if len(logits) else logits
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _require_shape(model: keras.Model, spec: SignalSpec) -> None:
    wanted = (spec.window, len(spec.channels)), (len(spec.classes),)
    found = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if found != wanted:
        raise ContractError(
            f"The network maps {found[0]} to {found[1]} but its signal has windows of {wanted[0]} and {wanted[1][0]} "
            "classes."
        )


def _require_logits(model: keras.Model) -> None:
    """Refuse a model whose answers to a few drawn windows are probabilities, where its last layer leaves that open."""
    if not gives_logits(model.outputs[0]):
        drawn = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])).astype(np.float32)
        refuse_probabilities(model.predict(drawn, verbose=0), network=model.name)


def _move_into_place(draft: Path, path: Path) -> None:
    old = draft.with_name(f"{draft.name}-old")
    if path.exists():
        path.rename(old)
    draft.rename(path)
    path.chmod(0o755)
    shutil.rmtree(old, ignore_errors=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise UserError(f"{path} is not readable as JSON ({problem}); copy the bundle anew.") from problem


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
