"""Quality of recordings: measurements for each subject, and findings about clocks, sensors, names and classes."""

from ..findings import Finding
from .inspect import Quality, SubjectQuality, inspect

__all__ = ["Finding", "Quality", "SubjectQuality", "inspect"]
