"""Reading of publishers' text files into arrays; errors name the file and the row."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

#: Arrow parses blocks of this size in parallel; smaller blocks cost time between threads
#: (HAPT, two cores: 0.33 s at 0.5 MiB, 0.18 s at 2 MiB and above; ``numpy.loadtxt`` 0.77 s).
BLOCK = 1 << 22

#: Bytes of text that one thread parses at a time: for HAPT, peak memory is 2.0 times its arrays (4.9 at 32 MiB).
GROUP = 1 << 21
NEWLINE = ord("\n")
KINDS = {"float": "a number", "int": "a whole number", "str": "a word"}


def read_columns(
    paths: Sequence[Path],
    kinds: Mapping[str, str],
    *,
    delimiter: str = " ",
    end: str = "",
    threads: bool = True,
    keep: Sequence[str] | None = None,
    skip: int = 0,
    missing: str | None = None,
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Read text files that share one layout into one table.

    Args:
        paths: the files, in order.
        kinds: column name to ``float``, ``int`` or ``str``.
        delimiter: separator of cells; if it is a blank, a run of blanks counts as one.
        end: end mark of a row before the line break (WISDM: ``;``).
        threads: parse blocks of the text in parallel.
        keep: columns to return; of the others, cells are only counted.
        skip: number of heading lines; for a single file only.
        missing: text of a missing number, returned as null.

    Returns:
        One Arrow table of all rows, and the number of rows of each file.
    """
    import pyarrow as pa

    if skip and len(paths) != 1:
        raise ValueError("Heading lines can only be skipped in a single file.")
    buffer, stops = _read_files(paths)
    for _ in range(skip):
        head = buffer.find(b"\n") + 1
        del buffer[:head]
        stops -= head
    if not buffer:
        raise UserError(f"{paths[0]} has a heading but no rows.")
    wanted = {"keep": list(kinds if keep is None else keep), "missing": [] if missing is None else [missing]}
    starts = [0, *stops[:-1]]
    content = np.frombuffer(buffer, np.uint8)
    rows = np.array([np.count_nonzero(content[a:b] == NEWLINE) for a, b in zip(starts, stops, strict=True)])
    first_rows = b"".join(buffer[start : buffer.index(b"\n", start) + 1] for start in starts)
    tidy = _tidy(first_rows, delimiter, end) == first_rows
    try:
        table = _parse(buffer if tidy else _tidy(buffer, delimiter, end), kinds, delimiter, threads, **wanted)
    except pa.ArrowInvalid:
        try:
            table = _parse(_tidy(buffer, delimiter, end), kinds, delimiter, threads, **wanted)
        except pa.ArrowInvalid as reason:
            _raise_first_fault(paths, kinds, delimiter, end, skip=skip, **wanted)
            raise UserError(f"{paths[0].parent}: the files cannot be read ({reason}).") from reason
    return table, rows


