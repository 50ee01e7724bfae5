"""Save, open and use a bundle: a folder with a model and the contract that its signal must fit.

Its files are ``model.keras`` (signal to logits), ``signal.json`` (the contract), ``scores.json`` (per subject),
``provenance.json`` (data, protocol, method, versions), ``decoder.json`` (of windows in a row, if there is one),
``README.md`` (the model card) and ``manifest.json`` (SHA-256 of all others). There is no pickle in it.
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

from ..decoding import Decoder
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
DECODER, MANIFEST = "decoder.json", "manifest.json"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A saved model with its signal contract, scores and provenance.

    Args:
        path: the bundle's folder.
        spec: the contract that windows must fit.
        scores: one row per subject: ``subject`` and its scores.
        provenance: where the model comes from: data, protocol, method, seed, versions.
        sha256: checksum of the model's file.
        decoder: of windows in a row, or None.
    """

    path: Path
    spec: SignalSpec
    scores: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]
    sha256: str
    decoder: Decoder | None = None

    @classmethod
    def save(
        cls,
        path: str | Path,
        model: keras.Model,
        spec: SignalSpec,
        *,
        scores: Sequence[Mapping[str, Any]] = (),
        provenance: Mapping[str, Any] | None = None,
        decoder: Decoder | None = None,
        replace: bool = False,
    ) -> Bundle:
        """Save a bundle to a folder; the folder is written atomically.

        Args:
            path: folder to create.
            model: the model; auxiliary classifiers and a final softmax are removed. Its input and logits must have the
                contract's shape.
            spec: the contract of the windows that the model was trained on.
            scores: one row per subject, each with ``subject``.
            provenance: values that fit JSON; the network's name and the versions used are added.
            decoder: of windows in a row, for the classes and the hop of the contract.
            replace: whether to replace a bundle that exists at ``path``.

        Returns:
            The saved bundle.

        Raises:
            UserError: the folder exists, a row has no ``subject``, or the model gives probabilities.
            ContractError: the model or the decoder does not fit the contract.
        """
        path = Path(path)
        require_name(path.name, "bundle's folder")
        if path.exists() and not (replace and (path / SIGNAL).is_file()):
            if (path / SIGNAL).is_file():
                raise UserError(f"{path} is a bundle already; pass replace=True to replace it.")
            raise UserError(f"{path} exists and is no bundle; choose another folder.")
        if any("subject" not in row for row in scores):
            raise UserError("Every row of a bundle's scores needs the key 'subject'.")
        device = make_inference_model(model)
        _require_shape(device, spec)
        _require_logits(device)
        if decoder is not None:
            _require_decoder(decoder, spec)
        full_provenance = {
            **(provenance or {}),
            "network": model.name.replace("_", "-"),
            "versions": {name: version(name) for name in ("stillmotion", "keras", "numpy")},
        }
        rows = [dict(row) for row in scores]
        metadata = {SIGNAL: spec.to_dict(), SCORES: rows, PROVENANCE: full_provenance}
        metadata |= {} if decoder is None else {DECODER: decoder.to_dict()}
        texts = {name: _as_json(name, value) for name, value in metadata.items()}
        texts[CARD] = write_card(network_cost(device), spec, rows, full_provenance)
        with atomic_folder(path, replace=replace) as draft:
            device.save(draft / MODEL)
            for name, text in texts.items():
                (draft / name).write_text(text, encoding="utf-8")
            sums = {name: _sha256((draft / name).read_bytes()) for name in sorted((MODEL, *texts))}
            (draft / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=2) + "\n", encoding="utf-8")
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Open a bundle and verify the checksum of every file; the model is loaded when it is first used.

        Args:
            path: the bundle's folder.

        Returns:
            The bundle.

        Raises:
            UserError: a file is missing, changed, damaged or not listed in the manifest; the message names it.
        """
        path = Path(path)
        while True:
            # A folder that is held open keeps its inode: one replaced while it was read is recognised and read again.
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
                raise UserError(f"{path / name} must hold an object, not a {type(value).__name__}; copy it again.")
        if not isinstance(scores, list) or not all(isinstance(row, dict) and "subject" in row for row in scores):
            raise UserError(f"{path / SCORES} must hold a list of objects, each with a 'subject'; copy it again.")
        try:
            spec = SignalSpec.from_dict(signal)
        except UserError as problem:
            raise UserError(f"{path / SIGNAL}: {problem}") from problem
        decoder = _read_decoder(path / DECODER, contents[DECODER], spec) if DECODER in contents else None
        return cls(path, spec, tuple(scores), provenance, _sha256(contents[MODEL]), decoder)

    @cached_property
    def model(self) -> keras.Model:
        """The model, from the signal in the contract's units to logits."""
        file = self.path / MODEL
        self._require_same_model()
        try:
            with drawn_by_numpy():
                model = make_inference_model(keras.models.load_model(file, compile=False))
        except Exception as problem:  # Keras raises many types for files that it did not write.
            reason = str(problem).strip().partition("\n")[0]
            raise UserError(f"{file} cannot be loaded by Keras ({reason}); copy the bundle again.") from problem
        self._require_same_model()
        _require_shape(model, self.spec)
        return model

    def _require_same_model(self) -> None:
        file = self.path / MODEL
        if not file.is_file() or _sha256(file.read_bytes()) != self.sha256:
            raise UserError(f"{file} is not the file that was opened: it was replaced since; open the bundle again.")

    def logits(self, windows: ArrayLike, spec: SignalSpec) -> NDArray[np.float32]:
        """Return the logits of windows.

        Args:
            windows: (windows, time, channels), in the contract's units.
            spec: their contract, which must fit that of the bundle.

        Returns:
            Logits (windows, classes).

        Raises:
            ContractError: the windows do not fit the bundle.
        """
        self.spec.require_fit(spec, this="bundle", other="signal")
        windows = np.asarray(windows, np.float32)
        expected = (self.spec.window, len(self.spec.channels))
        if windows.shape[1:] != expected:
            raise ContractError(f"The bundle takes windows of shape {expected}, not {windows.shape[1:]}.")
        if not len(windows):
            return np.zeros((0, len(self.spec.classes)), np.float32)
        return np.asarray(self.model.predict(windows, batch_size=256, verbose=0), np.float32)

    def predict(self, windows: ArrayLike, spec: SignalSpec) -> NDArray[np.float32]:
        """Return the class probabilities (windows, classes) of windows.

        Args:
            windows: (windows, time, channels), in the contract's units.
            spec: their contract, which must fit that of the bundle.
        """
        logits = self.logits(windows, spec)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True)) if len(logits) else logits
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _require_shape(model: keras.Model, spec: SignalSpec) -> None:
    expected = (spec.window, len(spec.channels)), (len(spec.classes),)
    actual = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    if actual != expected:
        raise ContractError(
            f"The network maps {actual[0]} to {actual[1]} but its signal has windows of {expected[0]} and "
            f"{expected[1][0]} classes."
        )


