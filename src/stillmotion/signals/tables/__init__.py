"""Tables of your own: CSV or Parquet, long or one file per recording, one clock or several.

``propose_mapping`` looks at a table and says how it could be read, ``TableMap`` says how it is, ``find_mapping`` and
``proposal_for`` find that for a path, and ``read_table`` reads in bounded memory what ``list_table_files`` lists.
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