def read_matrix(paths: Sequence[Path], columns: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read files of blank-separated numbers into all rows (N, columns) as float32 and each file's row count."""
    parts, rows = zip(*read_matrices(paths, columns), strict=True)
    return np.concatenate(parts), np.concatenate(rows)


def read_matrices(paths: Sequence[Path], columns: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Yield what ``read_matrix`` returns in groups of files, to hold at most ``GROUP`` bytes of text in memory."""
    kinds = {f"c{number}": "float" for number in range(columns)}

    def read(group: list[Path]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        # One thread for each group, so that reading and converting overlap with the parsing of other groups.
        table, rows = read_columns(group, kinds, threads=False)
        matrix = np.empty((table.num_rows, columns), np.float32)
        for number, column in enumerate(table.columns):
            start = 0
            for chunk in column.chunks:
                matrix[start : start + len(chunk), number] = chunk.to_numpy(zero_copy_only=True)
                start += len(chunk)
        return matrix, rows

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(read, _groups(paths))


def _groups(paths: Sequence[Path]) -> list[list[Path]]:
    groups: list[list[Path]] = [[]]
    held = 0
    for path in paths:
        size = path.stat().st_size if path.is_file() else 0
        if groups[-1] and held + size > GROUP:
            groups.append([])
            held = 0
        groups[-1].append(path)
        held += size
    return groups


def read_integers(path: Path, columns: int) -> NDArray[np.int64]:
    """Read one file of blank-separated whole numbers as (N, columns)."""
    table, _ = read_columns([path], {f"c{number}": "int" for number in range(columns)})
    return np.stack([column.to_numpy() for column in table.columns], axis=1)


def _read_files(paths: Sequence[Path]) -> tuple[bytearray, NDArray[np.int64]]:
    """Concatenate the files in one buffer, each ending with a line break; return it and the end of each file."""
    sizes = []
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path} {'is a folder' if path.is_dir() else 'is not there'}; a file was expected.")
        size = path.stat().st_size
        if size == 0:
            raise UserError(f"{path} is empty.")
        sizes.append(size)
    buffer = bytearray(sum(sizes) + len(paths))
    view, end, stops = memoryview(buffer), 0, []
    for path, size in zip(paths, sizes, strict=True):
        with path.open("rb", buffering=0) as file:
            if file.readinto(view[end : end + size]) != size:
                raise UserError(f"{path} changed while it was read; read it again.")
        end += size
        if buffer[end - 1] != ord("\n"):
            buffer[end] = ord("\n")
            end += 1
        stops.append(end)
    view.release()
    del buffer[end:]
    return buffer, np.array(stops, np.int64)


def _parse(
    text: bytes | bytearray,
    kinds: Mapping[str, str],
    delimiter: str,
    threads: bool,
    *,
    keep: list[str],
    missing: list[str],
) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {"float": pa.float64(), "int": pa.int64(), "str": pa.string()}
    return csv.read_csv(
        pa.BufferReader(pa.py_buffer(text)),
        read_options=csv.ReadOptions(column_names=list(kinds), block_size=BLOCK, use_threads=threads),
        parse_options=csv.ParseOptions(delimiter=delimiter, quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types={name: types[kind] for name, kind in kinds.items()},
            include_columns=keep,
            null_values=missing,
            strings_can_be_null=False,
        ),
        # Arrow's own pool keeps freed memory: 100 MB instead of 59 for HAPT, and no faster at this size.
        memory_pool=pa.system_memory_pool(),
    )


def _tidy(text: bytes | bytearray, delimiter: str, end: str) -> bytes | bytearray:
    """Remove end marks, carriage returns and repeated blanks, which Arrow does not handle.

    Searching 85 MB for these took as long as parsing, so this is only done if the first rows need it or parsing fails.
    """
    text = text.replace(b"\r\n", b"\n")
    if end:
        text = text.replace(end.encode() + b"\n", b"\n")
    if delimiter == " ":
        text = text.replace(b"\t", b" ")
        while b"  " in text:
            text = text.replace(b"  ", b" ")
        text = text.replace(b" \n", b"\n").replace(b"\n ", b"\n").removeprefix(b" ")
    return text


def _raise_first_fault(
    paths: Sequence[Path],
    kinds: Mapping[str, str],
    delimiter: str,
    end: str,
    *,
    skip: int,
    keep: list[str],
    missing: list[str],
) -> None:
    """Raise ``UserError`` for the first faulty row. Slow; called only after the fast parse has failed."""
    number = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|nan|NaN|inf)")
    whole = re.compile(r"[+-]?\d+")
    patterns = {"float": number, "int": whole, "str": re.compile(r".+")}
    for path in paths:
        with path.open("r", encoding="utf-8", errors="replace") as file:
            for row, line in enumerate(file, 1):
                if row <= skip:
                    continue
                bare = line.rstrip("\r\n").removesuffix(end)
                cells = bare.split() if delimiter == " " else bare.split(delimiter)
                if len(cells) != len(kinds):
                    raise UserError(
                        f"{path}, row {row}: {len(cells)} cells where {len(kinds)} ({_join_names(kinds)}) were "
                        f"expected; the file may have been cut: {_shorten(bare)}."
                    )
                for cell, (name, kind) in zip(cells, kinds.items(), strict=True):
                    if name in keep and cell not in missing and not patterns[kind].fullmatch(cell.strip()):
                        raise UserError(f"{path}, row {row}: {name} is {_shorten(cell)}, not {KINDS[kind]}.")


def _join_names(names: Iterable[str], most: int = 8) -> str:
    names = list(names)
    return ", ".join(names if len(names) <= most else [*names[: most - 2], "…", names[-1]])


def _shorten(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else text[: most - 1] + "…")
