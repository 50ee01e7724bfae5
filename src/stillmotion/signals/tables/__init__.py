"""Tables of your own: CSV or Parquet, long or one file per recording, one clock or several.

``propose`` looks at a table and says how it could be read, ``TableMap`` says how it is, ``mapping_for`` and
``proposal_for`` find that for a path, and ``read_table`` reads in bounded memory what ``table_files`` lists.
"""

from .find import TABLES, is_table, mapping_for, proposal_for
from .mapping import TableMap
from .propose import Proposal, propose
from .read import VERSION, read_table, table_files

__all__ = [
    "TABLES",
    "VERSION",
    "Proposal",
    "TableMap",
    "is_table",
    "mapping_for",
    "proposal_for",
    "propose",
    "read_table",
    "table_files",
]
