"""Save, open and use a bundle: a folder with a model and the contract that its signal must fit.

Its files are the model, ``model.keras`` (a network) or ``model.npz`` (a feature classifier), from signal to logits;
``signal.json`` (the contract), ``scores.json`` (per subject), ``provenance.json`` (data, protocol, method, versions),
``decoder.json`` (of windows in a row) and ``calibration.npz`` (training windows for integers) where there are any,
``golden.npz`` (a few windows and their logits), ``README.md`` (the model card) and ``manifest.json`` (SHA-256 of all
others). There is no pickle in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..decoding import Decoder
from ..errors import UserError
from ..features import ClassifierArrays, LinearArrays, TreeArrays, pack_arrays, unpack_arrays
from ..files import atomic_folder
from ..names import require_name
from ..signals import SignalSpec
from .calibration import pack_windows, spread_rows, unpack_windows
from .card import write_card
from .classifier import classifier_logits, cost_of_classifier, require_classifier
from .contents import (
    ARRAYS,
    CALIBRATION,
    CARD,
    DECODER,
    GOLDEN,
    MANIFEST,
    MODEL,
    PROVENANCE,
    SCORES,
    SIGNAL,
    hold_folder,
    pack_golden,
    parse_json,
    read_verified,
    sha256_of,
    to_json,
    unpack_golden,
)
from .decoder import read_decoder, require_decoder
from .windows import require_windows

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]
#: Golden windows that are drawn where none are given.
DRAWN = 4


@dataclass(frozen=True, eq=False)
class Bundle:
    """A saved model with its signal contract, scores and provenance.

    Args:
        path: the bundle's folder.
        spec: the contract that windows must fit.
        scores: one row per subject: ``subject`` and its scores.
        provenance: where the model comes from: data, protocol, method, seed, versions.
        sha256: checksum of the model's file.
        model_file: name of the model's file, ``model.keras`` or ``model.npz``.
        decoder: of windows in a row, or None.
        calibration: (n, T, D) windows of training subjects, or None.
    """

    path: Path
    spec: SignalSpec
    scores: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]
    sha256: str
    model_file: str = MODEL
    decoder: Decoder | None = None
    calibration: Floats | None = None

    @classmethod
    def save(
        cls,
        path: str | Path,
        model: keras.Model | ClassifierArrays,
        spec: SignalSpec,
        *,
        scores: Sequence[Mapping[str, Any]] = (),
        provenance: Mapping[str, Any] | None = None,
        decoder: Decoder | None = None,
        calibration: ArrayLike | None = None,
        golden: ArrayLike | None = None,
        replace: bool = False,
    ) -> Bundle:
        """Save a bundle to a folder; the folder is written atomically.

        Args:
            path: folder to create.
            model: the network, of which auxiliary classifiers and a final softmax are removed, or the arrays of a
                feature classifier. Its input and logits must have the contract's shape.
            spec: the contract of the windows that the model was trained on.
            scores: one row per subject, each with ``subject``.
            provenance: values that fit JSON; the network's name and the versions used are added. ``estimate`` is a
                sentence about the scores.
            decoder: of windows in a row, for the classes and the hop of the contract.
            calibration: windows (n, T, D) of training subjects, which an export to integers needs; whoever has the
                bundle can read them.
            golden: windows (n, T, D) that are stored with their logits, for whoever runs the model elsewhere; by
                default a few of ``calibration``, without it random ones.
            replace: whether to replace a bundle that exists at ``path``.

        Returns:
            The saved bundle.

        Raises:
            UserError: the folder exists, a row has no ``subject``, or the model gives probabilities.
            ContractError: the model, the decoder or the golden windows do not fit the contract.
        """
        path = Path(path)
        require_name(path.name, "bundle's folder")
        if path.exists() and not (replace and (path / SIGNAL).is_file()):
            if (path / SIGNAL).is_file():
                raise UserError(f"{path} is a bundle already; pass replace=True to replace it.")
            raise UserError(f"{path} exists and is no bundle; choose another folder.")
        if any("subject" not in row for row in scores):
            raise UserError("Every row of a bundle's scores needs the key 'subject'.")
        rows, full = [dict(row) for row in scores], dict(provenance or {})
        versions = {name: version(name) for name in ("stillmotion", "keras", "numpy")}
        kept = None if calibration is None else require_windows(calibration, spec, "calibration")
        if golden is None and kept is not None:
            golden = kept[spread_rows(np.arange(len(kept)), DRAWN)]
        elif golden is None:
            golden = np.random.default_rng(0).normal(size=(DRAWN, spec.window, len(spec.channels)))
        windows = require_windows(golden, spec, "golden")
        if decoder is not None:
            require_decoder(decoder, spec)
        if isinstance(model, (TreeArrays, LinearArrays)):
            require_classifier(model, spec)
            cost = cost_of_classifier(model, str(full.get("method", "feature-classifier")))
            logits = classifier_logits(model, windows)
        else:
            from ..networks.cost import network_cost
            from .network import make_device_model, run_network

            full["network"] = model.name.replace("_", "-")
            model = make_device_model(model, spec)
            cost = network_cost(model)
            logits = run_network(model, windows)
        full["versions"] = versions
        metadata = {SIGNAL: spec.to_dict(), SCORES: rows, PROVENANCE: full}
        metadata |= {} if decoder is None else {DECODER: decoder.to_dict()}
        texts = {name: to_json(name, value) for name, value in metadata.items()}
        texts[CARD] = write_card(cost, spec, rows, full)
        contents = {name: text.encode() for name, text in texts.items()} | {GOLDEN: pack_golden(windows, logits)}
        contents |= {} if kept is None else {CALIBRATION: pack_windows(kept)}
        with atomic_folder(path, replace=replace) as draft:
            if isinstance(model, (TreeArrays, LinearArrays)):
                contents[ARRAYS] = pack_arrays(model)
            else:
                model.save(draft / MODEL)
                contents[MODEL] = (draft / MODEL).read_bytes()
            for name, content in contents.items():
                (draft / name).write_bytes(content)
            sums = {name: sha256_of(contents[name]) for name in sorted(contents)}
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
            held = hold_folder(path)
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
        contents = read_verified(path)
        signal, scores, provenance = (parse_json(path / name, contents[name]) for name in (SIGNAL, SCORES, PROVENANCE))
        for name, value in ((SIGNAL, signal), (PROVENANCE, provenance)):
            if not isinstance(value, dict):
                raise UserError(f"{path / name} must hold an object, not a {type(value).__name__}; copy it again.")
        if not isinstance(scores, list) or not all(isinstance(row, dict) and "subject" in row for row in scores):
            raise UserError(f"{path / SCORES} must hold a list of objects, each with a 'subject'; copy it again.")
        try:
            spec = SignalSpec.from_dict(signal)
        except UserError as problem:
            raise UserError(f"{path / SIGNAL}: {problem}") from problem
        file = ARRAYS if ARRAYS in contents else MODEL
        decoder = read_decoder(path / DECODER, contents[DECODER], spec) if DECODER in contents else None
        given = contents.get(CALIBRATION)
        calibration = None if given is None else unpack_windows(given, spec, path / CALIBRATION)
        return cls(path, spec, tuple(scores), provenance, sha256_of(contents[file]), file, decoder, calibration)

    @cached_property
    def model(self) -> keras.Model:
        """The network, from the signal in the contract's units to logits."""
        if self.classifier is not None:
            raise UserError(f"{self.path} holds a feature classifier and no network; use its classifier.")
        from .network import load_network, require_shape

        self._model_content()
        model = load_network(self.path / MODEL)
        self._model_content()
        require_shape(model, self.spec)
        return model

    @cached_property
    def classifier(self) -> ClassifierArrays | None:
        """The feature classifier, None if the model is a network."""
        if self.model_file != ARRAYS:
            return None
        classifier = unpack_arrays(self._model_content(), self.path / ARRAYS)
        require_classifier(classifier, self.spec)
        return classifier

    @cached_property
    def golden(self) -> tuple[Floats, Floats]:
        """The golden vectors: a few windows (n, T, D) and the logits (n, C) that were saved with them."""
        file = self.path / GOLDEN
        if not file.is_file():
            raise UserError(f"{self.path} has no golden vectors; save the bundle again with this version.")
        shape = (self.spec.window, len(self.spec.channels))
        return unpack_golden(file, file.read_bytes(), shape, len(self.spec.classes))

    def _model_content(self) -> bytes:
        """Read the model's file, which must still be the one that was opened."""
        file = self.path / self.model_file
        content = file.read_bytes() if file.is_file() else b""
        if sha256_of(content) != self.sha256:
            raise UserError(f"{file} is not the file that was opened: it was replaced since; open the bundle again.")
        return content

    def logits(self, windows: ArrayLike, spec: SignalSpec) -> Floats:
        """Return the logits of windows.

        Args:
            windows: (windows, time, channels), in the contract's units.
            spec: their contract, which must fit that of the bundle.

        Returns:
            Logits (windows, classes).

        Raises:
            ContractError: the windows do not fit the bundle, or are not finite.
        """
        self.spec.require_fit(spec, this="bundle", other="signal")
        windows = require_windows(windows, self.spec, "windows")
        if not len(windows):
            return np.zeros((0, len(self.spec.classes)), np.float32)
        if self.classifier is not None:
            return classifier_logits(self.classifier, windows)
        from .network import run_network

        return run_network(self.model, windows)

    def predict(self, windows: ArrayLike, spec: SignalSpec) -> Floats:
        """Return the class probabilities (windows, classes) of windows.

        Args:
            windows: (windows, time, channels), in the contract's units.
            spec: their contract, which must fit that of the bundle.
        """
        logits = self.logits(windows, spec)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True)) if len(logits) else logits
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
