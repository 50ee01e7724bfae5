"""RB-KD-Att: response-based distillation into a student with attention, from a plain teacher.

Where this differs from the published code: nowhere in the formula; of α see ``kd``, of
the attention ``networks/attention.py``.
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
    when="To tell what the maps of an attention teacher add: this student has attention, its teacher's maps "
    "are not used.",
    attention=("student",),
)
