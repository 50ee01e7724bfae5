"""Export a bundle as C: the header, the source, and a small program with a window and the answer that it must give."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bundles import Bundle
from ..bundles.contents import MODEL
from ..bundles.windows import require_windows
from ..decoding import IntegerDecoder
from ..errors import UserError
from ..files import atomic_folder
from .classifier import read_classifier
from .example import write_example
from .header import Target, c_name
from .program import Program, quantise_program
from .reader import AS_C, Rule
from .reading import read_program
from .record import draw_golden, write_record
from .signal_counts import Counts, fit_counts
from .writer import write_c

#: Fewest calibration windows from which ranges are taken.
LEAST_WINDOWS = 20


@dataclass(frozen=True, eq=False)
class CExport:
    """C code of a model.

    Args:
        folder: where its files lie.
        name: prefix of the files and of all names.
        integers: whether it computes in integers.
        program: what it computes, runnable in NumPy.
        counts: how raw counts stand for values; None in float32 without calibration windows.
        constant_bytes: weights, biases, factors and tables.
        arena_bytes, state_bytes: static memory, of the network and of the stream.
        agreement: share of calibration windows for which int8 gives the class of float32; None in float32.
        windows: number of calibration windows.
        answer: what the example program prints.
        decoder: of windows in a row, or None.
    """

    folder: Path
    name: str
    integers: bool
    program: Program
    counts: Counts | None
    constant_bytes: int
    arena_bytes: int
    state_bytes: int
    agreement: float | None
    windows: int
    answer: str
    decoder: IntegerDecoder | None = None

    @property
    def compile_line(self) -> str:
        """The line that compiles and runs the example in the folder."""
        example = f"{self.name}_example"
        return f"cc -std=c99 -O2 -ffp-contract=off {self.name}.c {example}.c -o {example} && ./{example}"


def export_c(
    bundle: Bundle | str | Path,
    out: str | Path,
    *,
    int8: bool = False,
    name: str = "",
    calibration: ArrayLike | None = None,
    full_scale: Mapping[str, float] | None = None,
) -> CExport:
    """Export a bundle's model as C99 without dependencies.

    Args:
        bundle: the bundle, or its folder.
        out: folder to create; ``NAME.h``, ``NAME.c`` and ``NAME_example.c`` lie directly in it, and ``NAME.json`` with
            the contract, golden vectors and checksums.
        int8: compute in integers, from raw counts to logits.
        name: prefix of files and names; by default the variant of the study, or the network.
        calibration: (n, time, channels) windows of training subjects, in the contract's units; by default those in the
            bundle. int8 takes the ranges of its values from them.
        full_scale: largest value of sensors that deliver raw counts, such as ``{"acc": 8.0}``; by default from the
            calibration windows.

    Returns:
        What was written, with the answer that the example program prints.

    Raises:
        UserError: the folder exists, the bundle is damaged or holds code, a layer or the decoder has no C form, or
            there are too few calibration windows.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import export_c
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> windows = np.random.default_rng(0).normal(size=(30, 50, 3))
        >>> bundle = Bundle.save("watch", build_network("motion-net-xs", spec), spec, calibration=windows)
        >>> export = export_c(bundle, "watch-c", int8=True, name="watch")
        >>> sorted(file.name for file in export.folder.iterdir())
        ['watch.c', 'watch.h', 'watch.json', 'watch_example.c']
    """
    bundle, folder = open_for_export(bundle, out)
    prepared = prepare_program(bundle, int8=int8, calibration=calibration, full_scale=full_scale)
    program, counts = prepared.program, prepared.counts
    chosen = choose_name(bundle, name)
    decoder = None if bundle.decoder is None else IntegerDecoder.of(bundle.decoder)
    target = Target(chosen, program, bundle.spec, counts, bundle.scores, bundle.provenance, decoder)
    windows = draw_golden(bundle.spec, counts, integers=int8)
    source = write_c(target)
    example, answer = write_example(target, windows[0])
    with atomic_folder(folder) as draft:
        for file, text in {**source.files, f"{chosen}_example.c": example}.items():
            (draft / file).write_text(text, encoding="utf-8")
        golden = windows, program.run(windows)
        form = "c-int8" if int8 else "c-float32"
        write_record(draft, chosen, form, bundle, *golden, counts=counts, tensor=program.logits)
    return CExport(
        folder=folder,
        name=chosen,
        integers=int8,
        program=program,
        counts=counts,
        constant_bytes=sum(each.bytes for step in program.steps for each in step.block.constants),
        arena_bytes=source.arena_bytes,
        state_bytes=source.state_bytes,
        agreement=prepared.agreement,
        windows=prepared.windows,
        answer=answer,
        decoder=decoder,
    )


def open_for_export(bundle: Bundle | str | Path, out: str | Path) -> tuple[Bundle, Path]:
    """Open a bundle and return it with the folder to create; raise ``UserError`` if that is there already."""
    bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    folder = Path(out)
    if folder.exists():
        raise UserError(f"{folder} exists already; give --out a folder that does not.")
    return bundle, folder


def choose_name(bundle: Bundle, name: str = "") -> str:
    """Return the prefix of exported files: a name that is given, the variant of the study, or the network."""
    provenance = bundle.provenance
    return c_name(name or str(provenance.get("variant") or provenance.get("network") or bundle.path.name))


def read_model(
    bundle: Bundle,
    windows: ArrayLike | None = None,
    *,
    more: Mapping[str, Rule] | None = None,
    form: str = AS_C,
) -> Program:
    """Read a bundle's model as a program of float32 blocks.

    Args:
        bundle: the bundle; no code in it is run.
        windows: of training subjects, which the integers of trees' features are fitted to.
        more: rules that replace those of the C, or add to them.
        form: how refusals name what is written.

    Raises:
        UserError: the bundle is damaged or holds code, or a layer has no such form.
    """
    _refuse_code(bundle, form)
    if bundle.classifier is not None:
        return read_classifier(bundle.classifier, windows)
    return read_program(bundle.model, more=more, form=form)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A bundle's model as a program.

    Args:
        program: what is exported, in float32 or in integers.
        exact: the program in float32.
        counts, agreement, windows: see ``CExport``.
    """

    program: Program
    exact: Program
    counts: Counts | None
    agreement: float | None
    windows: int


