"""Write the decoder over windows as C: the causal filter of ``IntegerDecoder``, in whole numbers.

Windows of a stream follow each other without gaps, so the filter starts at the first window and steps at every other.
A lag is not waited for: the device answers at once, from the windows so far. Where no class is probable enough, the
answer is UNKNOWN.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..decoding import IntegerDecoder, log_sum_table
from ..decoding.integer import LARGEST, LOWEST, SHIFT
from ..decoding.unknown import UNKNOWN
from .blocks import Array, Constant, Tensor, format_number


def decode_stream(decoder: IntegerDecoder, logits: Array, tensor: Tensor) -> NDArray[np.int64]:
    """Return the classes that ``push`` of the C gives for windows in a row, UNKNOWN (-2) where none is probable enough.

    Args:
        decoder: the decoder.
        logits: (n, classes) of the program, float32 or int8.
        tensor: their description.
    """
    if not decoder.chained:
        return decide_alone(decoder, logits, tensor)
    gaps = np.minimum(np.arange(len(logits)), 1)
    return replace(decoder, lag=0).decode(quantise_scores(decoder, logits, tensor), gaps)


def decide_alone(decoder: IntegerDecoder, logits: Array, tensor: Tensor) -> NDArray[np.int64]:
    """Return the classes that ``predict`` of the C gives: the highest logit, UNKNOWN (-2) where it is not sure enough.

    Args:
        decoder: the decoder.
        logits: (n, classes) of the program, float32 or int8.
        tensor: their description.
    """
    answers = decoder.decode_alone(quantise_scores(decoder, logits, tensor))
    return np.where(answers == UNKNOWN, UNKNOWN, logits.argmax(1))


def quantise_scores(decoder: IntegerDecoder, logits: Array, tensor: Tensor) -> NDArray[np.int32]:
    """Return logits of a program, float32 or int8, in units of 1/64 nat."""
    if tensor.dtype == "float32":
        return decoder.quantise_logits(logits)
    return decoder.rescale_logits(logits.astype(np.int64) - tensor.zero_point, decoder.multiplier(tensor.step))


def rejects_alone(decoder: IntegerDecoder | None) -> bool:
    """Return whether a window by itself may be answered UNKNOWN."""
    return decoder is not None and decoder.limit_alone is not None


def is_chained(decoder: IntegerDecoder | None) -> bool:
    """Return whether ``push`` puts windows in a row, which needs memory."""
    return decoder is not None and decoder.chained


def write_decoder(decoder: IntegerDecoder, logits: Tensor, unknown: str) -> str:
    """Return the C functions ``decode`` and ``unsure`` that the answers need, with their constants.

    Args:
        decoder: the decoder.
        logits: of the program.
        unknown: the C constant of an answer without a class.
    """
    if not decoder.chained and decoder.limit_alone is None:
        return ""
    arrays: dict[str, Array] = {"table": log_sum_table()}
    if decoder.chained:
        arrays = {"transition": decoder.transition, "start": decoder.start, "prior": decoder.prior} | arrays
    constants = "".join(Constant(name, array).declare("decoder") for name, array in arrays.items())
    rejects = decoder.limit is not None or decoder.limit_alone is not None
    source = _SHARED + (_UNSURE if rejects else "") + (_CHAIN if decoder.chained else "")
    values = {
        "KIND": logits.c_type,
        "CLASSES": str(len(decoder.start)),
        "SPAN": str(decoder.span),
        "LOWEST": str(LOWEST),
        "LONG": str(len(arrays["table"])),
        "SCORE": _score(decoder, logits),
        "ANSWER": "best" if decoder.limit is None else f"unsure(belief, {decoder.limit}) ? {unknown} : best",
    }
    for name, value in values.items():
        source = source.replace(f"@{name}@", value)
    return f"{constants}\n{source}"


def _score(decoder: IntegerDecoder, logits: Tensor) -> str:
    """Return the statements that compute ``score``, in units of 1/64 nat, from logit ``i``."""
    if logits.dtype == "float32":
        return (
            f"float scaled = logits[i] * {format_number(decoder.logit_scale)}, rest;\n"
            f"        scaled = scaled > {-LARGEST}.0f ? scaled : {-LARGEST}.0f;\n"
            f"        scaled = scaled > {LARGEST}.0f ? {LARGEST}.0f : scaled;\n"
            "        score[i] = (int32_t)scaled; /* rounded half to even */\n"
            "        rest = scaled - (float)score[i];\n"
            "        if (rest > 0.5f || (rest == 0.5f && (score[i] & 1)))\n            score[i]++;\n"
            "        if (rest < -0.5f || (rest == -0.5f && (score[i] & 1)))\n            score[i]--;"
        )
    return (
        f"int64_t scaled = (int64_t)(logits[i] - ({logits.zero_point})) * {decoder.multiplier(logits.step)};\n"
        f"        scaled = (scaled + {1 << (SHIFT - 1)}) >> {SHIFT};\n"
        f"        score[i] = (int32_t)(scaled < {-LARGEST} ? {-LARGEST} : scaled > {LARGEST} ? {LARGEST} : scaled);"
    )


_SHARED = """/* The logarithm of the sum of two numbers, all in units of 1/64 nat. */
static int32_t add_logs(int32_t a, int32_t b)
{
    int32_t apart = a < b ? b - a : a - b;
    return (a < b ? b : a) + (apart < @LONG@ ? decoder_table[apart] : 0);
}

