"""Data sets from data frames: pandas, polars, PyArrow, or a dictionary of columns."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ProposedMappingWarning, UserError
from ..names import require_file_name
from .recording import Dataset, Note
from .tables import propose_mapping, read_table


def from_frame(frame: Any, *, name: str = "frame", **mapping: Any) -> Dataset:
    """Make a data set from a data frame with a row for each sample, read as a table is.

    Args:
        frame: a ``pandas.DataFrame``, a ``polars.DataFrame``, a ``pyarrow.Table``, or column names to arrays.
        name: name of the data set.
        mapping: keys of a mapping, such as ``subject="who"``, ``label="activity"``, ``time="t"``, ``rate=50`` and
            ``sensors={"wrist.acc": ["ax", "ay", "az"]}``; the rest is proposed.

    Returns:
        The recordings. Faults are repaired and counted in ``notes``, as those of tables are.

    Raises:
        UserError: it is no data frame, or cannot be read with the mapping.

    Warns:
        ProposedMappingWarning: sensors were proposed; the message names the role of every column.

    Example:
        >>> import stillmotion as sm
        >>> columns = {
        ...     "who": ["ann"] * 100 + ["bob"] * 100,
        ...     "activity": ["walk"] * 200,
        ...     "ax": [n % 7 for n in range(200)],
        ...     "ay": [n % 5 for n in range(200)],
        ...     "az": [n % 3 for n in range(200)],
        ... }
        >>> sensors = {"wrist.acc": ["ax", "ay", "az"]}
        >>> data = sm.from_frame(columns, subject="who", label="activity", rate=50, sensors=sensors)
        >>> data.subjects, data.spec.rate, len(data.samples)
        (('ann', 'bob'), 50.0, 200)
    """
    from pyarrow import parquet

    table = _as_table(frame, name)
    file = f"{require_file_name(name, 'data frame')}.parquet"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        parquet.write_table(table, path)
        proposal = propose_mapping(path, mapping)
        try:
            dataset = read_table(proposal.mapping().with_name(name))
        except UserError as reason:
            reason.args = (str(reason).replace(str(path), name).replace(file, name),)
            raise
    if "sensors" in mapping:
        return dataset
    text = f"{name} was read with a proposed mapping: {proposal.describe()}"
    warnings.warn(f"{text}; give sensors= and the other keys to set it.", ProposedMappingWarning, stacklevel=2)
    return replace(dataset, notes=(*dataset.notes, Note("proposed mapping", 1, text)))


def _as_table(frame: Any, name: str) -> Any:
    import pyarrow as pa

    try:
        if isinstance(frame, pa.Table):
            return frame
        if isinstance(frame, Mapping):
            return pa.table({str(column): pa.array(values) for column, values in frame.items()})
        if hasattr(frame, "to_arrow"):  # polars
            return frame.to_arrow()
        if hasattr(frame, "iloc") and hasattr(frame, "columns"):  # pandas, with an index that may be the clock
            indexed = frame.index.name is not None
            return pa.Table.from_pandas(frame.reset_index() if indexed else frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as reason:
        raise UserError(f"{name} cannot be read: {str(reason).splitlines()[0].rstrip('.')}.") from reason
    raise UserError(
        f"{name} must be a pandas or polars DataFrame, a PyArrow Table or column names to arrays, not "
        f"{type(frame).__name__}; arrays of windows go to from_arrays."
    )
