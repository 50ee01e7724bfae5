"""Write the decoder over windows as C: ``IntegerDecoder`` with its lag, in whole numbers.

Windows of a stream follow each other without gaps, so the filter starts at the first window and steps at every other.
Where no class is probable enough, the answer is UNKNOWN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..decoding import IntegerDecoder, log_sum_table
from ..decoding.integer import LARGEST, LOWEST, SHIFT
from ..decoding.unknown import UNKNOWN
from .blocks import Array, Constant, Tensor, format_number


def decode_stream(decoder: IntegerDecoder, logits: Array, tensor: Tensor) -> NDArray[np.int64]:
    """Return the classes that ``push`` of the C gives for windows in a row, UNKNOWN (-2) where none is probable enough.

    The last windows, which wait for the decoder's lag, are not among them.

    Args:
        decoder: the decoder.
        logits: (n, classes) of the program, float32 or int8.
        tensor: their description.
    """
    if not decoder.chained:
        return decide_alone(decoder, logits, tensor)
    return decoder.decode(quantise_scores(decoder, logits, tensor))[: max(len(logits) - decoder.lag, 0)]


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


def decoder_state(decoder: IntegerDecoder | None) -> tuple[list[str], list[tuple[Tensor, str]]]:
    """Return what the C keeps from window to window: whole numbers, and arrays with their names."""
    if decoder is None or not decoder.chained:
        return [], []
    classes, lag = len(decoder.start), decoder.lag
    beliefs = Tensor((max(lag, 1) * classes,), "int16"), "belief"
    if not lag:
        return ["decoded"], [beliefs]
    return ["decoded", "slot"], [beliefs, (Tensor((lag * classes,), "int16"), "evidence")]


def write_decoder(decoder: IntegerDecoder, logits: Tensor, macro: str) -> str:
    """Return the C functions ``decode`` and ``unsure`` that the answers need, with their constants.

    Args:
        decoder: the decoder.
        logits: of the program.
        macro: prefix of constants.
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
        **(_LATE if decoder.lag else _AT_ONCE),
        "SURE": "" if decoder.limit is None else _SURE,
        "VALUES": "future" if decoder.lag else "next",
        "LIMIT": str(decoder.limit),
        "UNKNOWN": f"{macro}_UNKNOWN",
        "LAG": str(decoder.lag),
        "NOT_YET": f"{macro}_NOT_YET",
        "KIND": logits.c_type,
        "CLASSES": str(len(decoder.start)),
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
/* Make the largest 0, and return its place: the first of equals. */
static int centre(int32_t *values)
{
    int i, best = 0;
    int32_t largest;
    for (i = 1; i < @CLASSES@; i++)
        best = values[i] > values[best] ? i : best;
    largest = values[best];
    for (i = 0; i < @CLASSES@; i++) {
        values[i] -= largest;
        values[i] = values[i] < @LOWEST@ ? @LOWEST@ : values[i];
    }
    return best;
}
@LOOK_BACK@
/* Take the logits of the next window into what is believed, and return the likeliest class@WHEN@. */
static OWN_FRAME int decode(const @KIND@ *logits)
{
    int32_t evidence[@CLASSES@], next[@CLASSES@];
    int i, j, best;
    @PLACES@
    weigh(logits, evidence);
    for (j = 0; j < @CLASSES@; j++) {
        next[j] = state.decoded == 0 ? decoder_start[j] : last[0] + decoder_transition[j];
        for (i = 1; i < @CLASSES@ && state.decoded > 0; i++)
            next[j] = add_logs(next[j], last[i] + decoder_transition[i * @CLASSES@ + j]);
    }
    if (state.decoded > 0)
        (void)centre(next);
    for (i = 0; i < @CLASSES@; i++) {
        evidence[i] -= decoder_prior[i];
        @KEEP@next[i] += evidence[i];
    }
    best = centre(next);
    @ANSWER@for (i = 0; i < @CLASSES@; i++)
        belief[i] = (int16_t)next[i];
    @ADVANCE@
    return best;
}
"""
#: Where the likeliest class must be probable enough.
_SURE = "best = unsure(@VALUES@, @LIMIT@) ? @UNKNOWN@ : best;\n    "
#: Without a lag: one belief, of the window before.
_AT_ONCE = {
    "LOOK_BACK": "",
    "WHEN": "",
    "PLACES": "int16_t *belief = state.belief;\n    const int16_t *last = belief;",
    "KEEP": "",
    "ANSWER": "@SURE@",
    "ADVANCE": "state.decoded = 1;",
}
#: With a lag: beliefs and evidence of as many windows, each in its slot; the oldest window is answered.
_LATE = {
    "LOOK_BACK": """
/* Return the likeliest class of the oldest window, given all windows after it. */
static OWN_FRAME int look_back(void)
{
    int32_t future[@CLASSES@] = {0}, values[@CLASSES@];
    int i, j, number, best, slot = state.slot;
    for (number = 0; number < @LAG@; number++) {
        for (i = 0; i < @CLASSES@; i++)
            values[i] = state.evidence[slot * @CLASSES@ + i] + future[i];
        (void)centre(values);
        for (i = 0; i < @CLASSES@; i++) {
            future[i] = decoder_transition[i * @CLASSES@] + values[0];
            for (j = 1; j < @CLASSES@; j++)
                future[i] = add_logs(future[i], decoder_transition[i * @CLASSES@ + j] + values[j]);
        }
        (void)centre(future);
        slot = slot > 0 ? slot - 1 : @LAG@ - 1;
    }
    for (i = 0; i < @CLASSES@; i++)
        future[i] += state.belief[state.slot * @CLASSES@ + i];
    best = centre(future);
    @SURE@return best;
}
""",
    "WHEN": " @LAG@ windows ago",
    "PLACES": "int16_t *belief = state.belief + state.slot * @CLASSES@;\n"
    "    const int16_t *last = state.belief + (state.slot > 0 ? state.slot - 1 : @LAG@ - 1) * @CLASSES@;",
    "KEEP": "state.evidence[state.slot * @CLASSES@ + i] = (int16_t)evidence[i];\n        ",
    "ANSWER": "best = state.decoded == @LAG@ ? look_back() : @NOT_YET@;\n    ",
    "ADVANCE": "state.decoded += state.decoded < @LAG@;\n    state.slot = state.slot < @LAG@ - 1 ? state.slot + 1 : 0;",
}