/* What a window by itself says against each class, 0 for the likeliest. */
static void weigh(const @KIND@ *logits, int32_t *evidence)
{
    int32_t score[@CLASSES@], largest;
    int i;
    for (i = 0; i < @CLASSES@; i++) {
        @SCORE@
    }
    largest = score[0];
    for (i = 1; i < @CLASSES@; i++)
        largest = score[i] > largest ? score[i] : largest;
    for (i = 0; i < @CLASSES@; i++)
        evidence[i] = score[i] - largest < -@SPAN@ ? -@SPAN@ : score[i] - largest;
}
"""
_UNSURE = """
/* Whether the likeliest class, whose value is 0, is not probable enough beside all others. */
static int unsure(const int32_t *values, int32_t limit)
{
    int32_t total = values[0];
    int i;
    for (i = 1; i < @CLASSES@; i++)
        total = add_logs(total, values[i]);
    return total > limit;
}
"""
_CHAIN = """
/* Make the largest 0. */
static void centre(int32_t *values)
{
    int32_t largest = values[0];
    int i;
    for (i = 1; i < @CLASSES@; i++)
        largest = values[i] > largest ? values[i] : largest;
    for (i = 0; i < @CLASSES@; i++) {
        values[i] -= largest;
        values[i] = values[i] < @LOWEST@ ? @LOWEST@ : values[i];
    }
}

/* Take the logits of the next window into what is believed, and return the likeliest class. */
static int decode(int32_t *belief, int first, const @KIND@ *logits)
{
    int32_t evidence[@CLASSES@], next[@CLASSES@];
    int i, j, best = 0;
    weigh(logits, evidence);
    for (j = 0; j < @CLASSES@; j++) {
        next[j] = first ? decoder_start[j] : belief[0] + decoder_transition[j];
        for (i = 1; i < @CLASSES@ && !first; i++)
            next[j] = add_logs(next[j], belief[i] + decoder_transition[i * @CLASSES@ + j]);
    }
    if (!first)
        centre(next);
    for (i = 0; i < @CLASSES@; i++)
        belief[i] = next[i] + evidence[i] - decoder_prior[i];
    centre(belief);
    for (i = 1; i < @CLASSES@; i++)
        best = belief[i] > belief[best] ? i : best;
    return @ANSWER@;
}
"""
