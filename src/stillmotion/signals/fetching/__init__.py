"""Download, unpack and verify published data sets.

``fetch`` runs all steps; ``download`` resumes interrupted downloads, ``unpack`` opens nested archives, ``checksums``
holds the checksums of public copies.
"""

from .fetch import Fetched, fetch

__all__ = ["Fetched", "fetch"]
