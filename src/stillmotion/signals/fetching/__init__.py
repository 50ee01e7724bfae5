"""Data sets from their publishers: downloaded or taken from a folder or an archive, verified, put in their place.

``fetch`` does it all; ``download`` goes on where it was stopped, ``unpack`` opens archives in archives, ``checksums``
knows what the files were.
"""

from .fetch import Fetched, fetch

__all__ = ["Fetched", "fetch"]
