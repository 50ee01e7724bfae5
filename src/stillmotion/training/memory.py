"""How many replicas fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from .functional import Functional

#: Share of the free memory that a fleet may fill.
SHARE = 0.6
#: Replicas on a processor: more of them at a time only make each epoch longer.
CPU_REPLICAS = 16
GPU_REPLICAS = 512
#: Arrays of one step beside the activations themselves: their gradients and what a layer needs on its way.
STEP_FACTOR = 4


def replica_bytes(networks: Sequence[Functional], batch: int, *, beside: int = 0) -> int:
    """Bytes that one replica needs while it trains: weights, moments, best weights, and one step's activations.

    Args:
        networks: that run in a step.
        batch: windows a step.
        beside: numbers that are trained beside the networks.
    """
    weights = sum(network.size for network in networks) + beside
    activations = sum(_activations(network) for network in networks) * batch
    return 4 * (6 * weights + STEP_FACTOR * activations)


def choose_size(asked: int | None, runs: int, per_replica: int, shared: int, *, free: int | None = None) -> int:
    """How many replicas to train together.

    Args:
        asked: what the user set, or None to choose.
        runs: how many there are to train.
        per_replica: bytes of one.
        shared: bytes of the windows and teachers' answers, which all replicas read.
        free: bytes there are; measured when not given.
    """
    free = free_bytes() if free is None else free
    room = int(SHARE * free) - shared
    fit = room // max(per_replica, 1)
    if fit < 1:
        raise UserError(
            f"One replica needs {per_replica / 1e6:,.0f} MB beside {shared / 1e6:,.0f} MB of windows, and only "
            f"{free / 1e6:,.0f} MB of memory are free (60 % of it is used): make the batch smaller."
        )
    if asked is not None:
        if asked < 1:
            raise UserError(f"A fleet has at least 1 replica, not {asked}.")
        if asked > fit:
            raise UserError(
                f"A fleet of {asked} needs {(asked * per_replica + shared) / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB of "
                f"memory are free (60 % of it is used): at most {fit} fit."
            )
        return min(asked, runs)
    most = GPU_REPLICAS if on_accelerator() else CPU_REPLICAS
    return int(min(runs, most, fit))


def on_accelerator() -> bool:
    """Whether JAX sees something better than a processor."""
    import jax

    return bool(jax.default_backend() != "cpu")


def free_bytes() -> int:
    """Memory that is free on the device that trains."""
    if on_accelerator():
        import jax

        stats = jax.devices()[0].memory_stats() or {}
        if "bytes_limit" in stats:
            return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 8 << 30


def _activations(network: Functional) -> int:
    """Numbers that all layers of a network put out for one window."""
    total = 0
    for layer in network.tapped.layers:
        shapes = layer.output if isinstance(layer.output, list | tuple) else [layer.output]
        for tensor in shapes:
            size = 1
            for length in tensor.shape[1:]:
                size *= int(length)
            total += size
    return total
