"""RB-KD-Att: response-based distillation into a student with attention, from a plain teacher.

Where this differs from the published code: nowhere in the formula; for α see ``kd``, for the
attention ``networks/attention.py``.
"""

from __future__ import annotations

from dataclasses import replace

from .rb_kd import RB_KD

#: L = α · L_stud + (1 − α) · T² · KL(q_T ‖ q_S): the objective of RB-KD; the student differs.
RB_KD_ATT = replace(
    RB_KD,
    name="rb-kd-att",
    title="response-based distillation into a student with attention",
    source="Agac & Incel: RB-KD-Att",
    when="To measure what a teacher's attention maps add: here the student has attention, and no maps of the "
    "teacher are used.",
    attention=("student",),
)
