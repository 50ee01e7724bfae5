"""KD: the student learns from the labels and the teacher's softened probabilities; RB-KD under its common name.

Where this differs from the published code: nowhere in the formula (checked against mdistiller and RepDistiller, KL
summed over classes). They weigh labels 0.1 and the teacher 0.9, at T = 4; here the default of α is 0.5, and α is
searched.
"""

from __future__ import annotations

from dataclasses import replace

from .rb_kd import RB_KD

#: L = α · L_stud + (1 − α) · T² · KL(q_T ‖ q_S): the objective of RB-KD.
KD = replace(
    RB_KD,
    name="kd",
    title="knowledge distillation",
    source="Hinton, Vinyals & Dean, Distilling the Knowledge in a Neural Network, 2015",
    when="Try it first, with any teacher (a file of scores is enough): it is cheap and rarely hurts.",
)
