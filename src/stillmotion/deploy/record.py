"""The record of an exported form: its contract, golden vectors and checksums, in one sealed JSON file.

Golden windows are drawn, waves and noise within what the sensors deliver: an exported form is handed on without a
recording of anybody.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundles import Bundle
from ..bundles.contents import sha256_of
from ..errors import UserError
from ..files import BLANK, SEAL, is_sealed, seal
from ..signals import SignalSpec
from .blocks import Array, Tensor
from .signal_counts import Counts

#: Golden windows of a form.
GOLDEN = 4
#: The forms that are compared and verified, by name: kind, and whether in integers.
FORMS = {
    "c-float32": ("c", False),
    "c-int8": ("c", True),
    "litert-float32": ("litert", False),
    "litert-int8": ("litert", True),
    "onnx-float32": ("onnx", False),
}
#: Kinds of forms with the ends of the files that a form of it is recognised by.
SUFFIXES = {"c": ".c", "litert": ".tflite", "onnx": ".onnx", "web": ".html"}
DTYPES = ("float32", "int8", "int16")


@dataclass(frozen=True, eq=False)
class FormRecord:
    """What an exported form comes with.

    Args:
        folder: of the form.
        name: prefix of its files.
        form: kind and numbers, such as ``c-int8``.
        origin: of the bundle: ``model_sha256``, ``signal`` and ``decoder``.
        windows: (n, time, channels) golden windows, of the type that the form takes.
        logits: (n, classes) their logits, of the type that it gives.
    """

    folder: Path
    name: str
    form: str
    origin: Mapping[str, Any]
    windows: Array
    logits: Array

    @property
    def file(self) -> Path:
        """The file that runs."""
        return self.folder / f"{self.name}{SUFFIXES[self.form.partition('-')[0]]}"


def write_record(
    folder: Path,
    name: str,
    form: str,
    bundle: Bundle,
    windows: Array,
    logits: Array,
    *,
    counts: Counts | None = None,
    tensor: Tensor | None = None,
) -> None:
    """Write ``NAME.json`` next to the files of a form, which must all be there.

    Args:
        folder: of the form.
        name: prefix of its files.
        form: kind and numbers, such as ``c-int8``.
        bundle: what is exported.
        windows: (n, time, channels) golden windows, float32 or raw counts, as the form takes them.
        logits: (n, classes) what it must give.
        counts: of raw counts.
        tensor: of int8 logits.
    """
    spec = bundle.spec
    given: dict[str, Any] = {"shape": [1, *windows.shape[1:]], "type": windows.dtype.name, "unit": "as in signal"}
    if windows.dtype == np.int16 and counts is not None:
        steps = dict(zip(spec.channel_names, counts.scales, strict=True))
        given |= {"unit": "raw counts", "value_of_one_count": steps}
    answer: dict[str, Any] = {"shape": [1, logits.shape[1]], "type": logits.dtype.name, "classes": list(spec.classes)}
    if logits.dtype == np.int8 and tensor is not None:
        answer |= {"scale": tensor.step, "zero_point": tensor.zero_point}
    record = {
        "form": form,
        **describe_origin(bundle),
        "input": given,
        "output": answer,
        "golden": {"windows": pack_array(windows), "logits": pack_array(logits)},
        "sha256": {file.name: sha256_of(file.read_bytes()) for file in sorted(folder.iterdir())},
        SEAL: BLANK,
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_bytes(seal(text.encode()))


def describe_origin(bundle: Bundle) -> dict[str, Any]:
    """Return what a form takes from its bundle: the model's checksum, the contract and the decoder, as in JSON."""
    decoder = None if bundle.decoder is None else bundle.decoder.to_dict()
    values = {"model_sha256": bundle.sha256, "signal": bundle.spec.to_dict(), "decoder": decoder}
    return dict(json.loads(json.dumps(values)))


def find_record(path: str | Path) -> Path:
    """Return the record of an exported form.

    Args:
        path: the folder of the export, or one of the files that were written into it.

    Raises:
        UserError: there is none.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; give the folder that still export wrote, or a file in it.")
    if path.is_file():
        names = [path.stem, path.stem.removesuffix("_example"), path.stem.removesuffix("_decoder")]
        found = [path.with_name(f"{name}.json") for name in names]
    else:
        found = sorted(path.glob("*.json"))
    for file in found:
        if file.is_file() and SEAL.encode() in file.read_bytes():
            return file
    raise UserError(
        f"{path} is no exported form: the record that still export writes beside one, NAME.json, is not there; give "
        f"the folder of an export, or a file in it, with its record."
    )


def read_record(file: Path) -> FormRecord:
    """Read a record and verify its checksum and that of every file that it lists.

    Raises:
        UserError: a file is missing or was changed; the message names it.
    """
    content = file.read_bytes()
    try:
        is_sealed(content)
        record = json.loads(content)
        name, form = file.stem, str(record["form"])
        origin = {key: record[key] for key in ("model_sha256", "signal", "decoder")}
        windows, logits = (unpack_array(record["golden"][key]) for key in ("windows", "logits"))
        read = FormRecord(file.parent, name, form, origin, windows, logits)
        sums = dict(record["sha256"])
        if read.file.name not in sums or not len(windows) == len(logits) > 0:
            raise ValueError(f"it lists no {read.file.name}, or no golden windows")
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(f"{file} is not the record that still export wrote ({problem}); export it again.") from problem
    for listed, expected in sums.items():
        path = file.parent / Path(listed).name
        if not path.is_file():
            raise UserError(f"{file.parent} lacks {path.name}, which {file.name} lists; export it again.")
        if sha256_of(path.read_bytes()) != expected:
            raise UserError(f"{path} is not the file that still export wrote: its checksum differs; export it again.")
    return read


def draw_golden(spec: SignalSpec, counts: Counts | None, *, integers: bool, count: int = GOLDEN) -> Array:
    """Return drawn windows (n, time, channels), of nobody's movement: slow waves and noise within the sensors' range.

    Args:
        spec: the contract.
        counts: of raw counts; None where they are not known.
        integers: whether raw counts are returned, or the values that they stand for exactly.
        count: how many windows.
    """
    size = spec.window, len(spec.channels)
    scale = np.asarray(counts.scales) if counts is not None else np.full(size[1], 2.0**-12)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(count):
        speed, phase = random.uniform(0.1, 0.5, size[1]), random.uniform(0, 6, size[1])
        wave = np.sin(np.arange(size[0])[:, None] * speed + phase)
        drawn.append(np.rint(8192 * wave + 2048 * random.normal(size=size)).astype(np.int16))
    raw = np.stack(drawn)
    # Counts and powers of two: the float windows are exact too.
    return raw if integers else (raw * scale).astype(np.float32)


def pack_array(values: Array) -> dict[str, Any]:
    """Return an array as JSON holds it: type, shape and bytes, the lowest first."""
    content = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).tobytes()
    return {"type": values.dtype.name, "shape": list(values.shape), "base64": base64.b64encode(content).decode()}


def unpack_array(packed: Mapping[str, Any]) -> NDArray[Any]:
    """Return the array of ``pack_array``; raise ``ValueError`` where it is none."""
    if packed["type"] not in DTYPES:
        raise ValueError(f"an array of {packed['type']}")
    kind = np.dtype(packed["type"]).newbyteorder("<")
    values = np.frombuffer(base64.b64decode(packed["base64"], validate=True), kind)
    return values.reshape([int(each) for each in packed["shape"]]).astype(packed["type"])
