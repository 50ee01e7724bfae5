"""The decoder of a bundle fits its signal contract."""

from __future__ import annotations

from pathlib import Path

from ..decoding import Decoder
from ..errors import ContractError, UserError
from ..signals import SignalSpec
from .contents import parse_json


def require_decoder(decoder: Decoder, spec: SignalSpec) -> None:
    """Raise ``ContractError`` unless a decoder is for the classes and the hop of a contract."""
    seconds = spec.hop / spec.rate
    if decoder.classes != spec.classes or abs(decoder.hop - seconds) > 0.01 * seconds:
        raise ContractError(
            f"The decoder is for the classes [{', '.join(decoder.classes)}] and a hop of {decoder.hop:g} s, but the "
            f"signal has [{', '.join(spec.classes)}] and {seconds:g} s."
        )


def read_decoder(path: Path, content: bytes, spec: SignalSpec) -> Decoder:
    """Return the decoder of a bundle's file; raise ``UserError`` with its path where it is none or does not fit."""
    values = parse_json(path, content)
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold an object, not a {type(values).__name__}; copy it again.")
    try:
        decoder = Decoder.from_dict(values)
        require_decoder(decoder, spec)
    except UserError as problem:
        raise UserError(f"{path}: {problem}") from problem
    return decoder
