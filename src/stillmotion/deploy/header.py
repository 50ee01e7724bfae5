"""Write the header of generated C: the contract as constants, the functions, where the model comes from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..decoding import UNKNOWN, IntegerDecoder
from ..signals import SignalSpec
from .program import Program
from .signal_counts import Counts


@dataclass(frozen=True, eq=False)
class Target:
    """What is written for a device.

    Args:
        name: prefix of all names, a C name in small letters.
        program: float32 or integers.
        spec: the contract.
        counts: how raw counts stand for values; None where that is not known.
        scores: rows of the bundle, one per subject.
        provenance: where the model comes from.
        decoder: of windows in a row, or None.
    """

    name: str
    program: Program
    spec: SignalSpec
    counts: Counts | None
    scores: Sequence[Mapping[str, Any]]
    provenance: Mapping[str, Any]
    decoder: IntegerDecoder | None = None

    @property
    def integers(self) -> bool:
        """Whether it computes in integers."""
        return self.program.signal.dtype == "int16"

    @property
    def macro(self) -> str:
        """Prefix of all constants."""
        return self.name.upper()


def rejects(decoder: IntegerDecoder | None) -> bool:
    """Return whether answers may be UNKNOWN."""
    return decoder is not None and (decoder.limit is not None or decoder.limit_alone is not None)


def c_name(text: str) -> str:
    """Return a C name in small letters after a text."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return f"m{name}" if not name or name[0].isdigit() else name


def write_header(target: Target, arena: int, state: int) -> str:
    """Return the header.

    Args:
        target: what is written.
        arena, state: bytes of both static objects.
    """
    macro, spec = target.macro, target.spec
    sizes = {
        "WINDOW": f"{spec.window} /* samples in a window */",
        "HOP": f"{spec.hop} /* samples from one window to the next */",
        "CHANNELS": str(len(spec.channels)),
        "CLASSES": str(len(spec.classes)),
        "RATE": f"{float(spec.rate)!r} /* samples in a second */",
        "NOT_YET": "(-1) /* no answer with this sample */",
        **({"UNKNOWN": f"({UNKNOWN}) /* no class is probable enough */"} if rejects(target.decoder) else {}),
        "ARENA_BYTES": f"{arena} /* memory of the network */",
        "STATE_BYTES": f"{state} /* the window and the decoder */",
    }
    if target.decoder is not None and target.decoder.chained:
        sizes["LAG"] = f"{target.decoder.lag} /* windows that an answer waits for */"
    parts = [
        _about(target, arena + state),
        f'#ifndef {macro}_H\n#define {macro}_H\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern "C" {{\n#endif\n',
        _defines(macro, sizes),
        "/* Channels, in the order of a sample: value = count / 2^SHIFT. */" if target.counts else "/* Channels. */",
        _defines(macro, _channels(target)),
        "/* Classes. */",
        _defines(macro, {f"CLASS_{key}": str(place) for place, key in enumerate(_keys(spec.classes))}),
        _functions(target),
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
    ]
    return "\n".join(parts)


def _defines(macro: str, values: Mapping[str, str]) -> str:
    return "".join(f"#define {macro}_{key} {value}\n" for key, value in values.items())


def _keys(names: Sequence[str]) -> list[str]:
    """Return different C names in capitals after texts."""
    keys: list[str] = []
    for name in names:
        base, number = c_name(name).upper(), 2
        key = base
        while key in keys:
            key, number = f"{base}_{number}", number + 1
        keys.append(key)
    return keys


def _channels(target: Target) -> dict[str, str]:
    values = {}
    for place, key in enumerate(_keys(target.spec.channel_names)):
        channel = target.spec.channels[place]
        values[f"CHANNEL_{key}"] = f"{place} /* {plain(channel.unit) or 'unit not known'} */"
        if target.counts is not None:
            values[f"SHIFT_{key}"] = f"({target.counts.shifts[place]})"
    return values


def _functions(target: Target) -> str:
    name, macro, unknown = target.name, target.macro, rejects(target.decoder)
    lines = [
        f"/* Forget all samples. */\nvoid {name}_init(void);\n",
        f"/* Take one sample, in the units above. {_answers(target)}",
        *(["   Where no class is probable enough, UNKNOWN is returned; by predict too."] if unknown else []),
        "   A value that is not finite is replaced by the channel's last one (0 at first). */",
        f"int {name}_push(const float sample[{macro}_CHANNELS]);\n",
    ]
    if target.counts is not None:
        lines += ["/* The same of raw counts. */", f"int {name}_push_i16(const int16_t sample[{macro}_CHANNELS]);\n"]
    restart = " The stream of push begins anew." if target.integers else ""
    lines += [
        f"/* Return the class of a window, sample by sample, and write its logits.{restart} */",
        f"int {name}_predict(const float *window, float logits[{macro}_CLASSES]);\n",
    ]
    if target.integers:
        logits = target.program.logits
        lines += [
            f"/* The same of raw counts, without floating point: logit = {logits.step:.9g} * (integer - "
            f"({logits.zero_point})). */",
            f"int {name}_predict_i16(const int16_t *window, int8_t logits[{macro}_CLASSES]);\n",
        ]
    lines += [
        "/* Write the logits of the last window, of push or predict. */",
        f"void {name}_logits(float logits[{macro}_CLASSES]);\n",
        "/* Write the probabilities of logits; both may be one array. */",
        f"void {name}_probabilities(const float *logits, float probabilities[{macro}_CLASSES]);\n",
        "/* Names of the classes. */",
        f"extern const char *const {name}_class_names[{macro}_CLASSES];\n",
    ]
    return "\n".join(lines)


def _answers(target: Target) -> str:
    """Say what the class that ``push`` returns follows from."""
    decoder = target.decoder if target.decoder is not None and target.decoder.chained else None
    lag = 0 if decoder is None else decoder.lag
    which = f"{lag} window{'s' * (lag > 1)} before the one that ends here" if lag else "that ends here"
    source = "it alone" if decoder is None else "all windows since init"
    return f"Return the class of the window {which},\n   from {source}; NOT_YET if there is none."


def _about(target: Target, memory: int) -> str:
    spec, given = target.spec, target.provenance
    kind = "int8, from raw counts to logits in integers" if target.integers else "float32"
    lines = [
        f"{target.name}: {plain(str(given.get('network', 'a network')))} in {kind}, generated by stillmotion.",
        f"{spec.rate:g} Hz, windows of {spec.window} samples ({spec.seconds:g} s), one every {spec.hop}.",
        f"Static memory: {memory} bytes; the stack comes on top. No heap, no library but mem*.",
        "Compile with -std=c99 -ffp-contract=off: a fused multiplication and addition changes the last bits.",
    ]
    names = ("study", "variant", "method", "protocol", "fold", "seed", "run")
    origin = [f"{name} {plain(str(given[name]))}" for name in names if given.get(name) is not None]
    lines += [f"Origin: {', '.join(origin)}."] if origin else []
    if target.scores:
        lines += ["Scores of the Keras model in float32 on subjects never seen in training:"]
        for row in target.scores:
            values = [f"{key} {_shown(value)}" for key, value in row.items() if key != "subject"]
            lines.append(f"  {plain(str(row['subject']))}: {plain(', '.join(values))}")
    return "/*\n" + "".join(f" * {line}\n" for line in lines) + " */"


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def plain(text: str) -> str:
    """Return text that can stand in a C comment: printable ASCII that does not end it."""
    shown = "".join(each if " " <= each <= "~" and each not in "?\\" else "_" for each in text)
    return shown.replace("*/", "* /").replace("/*", "/ *")
