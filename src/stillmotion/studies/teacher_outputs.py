"""Decide whether the teacher of a variant runs in every step of its students, or its outputs are stored.

A teacher that runs in every step sees the very windows that its student sees: augmented, mixed, with noise on their
features ("a good teacher is patient and consistent", Beyer et al., CVPR 2022). Without augmentation both are the same,
and outputs are stored, which costs one prediction for each window.
"""

from __future__ import annotations

from ..errors import UserError
from ..methods import get_method
from ..windows.augment import MIXUP
from .sections import Outputs, Teaching, Training
from .variants import Variant

#: By default, teachers run in every step of a logit method if together they take at most this many FLOPs for a window,
#: or at most ``TIMES`` those of their student's step; features of the window, which all share, are not counted.
FLOPS, TIMES = 1_000_000, 2
#: A step is a forward and a backward pass, which takes twice the operations.
STEP = 3


def allowed_outputs(
    name: str, variant: Variant, training: Training, teaching: Teaching, *, networks: int, only_stored: str
) -> tuple[Outputs, ...]:
    """Return how the outputs of a variant's teacher may be made; several where their cost decides.

    Args:
        name: of the variant.
        variant: a method with a fixed teacher.
        training: of its students.
        teaching: the section ``[teaching]``.
        networks: number of networks that are the teachers of a study.
        only_stored: why these can only be stored, or empty.

    Returns:
        ``live``, ``stored`` or both.

    Raises:
        UserError: neither is possible, or not the one that ``[teaching]`` wants.
    """
    method, wanted = get_method(variant.method), teaching.outputs
    if not training.augment:
        return ("stored",)
    of_study = variant.teacher in ("plain", "attention")
    others = [tap for tap in method.teacher_taps if tap != "logits"]
    never_live = only_stored if of_study else ""
    if not never_live and of_study and networks > 1 and others:
        never_live = f"it needs {', '.join(others)}, and of several teachers only logits can be averaged in a step"
    never_stored = ""
    if others and MIXUP in training.augment:
        never_stored = f"it needs {', '.join(others)}, which mixup cannot mix"
    if never_live and (never_stored or wanted == "live"):
        raise UserError(
            f"The teacher of {name} cannot run in every step of its students ({never_live})"
            + (f", and outputs cannot be stored ({never_stored})" if never_stored else "")
            + ": use one teacher network with one seed and in-sample targets"
            + (", or leave mixup out." if never_stored else ", or outputs = 'auto' in [teaching].")
        )
    if never_stored and wanted == "stored":
        raise UserError(
            f"Outputs of the teacher of {name} cannot be stored ({never_stored}): set outputs in [teaching] to 'auto', "
            f"or leave mixup in [training] out."
        )
    if never_live or wanted == "stored":
        return ("stored",)
    # Taps of changed windows have no counterpart among those of unchanged ones, as logits have in the label.
    return ("live",) if wanted == "live" or others else ("live", "stored")
