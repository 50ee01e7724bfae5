"""TAKD: KD twice, through an assistant between teacher and student in size.

One step of the chain is KD. Who the assistant is, and that the teacher teaches it first, is said by a study's variant:
``teacher = "assistant"`` and ``assistant``, the name of its network; it is taught at KD's defaults.

Where this differs from the published code: its KL is a mean over the elements, that
is over classes too, and so C times smaller at the same weight; here it is the sum over classes, as for ``kd``.
"""

from __future__ import annotations

from dataclasses import replace

from .kd import KD

#: L = α · L_stud + (1 − α) · T² · KL(q_A ‖ q_S), A the assistant, itself a student of the teacher by the same formula.
TAKD = replace(
    KD,
    name="takd",
    title="distillation through an assistant",
    source="Mirzadeh et al., Improved Knowledge Distillation via Teacher Assistant, AAAI 2020",
    when="When the teacher is far larger than the student: one of a size between is taught first.",
)
