"""TAKD: KD twice, through a teacher assistant whose size lies between teacher and student.

Each step of the chain is KD. A study's variant sets ``teacher = "assistant"`` and ``assistant``, the name of its
network; the assistant is first distilled from the teacher at KD's defaults.

Where this differs from the published code: its KL is a mean over classes too, and so C times smaller at the same
weight; here it is the sum over classes, as for ``kd``.
"""

from __future__ import annotations

from dataclasses import replace

from .kd import KD

#: L = α · L_stud + (1 − α) · T² · KL(q_A ‖ q_S), A the assistant, itself a student of the teacher by the same formula.
TAKD = replace(
    KD,
    name="takd",
    title="distillation through a teacher assistant",
    source="Mirzadeh et al., Improved Knowledge Distillation via Teacher Assistant, AAAI 2020",
    when="When the teacher is far larger than the student: a network of a size between is distilled first.",
)
