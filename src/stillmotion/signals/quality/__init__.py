"""Quality of recordings: measurements for each subject, and findings about clocks, sensors, names and classes."""

from ..findings import Finding
from .inspect import Quality, inspect
from .subject import SubjectQuality

__all__ = ["Finding", "Quality", "SubjectQuality", "inspect"]