def prepare_program(
    bundle: Bundle,
    *,
    int8: bool = False,
    calibration: ArrayLike | None = None,
    full_scale: Mapping[str, float] | None = None,
    form: str = AS_C,
) -> Prepared:
    """Read a bundle's model as a program, quantised with ``int8``; see ``export_c`` and ``read_model``."""
    windows = bundle.calibration if calibration is None else require_windows(calibration, bundle.spec, "calibration")
    if int8 and (windows is None or len(windows) < LEAST_WINDOWS):
        count = "no calibration windows" if windows is None else f"{len(windows)} calibration windows"
        raise UserError(
            f"int8 takes the ranges of its values from {LEAST_WINDOWS} windows of training subjects or more, but there "
            f"are {count}; give a file of them or a data set with --calibrate."
        )
    counts = None
    if windows is not None or full_scale:
        counts = fit_counts(bundle.spec, windows, full_scale)
    exact = read_model(bundle, windows, form=form)
    calibrated = 0 if windows is None else len(windows)
    if not int8:
        return Prepared(exact, exact, counts, None, calibrated)
    assert windows is not None
    assert counts is not None
    integers = quantise_program(exact, windows, counts.scales)
    same = integers.run(counts.of(windows)).argmax(1) == exact.run(windows).argmax(1)
    return Prepared(integers, exact, counts, float(same.mean()), calibrated)


def _refuse_code(bundle: Bundle, form: str) -> None:
    """Raise ``UserError`` where the model's file names a Lambda layer, before Keras would load it."""
    try:
        with zipfile.ZipFile(bundle.path / MODEL) as file:
            config = json.loads(file.read("config.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return  # The bundle says what is wrong with the file when it loads the model.
    for layer in _layers(config):
        if layer.get("class_name") == "Lambda":
            label = layer.get("config", {}).get("name", "Lambda")
            raise UserError(
                f"{label} (Lambda) cannot run {form}: it holds Python code, which is never executed; use "
                f"layers or keras.ops."
            )


def _layers(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a configuration that names a class."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for each in value.values():
            yield from _layers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _layers(each)


def read_calibration(source: str | Path, bundle: Bundle, *, data: str | Path | None = None) -> NDArray[np.float32]:
    """Read calibration windows for a bundle.

    Args:
        source: a file of windows (n, time, channels), ``.npy`` or ``.npz`` with ``windows``, or a data set by name or
            path, whose recordings must be of training subjects.
        bundle: whose contract they must fit.
        data: the folder of data sets, see ``load``.

    Returns:
        The windows.

    Raises:
        UserError: there is no such file or data set, or it does not fit the contract.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.deploy import read_calibration
        >>> from stillmotion.networks import build_network
        >>> spec = sm.load("simulated", sensors="wrist.acc").spec.with_window(50)
        >>> bundle = Bundle.save("watch", build_network("motion-net-xs", spec), spec)
        >>> np.save("windows.npy", np.zeros((30, 50, 3)))
        >>> read_calibration("windows.npy", bundle).shape
        (30, 50, 3)
    """
    path = Path(source)
    if path.suffix in (".npy", ".npz"):
        try:
            held = np.load(path, allow_pickle=False)
            values = held["windows"] if path.suffix == ".npz" else held
        except (OSError, ValueError, KeyError) as problem:
            raise UserError(f"{path} holds no array of windows ({problem}).") from problem
        return require_windows(values, bundle.spec, str(path))
    from ..bundles.calibration import spread_rows
    from ..signals import load
    from ..windows import cut

    spec = bundle.spec
    sensors = ",".join(dict.fromkeys(spec.groups))
    windows = cut(load(str(source), data=data, sensors=sensors), spec=spec, missing="drop")
    spec.require_fit(windows.spec, this="bundle", other="calibration data")
    return require_windows(windows.values(spread_rows(np.arange(len(windows.starts)))), spec, str(source))
