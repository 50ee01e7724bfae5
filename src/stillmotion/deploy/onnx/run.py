"""Run exported ONNX models with onnxruntime."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UserError
from ..latency import TimedLogits

#: Windows that run at a time.
BATCH = 256
INSTALL = 'install the extra: pip install "stillmotion[onnx]"'


def open_session(path: str | Path) -> Any:
    """Open a model with onnxruntime on the processor; raise ``UserError`` where it or the runtime is missing."""
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"ONNX models run with onnxruntime, which is not here; {INSTALL}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # onnxruntime raises types of its own that it does not document.
        raise UserError(f"{path} cannot be opened by onnxruntime ({str(problem).splitlines()[0][:200]}).") from problem


def run_onnx(path: str | Path, windows: ArrayLike) -> NDArray[np.float32]:
    """Run an exported ONNX model.

    Args:
        path: the ``.onnx`` file.
        windows: (n, time, channels) in the contract's units.

    Returns:
        Logits (n, classes).

    Raises:
        UserError: the extra is not installed, the file cannot be opened, or the windows do not fit it.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_onnx, run_onnx
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> export = export_onnx(Bundle.save("watch", build_network("gru-4", spec), spec), "watch-onnx")
        >>> run_onnx(export.file, np.zeros((2, 50, 3))).shape == (2, len(spec.classes))
        True
    """
    session, name, values = _open_for(path, windows)
    parts = [
        session.run(["logits"], {name: values[start : start + BATCH]})[0] for start in range(0, len(values), BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, session.get_outputs()[0].shape[1]), np.float32)


def time_onnx(path: str | Path, windows: ArrayLike) -> TimedLogits:
    """Run an exported ONNX model window by window, each timed; see ``run_onnx``."""
    session, name, values = _open_for(path, windows)
    parts, times = [], [time.perf_counter()]
    for window in values:
        parts.append(session.run(["logits"], {name: window[None]})[0])
        times.append(time.perf_counter())
    return TimedLogits(np.concatenate(parts), np.diff(times))


def _open_for(path: str | Path, windows: ArrayLike) -> tuple[Any, str, NDArray[np.float32]]:
    """Open a model for windows; return its session, the name of its input, and the windows as it takes them."""
    session = open_session(path)
    (given,), values = session.get_inputs(), np.asarray(windows, np.float32)
    if values.ndim != 3 or list(values.shape[1:]) != given.shape[1:]:
        raise UserError(f"{path} takes windows (n, {given.shape[1]}, {given.shape[2]}), not {values.shape}.")
    return session, given.name, values


@dataclass
class OnnxDecoder:
    """Decode windows in a row with the second model of an export, which keeps its state from call to call.

    Args:
        path: of the model.

    Raises:
        UserError: the extra is not installed, or the file is no such model.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.decoding import fit_decoder
        >>> from stillmotion.deploy import OnnxDecoder, export_onnx
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> classes = list(range(len(spec.classes)))
        >>> decoder = fit_decoder("duration", spec.classes, sorted(8 * classes), hop=spec.hop / spec.rate)
        >>> bundle = Bundle.save("watch", build_network("gru-4", spec), spec, decoder=decoder)
        >>> decoder = OnnxDecoder(export_onnx(bundle, "watch-onnx").decoder_file)
        >>> decoder.decode([[float(place == 3) * 9 for place in classes]]).tolist()
        [3]
    """

    path: Path

    def __post_init__(self) -> None:
        self._session = open_session(self.path)
        self.reset()

    def reset(self) -> None:
        """Forget all windows: the next one begins a stream."""
        shape = next(each.shape for each in self._session.get_inputs() if each.name == "state")
        self._state, self._begins = np.zeros(shape, np.int32), True

    def decode(self, logits: ArrayLike) -> NDArray[np.int64]:
        """Return the classes of the next windows.

        Args:
            logits: (n, C) of windows in a row, without gaps.
        """
        given = {"logits": np.asarray(logits, np.float32), "state": self._state, "begins": np.array(self._begins)}
        classes, self._state = self._session.run(["classes", "next_state"], given)
        self._begins = False
        return np.asarray(classes)
