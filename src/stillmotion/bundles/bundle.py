"""The bundle: what leaves the lab. A folder that Keras and NumPy open, with the contract its signal must fit.

``model.keras`` (signal to logits), ``signal.json`` (the contract), ``scores.json`` (per subject), ``provenance.json``
(where it comes from), ``README.md`` (the card), ``manifest.json`` (the SHA-256 of all of these). No pickle anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
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
from ..files import atomic_folder
from ..names import require_name
from ..networks.cost import network_cost
from ..networks.draws import drawn_by_numpy
from ..networks.heads import gives_logits, refuse_probabilities
from ..networks.taps import make_inference_model
from ..signals import SignalSpec
from .card import write_card

MODEL, SIGNAL, SCORES, PROVENANCE, CARD = "model.keras", "signal.json", "scores.json", "provenance.json", "README.md"
MANIFEST = "manifest.json"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model with everything one must know to use it.

    Args:
        path: its folder.
        spec: the contract that windows must fit.
        scores: one row per subject: ``subject`` and numbers.
        provenance: where the model comes from: data, protocol, method, seed, versions.
        sha256: of the model's file.
    """

    path: Path
    spec: SignalSpec
    scores: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]
    sha256: str

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
            scores: one row per subject, each with ``subject``.
            provenance: plain values; the versions used are added.
            replace: take the place of a bundle that is there already.
        """
        path = Path(path)
        require_name(path.name, "bundle's folder")
        if path.exists() and not (replace and (path / SIGNAL).is_file()):
            what = "is a bundle already; say replace" if (path / SIGNAL).is_file() else "exists and is no bundle"
            raise UserError(f"{path} {what}.")
        if any("subject" not in row for row in scores):
            raise UserError("Every row of a bundle's scores needs a 'subject'.")
        device = make_inference_model(model)
        _require_shape(device, spec)
        _require_logits(device)
        story = {
            **(provenance or {}),
            "network": model.name.replace("_", "-"),
            "versions": {name: version(name) for name in ("stillmotion", "keras", "numpy")},
        }
        rows = [dict(row) for row in scores]
        papers = {SIGNAL: spec.to_dict(), SCORES: rows, PROVENANCE: story}
        texts = {name: _as_json(name, value) for name, value in papers.items()}
        texts[CARD] = write_card(network_cost(device), spec, rows, story)
        with atomic_folder(path, replace=replace) as draft:
            device.save(draft / MODEL)
            for name, text in texts.items():
                (draft / name).write_text(text, encoding="utf-8")
            sums = {name: _sha256((draft / name).read_bytes()) for name in sorted((MODEL, *texts))}
            (draft / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=2) + "\n", encoding="utf-8")
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read a bundle's papers and check every file's checksum; the model itself is loaded when first used.

        Raises:
            UserError: when a file is missing, changed, broken, or not of the bundle; it is named.
        """
        path = Path(path)
        while True:
            # Held open, a folder keeps its number: one that was replaced while it was read is known, and read anew.
            held = _hold(path)
            try:
                return cls._read(path)
            except UserError:
                if held < 0 or not path.is_dir() or os.path.samestat(path.stat(), os.fstat(held)):
                    raise
            finally:
                if held >= 0:
                    os.close(held)

    @classmethod
    def _read(cls, path: Path) -> Bundle:
        contents = _verified(path)
        signal, scores, provenance = (_parsed(path / name, contents[name]) for name in (SIGNAL, SCORES, PROVENANCE))
        for name, value in ((SIGNAL, signal), (PROVENANCE, provenance)):
            if not isinstance(value, dict):
                raise UserError(f"{path / name} must hold an object, not a {type(value).__name__}; copy it anew.")
        if not isinstance(scores, list) or not all(isinstance(row, dict) and "subject" in row for row in scores):
            raise UserError(f"{path / SCORES} must hold a list of objects, each with a 'subject'; copy it anew.")
        try:
            spec = SignalSpec.from_dict(signal)
        except UserError as problem:
            raise UserError(f"{path / SIGNAL}: {problem}") from problem
        return cls(path, spec, tuple(scores), provenance, _sha256(contents[MODEL]))

    @cached_property
    def model(self) -> keras.Model:
        """The network, from the signal in its own units to logits."""
        place = self.path / MODEL
        self._require_same_model()
        try:
            with drawn_by_numpy():
                model = make_inference_model(keras.models.load_model(place, compile=False))
        except Exception as problem:  # Keras raises anything where a file is not what it wrote.
            said = str(problem).strip().partition("\n")[0]
            raise UserError(f"{place} cannot be loaded by Keras ({said}); copy the bundle anew.") from problem
        self._require_same_model()
        _require_shape(model, self.spec)
        return model

    def _require_same_model(self) -> None:
        place = self.path / MODEL
        if not place.is_file() or _sha256(place.read_bytes()) != self.sha256:
            raise UserError(f"{place} is not the file that was opened: it was replaced since; open the bundle again.")

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


def _hold(path: Path) -> int:
    """Open a folder, -1 where the system or the folder does not let itself be opened."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return -1


def _verified(path: Path) -> dict[str, bytes]:
    """The content of every file of a bundle, as its manifest lists it."""
    needed = (MODEL, SIGNAL, SCORES, PROVENANCE)
    there = {file.name for file in path.iterdir()} if path.is_dir() else set()
    if missing := [name for name in needed if name not in there]:
        raise UserError(f"{path} is no bundle: it lacks {', '.join(missing)}.")
    if MANIFEST not in there:
        raise UserError(
            f"{path} lacks {MANIFEST}, so nothing says that it is whole; save the bundle again with this version."
        )
    try:
        manifest = _parsed(path / MANIFEST, (path / MANIFEST).read_bytes())
        sums = manifest.get("sha256") if isinstance(manifest, dict) else None
        if not isinstance(sums, dict) or not set(needed) <= set(sums):
            raise UserError(f"{path / MANIFEST} does not list the bundle's files; copy the bundle anew.")
        contents = {name: (path / name).read_bytes() for name in sorted(there - {MANIFEST}) if name in sums}
    except OSError as problem:
        raise UserError(f"{problem.filename or path} cannot be read ({problem.strerror}).") from problem
    for name, expected in sums.items():
        if name not in contents:
            raise UserError(f"{path} lacks {name}, which its {MANIFEST} lists; copy the bundle anew.")
        if _sha256(contents[name]) != expected:
            raise UserError(f"{path / name} is not the file that was bundled: its checksum differs; copy it anew.")
    if added := sorted(there - {MANIFEST, *sums}):
        raise UserError(f"{path / added[0]} is not of the bundle: its {MANIFEST} does not list it; remove it.")
    return contents


def _as_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, indent=2, allow_nan=False) + "\n"
    except ValueError as problem:
        raise UserError(f"{name} of a bundle cannot hold NaN or an infinite number; leave it out.") from problem


def _parsed(path: Path, content: bytes) -> Any:
    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no number of JSON")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        raise UserError(f"{path} is not readable as JSON ({problem}); copy the bundle anew.") from problem


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
