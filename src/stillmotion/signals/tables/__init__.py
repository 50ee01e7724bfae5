"""Tables of your own: CSV or Parquet, one or several files, one or several clocks.

``TableMap`` describes how a table is read, ``propose_mapping`` proposes one from the first rows, ``find_mapping`` and
``propose_if_unmapped`` look up the mapping of a path, and ``read_table`` reads its files in bounded memory.
"""

from .find import TABLES, find_mapping, is_table, propose_if_unmapped
from .mapping import TableMap
from .propose import Proposal, propose_mapping
from .read import VERSION, list_table_files, read_table

__all__ = [
    "TABLES",
    "VERSION",
    "Proposal",
    "TableMap",
    "find_mapping",
    "is_table",
    "list_table_files",
    "propose_if_unmapped",
    "propose_mapping",
    "read_table",
]