def _require_decoder(decoder: Decoder, spec: SignalSpec) -> None:
    seconds = spec.hop / spec.rate
    if decoder.classes != spec.classes or abs(decoder.hop - seconds) > 0.01 * seconds:
        raise ContractError(
            f"The decoder is for the classes [{', '.join(decoder.classes)}] and a hop of {decoder.hop:g} s, but the "
            f"signal has [{', '.join(spec.classes)}] and {seconds:g} s."
        )


def _read_decoder(path: Path, content: bytes, spec: SignalSpec) -> Decoder:
    values = _parsed(path, content)
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold an object, not a {type(values).__name__}; copy it again.")
    try:
        decoder = Decoder.from_dict(values)
        _require_decoder(decoder, spec)
    except UserError as problem:
        raise UserError(f"{path}: {problem}") from problem
    return decoder


def _require_logits(model: keras.Model) -> None:
    """Raise ``UserError`` for a model that gives probabilities; where its layers do not tell, random windows do."""
    if not gives_logits(model.outputs[0]):
        drawn = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])).astype(np.float32)
        refuse_probabilities(model.predict(drawn, verbose=0), network=model.name)


def _hold(path: Path) -> int:
    """Open a folder and return its descriptor, or -1 where that is not possible."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return -1


def _verified(path: Path) -> dict[str, bytes]:
    """Read every file that the manifest lists and verify its checksum."""
    needed = (MODEL, SIGNAL, SCORES, PROVENANCE)
    there = {file.name for file in path.iterdir()} if path.is_dir() else set()
    if missing := [name for name in needed if name not in there]:
        raise UserError(f"{path} is no bundle: it lacks {', '.join(missing)}.")
    if MANIFEST not in there:
        raise UserError(
            f"{path} lacks {MANIFEST}, so its files cannot be verified; save the bundle again with this version."
        )
    try:
        manifest = _parsed(path / MANIFEST, (path / MANIFEST).read_bytes())
        sums = manifest.get("sha256") if isinstance(manifest, dict) else None
        if not isinstance(sums, dict) or not set(needed) <= set(sums):
            raise UserError(f"{path / MANIFEST} does not list the bundle's files; copy the bundle again.")
        contents = {name: (path / name).read_bytes() for name in sorted(there - {MANIFEST}) if name in sums}
    except OSError as problem:
        raise UserError(f"{problem.filename or path} cannot be read ({problem.strerror}).") from problem
    for name, expected in sums.items():
        if name not in contents:
            raise UserError(f"{path} lacks {name}, which its {MANIFEST} lists; copy the bundle again.")
        if _sha256(contents[name]) != expected:
            raise UserError(f"{path / name} is not the file that was bundled: its checksum differs; copy it again.")
    if added := sorted(there - {MANIFEST, *sums}):
        raise UserError(f"{path / added[0]} is not part of the bundle: its {MANIFEST} does not list it; remove it.")
    return contents


def _as_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, indent=2, allow_nan=False) + "\n"
    except ValueError as problem:
        raise UserError(f"{name} of a bundle cannot hold NaN or an infinite number; leave it out.") from problem


def _parsed(path: Path, content: bytes) -> Any:
    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not a JSON number")

    try:
        return json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as problem:
        raise UserError(f"{path} is not valid JSON ({problem}); copy the bundle again.") from problem


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
