"""LM-Att: a student with attention learns from the labels alone.

Where this differs from the published code: nowhere in the objective; for the attention see
``networks/attention.py``.
"""

from __future__ import annotations

from dataclasses import replace

from .lm import LM

#: L = −Σ_k y_k log p_k: the objective of LM; the student differs.
LM_ATT = replace(
    LM,
    name="lm-att",
    title="plain training of a student with attention",
    source="Agac & Incel: LM-Att",
    when="To measure what attention alone adds to a student, without the attention maps of a teacher.",
    attention=("student",),
)
