"""Write the decoder over windows as C: the causal filter of ``IntegerDecoder``, in whole numbers.

Windows of a stream follow each other without gaps, so the filter starts at the first window and steps at every other.
A lag is not waited for: the device answers at once, from the windows so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..decoding import IntegerDecoder, log_sum_table
from ..decoding.integer import LARGEST, LOWEST, SHIFT
from .blocks import Array, Constant, Tensor, format_number


def decode_stream(decoder: IntegerDecoder, logits: Array, tensor: Tensor) -> NDArray[np.int64]:
    """Return the classes that the C gives for windows in a row.

    Args:
        decoder: the decoder.
        logits: (n, classes) of the program, float32 or int8.
        tensor: their description.
    """
    if tensor.dtype == "float32":
        scores = decoder.quantise_logits(logits)
    else:
        steps = logits.astype(np.int64) - tensor.zero_point
        scores = decoder.rescale_logits(steps, decoder.multiplier(tensor.step))
    gaps = np.minimum(np.arange(len(logits)), 1)
    return np.asarray(decoder.filter(scores, gaps).argmax(1), np.int64)


def write_decoder(decoder: IntegerDecoder, logits: Tensor) -> str:
    """Return the C function ``decode``, with its constants.

    Args:
        decoder: the decoder.
        logits: of the program.
    """
    classes = len(decoder.start)
    arrays: dict[str, Array] = {
        "transition": decoder.transition,
        "start": decoder.start,
        "prior": decoder.prior,
        "table": log_sum_table(),
    }
    constants = "".join(Constant(name, array).declare("decoder") for name, array in arrays.items())
    source = _SOURCE
    values = {
        "KIND": logits.c_type,
        "CLASSES": str(classes),
        "SPAN": str(decoder.span),
        "LOWEST": str(LOWEST),
        "LONG": str(len(arrays["table"])),
        "SCORE": _score(decoder, logits),
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


_SOURCE = """/* The logarithm of the sum of two numbers, all in units of 1/64 nat. */
static int32_t add_logs(int32_t a, int32_t b)
{
    int32_t apart = a < b ? b - a : a - b;
    return (a < b ? b : a) + (apart < @LONG@ ? decoder_table[apart] : 0);
}

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
    int32_t score[@CLASSES@], next[@CLASSES@], largest;
    int i, j, best = 0;
    for (i = 0; i < @CLASSES@; i++) {
        @SCORE@
    }
    largest = score[0];
    for (i = 1; i < @CLASSES@; i++)
        largest = score[i] > largest ? score[i] : largest;
    for (j = 0; j < @CLASSES@; j++) {
        next[j] = first ? decoder_start[j] : belief[0] + decoder_transition[j];
        for (i = 1; i < @CLASSES@ && !first; i++)
            next[j] = add_logs(next[j], belief[i] + decoder_transition[i * @CLASSES@ + j]);
    }
    if (!first)
        centre(next);
    for (i = 0; i < @CLASSES@; i++) {
        int32_t evidence = score[i] - largest;
        belief[i] = next[i] + (evidence < -@SPAN@ ? -@SPAN@ : evidence) - decoder_prior[i];
    }
    centre(belief);
    for (i = 1; i < @CLASSES@; i++)
        best = belief[i] > belief[best] ? i : best;
    return best;
}
"""
