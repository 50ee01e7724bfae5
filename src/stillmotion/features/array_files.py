"""Save and open a fitted feature classifier: one ``.npz`` of plain arrays, without objects."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from .arrays import ClassifierArrays, LinearArrays, TreeArrays
from .feature_set import FeatureSet

VERSION = 1
KINDS: dict[str, type[TreeArrays] | type[LinearArrays]] = {"trees": TreeArrays, "linear": LinearArrays}
#: Largest arrays that are read, in bytes: a device holds far less, and memory is not to be filled by a file.
LARGEST = 1 << 30
#: Most channels, frequency bands and dropped units; every two channels of a sensor may have a correlation.
MOST = 1000
#: What reading a file raises that ``pack_arrays`` did not write; some archives need features that zipfile lacks.
UNREADABLE = (
    *(KeyError, ValueError, TypeError, AttributeError, RecursionError, OSError, zipfile.BadZipFile, zlib.error),
    *(NotImplementedError, RuntimeError, EOFError),
)


def pack_arrays(classifier: ClassifierArrays) -> bytes:
    """Pack a fitted classifier: the content of an ``.npz`` file.

    Args:
        classifier: trees or a linear one.

    Returns:
        The bytes: each array under its name, and ``about``, a JSON text with the kind and the features.

    Raises:
        UserError: it is too large to be opened again.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, LinearArrays, pack_arrays, unpack_arrays
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> linear = LinearArrays(features, np.ones((8, 2)), [0, 1], np.zeros(8), np.ones(8), 5.0)
        >>> unpack_arrays(pack_arrays(linear), "model.npz").bias
        array([0., 1.], dtype=float32)
    """
    kind = next(name for name, known in KINDS.items() if isinstance(classifier, known))
    about = {"version": VERSION, "kind": kind, "features": classifier.features.to_dict()}
    arrays = {name: np.asarray(getattr(classifier, name)) for name in _names(KINDS[kind])}
    if sum(values.nbytes for values in arrays.values()) > LARGEST:
        raise UserError(f"The arrays of the classifier take more than {LARGEST >> 20} MiB; fit fewer or smaller trees.")
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, about=text, **arrays)
    return buffer.getvalue()


def unpack_arrays(content: bytes, path: str | Path) -> ClassifierArrays:
    """Unpack a fitted classifier that ``pack_arrays`` packed; nothing in the file is run.

    Args:
        content: of the file.
        path: its name in messages.

    Returns:
        Trees or a linear classifier.

    Raises:
        UserError: the file is damaged, too large or holds something else.

    Example:
        >>> import numpy as np
        >>> from stillmotion.features import FeatureSet, TreeArrays, pack_arrays, unpack_arrays
        >>> features = FeatureSet(50, 25.0, ("pulse",), ("pulse",), groups=("axes", "time"))
        >>> none = [-1]
        >>> leaf = TreeArrays(features, [0], feature=none, threshold=[0], left=none, right=none, value=[[0.3, 0.7]])
        >>> unpack_arrays(pack_arrays(leaf), "model.npz").predict_proba(np.zeros((1, 8), np.float32))
        array([[0.3, 0.7]], dtype=float32)
    """
    try:
        arrays = read_npz(content, LARGEST)
        about = json.loads(arrays.pop("about").tobytes())
        kind = KINDS[about["kind"]]
        if about["version"] != VERSION or set(arrays) != set(_names(kind)):
            raise ValueError(f"version {about['version']} with {', '.join(sorted(arrays))}")
        if any(len(about["features"].get(part, ())) > MOST for part in ("channels", "edges", "dropped")):
            raise ValueError(f"more than {MOST} channels, bands or dropped units")
        return kind(FeatureSet.from_dict(about["features"]), **arrays)
    except UserError as problem:
        raise UserError(f"{path}: {problem}") from problem
    except UNREADABLE as problem:
        raise UserError(f"{path} is damaged or no feature classifier ({problem}); copy it again.") from problem


def read_npz(content: bytes, largest: int) -> dict[str, Any]:
    """Read the arrays of an ``.npz``; sizes are checked before memory is taken for them, and objects are refused.

    Args:
        content: of the file.
        largest: most bytes of all arrays.

    Returns:
        The arrays by name.

    Raises:
        UserError: they take more bytes; ``UNREADABLE`` are raised by files that NumPy did not write.

    Example:
        >>> import io
        >>> import numpy as np
        >>> from stillmotion.features.array_files import read_npz
        >>> np.savez(file := io.BytesIO(), x=np.arange(3))
        >>> read_npz(file.getvalue(), 1000)
        {'x': array([0, 1, 2])}
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > largest:
            raise UserError(f"its arrays take more than {largest >> 20} MiB; expected a model for a device.")
        for member in members:
            raw = io.BytesIO(archive.read(member))
            if np.lib.format.read_magic(raw) != (1, 0):
                raise ValueError(f"{member.filename} is no array")
            shape, in_columns, dtype = np.lib.format.read_array_header_1_0(raw)
            if dtype.hasobject:
                raise ValueError(f"{member.filename} holds Python objects")
            flat = np.frombuffer(raw.getbuffer()[raw.tell() :], dtype)
            name = member.filename.removesuffix(".npy")
            arrays[name] = flat.reshape(shape, order="F" if in_columns else "C")
    return arrays


def _names(kind: type[TreeArrays] | type[LinearArrays]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "features"]
