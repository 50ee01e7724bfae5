"""The placement of attention in a network, as a value and as text for commands and study files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .attention import add_cbam, add_sensor_attention

SYNTAX = "write for example 'channel:r=4,spatial:k=7,after=2' (several convolutions: after=1+3; several blocks: ;)"


@dataclass(frozen=True)
class Attention:
    """A block of attention after each of the chosen convolutions.

    Args:
        after: numbers of the convolutions, counted from 1.
        channel: reduction of CBAM's attention over filters, or None.
        spatial: size of CBAM's spatial kernel, odd, or None.
        sensor: reduction of the attention over sensor channels, which comes last, or None.
    """

    after: tuple[int, ...]
    channel: int | None = None
    spatial: int | None = None
    sensor: int | None = None

    def __post_init__(self) -> None:
        if self.channel is None and self.spatial is None and self.sensor is None:
            raise UserError(f"An attention block has no attention in it; {SYNTAX}.")
        if not self.after:
            raise UserError(f"Attention {str(self)!r} does not say after which convolution; {SYNTAX}.")

    def __str__(self) -> str:
        parts = (("channel:r", self.channel), ("spatial:k", self.spatial), ("sensor:r", self.sensor))
        chosen = [f"{name}={value}" for name, value in parts if value is not None]
        return ",".join([*chosen, f"after={'+'.join(map(str, self.after))}"])

    def add(self, x: Any, convolution: int) -> Any:
        """Add the block's layers to ``x``, the output of convolution number ``convolution``."""
        name = str(convolution)
        x = add_cbam(x, channel=self.channel, spatial=self.spatial, name=name)
        return x if self.sensor is None else add_sensor_attention(x, reduction=self.sensor, name=name)


def parse_attention(text: str | Attention | Sequence[Attention] | None) -> tuple[Attention, ...]:
    """Read blocks of attention from text such as ``channel:r=4,spatial:k=7,after=2``.

    Parts of a block are separated by commas: ``channel`` (reduction ``r``, default 4), ``spatial`` (kernel ``k``,
    default 7), ``sensor`` (reduction ``r``, default 2) and ``after`` (convolutions, joined by ``+``); blocks by ``;``.

    Args:
        text: the text; blocks are returned unchanged; None, ``none`` and empty text give no block.

    Returns:
        The blocks.

    Raises:
        UserError: the text cannot be read; the message shows an example.

    Example:
        >>> from stillmotion.networks import parse_attention
        >>> parse_attention("channel,after=1+3")
        (Attention(after=(1, 3), channel=4, spatial=None, sensor=None),)
    """
    if text is None or text == "" or text == "none":
        return ()
    if isinstance(text, Attention):
        return (text,)
    if not isinstance(text, str):
        return tuple(text)
    return tuple(_block(block) for block in text.split(";"))


def blocks_after(blocks: Sequence[Attention], convolution: int) -> list[Attention]:
    """Return the blocks that follow convolution number ``convolution``."""
    return [block for block in blocks if convolution in block.after]


def require_convolutions(blocks: Sequence[Attention], count: int, network: str) -> None:
    """Raise ``UserError`` when a block follows a convolution that does not exist, or two follow the same."""
    wanted = [number for block in blocks for number in block.after]
    for number in wanted:
        if not 1 <= number <= count:
            raise UserError(f"{network} has no convolution {number} for attention: after=1 to after={count} exist.")
        if wanted.count(number) > 1:
            raise UserError(f"Attention follows convolution {number} of {network} twice; put both into one block.")


def _block(text: str) -> Attention:
    parts = [_part(part.strip(), text) for part in text.split(",")]
    names = [name for name, _ in parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"Attention {text!r} says {twice[0]} twice; separate blocks by ';'.")
    after = [numbers for name, numbers in parts if name == "after"]
    return Attention(
        after=tuple(after[0]) if after else (),
        **{name: numbers[0] for name, numbers in parts if name != "after"},
    )


def _part(part: str, text: str) -> tuple[str, list[int]]:
    default = {"channel": ("r", 4), "spatial": ("k", 7), "sensor": ("r", 2)}
    if match := re.fullmatch(r"after\s*=\s*(\d+(?:\s*\+\s*\d+)*)", part):
        return "after", [int(number) for number in match[1].split("+")]
    if match := re.fullmatch(r"(channel|spatial|sensor)(?:\s*:\s*([rk])\s*=\s*(\d+))?", part):
        letter, number = default[match[1]]
        if match[2] in (None, letter):
            return match[1], [int(match[3] or number)]
    raise UserError(f"Cannot read {part!r} in attention {text!r}: {SYNTAX}.")
