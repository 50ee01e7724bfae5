"""Where attention goes in a network, as a value and as the text that the command and a study's file use."""

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
    """One block of attention, put after each of the chosen convolutions.

    Args:
        after: numbers of the convolutions, counted from 1.
        channel: reduction of CBAM's attention over filters, or None.
        spatial: side of CBAM's spatial kernel, odd, or None.
        sensor: reduction of the attention over sensor channels, or None; it comes last.
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
        """The block's layers on top of ``x``, the output of convolution number ``convolution``."""
        name = str(convolution)
        x = add_cbam(x, channel=self.channel, spatial=self.spatial, name=name)
        return x if self.sensor is None else add_sensor_attention(x, reduction=self.sensor, name=name)


def parse_attention(text: str | Attention | Sequence[Attention] | None) -> tuple[Attention, ...]:
    """Read blocks of attention from text such as ``channel:r=4,spatial:k=7,after=2``.

    Parts of a block are separated by commas: ``channel`` (reduction ``r``, default 4), ``spatial`` (kernel ``k``,
    default 7), ``sensor`` (reduction ``r``, default 2) and ``after`` (convolutions, joined by ``+``); blocks by ``;``.

    Args:
        text: the text; blocks are given back as they are, and nothing is no block.

    Returns:
        The blocks.

    Raises:
        UserError: the text cannot be read; the error shows one that can.

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
    """The blocks that follow convolution number ``convolution``."""
    return [block for block in blocks if convolution in block.after]


def require_convolutions(blocks: Sequence[Attention], count: int, network: str) -> None:
    """An error when a block follows a convolution that the network does not have, or two blocks follow the same."""
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
    if found := re.fullmatch(r"after\s*=\s*(\d+(?:\s*\+\s*\d+)*)", part):
        return "after", [int(number) for number in found[1].split("+")]
    if found := re.fullmatch(r"(channel|spatial|sensor)(?:\s*:\s*([rk])\s*=\s*(\d+))?", part):
        letter, number = default[found[1]]
        if found[2] in (None, letter):
            return found[1], [int(found[3] or number)]
    raise UserError(f"Cannot read {part!r} in attention {text!r}: {SYNTAX}.")
