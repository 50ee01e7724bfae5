"""How many replicas fit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ..errors import UserError
from .functional import ANY_LENGTH, Functional

#: Share of the free memory that a fleet may fill.
SHARE = 0.6
#: Replicas on a processor: more of them at a time only make each epoch longer.
CPU_REPLICAS = 16
GPU_REPLICAS = 512
#: Arrays of one step beside the activations themselves: their gradients and what a layer needs on its way.
STEP_FACTOR = 4
#: Bytes taken to be free on a machine that says nothing about its memory.
UNKNOWN = 8 << 30


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


def free_bytes(root: Path = Path("/")) -> int:
    """Memory that is free on the device that trains, within the limit of the control group that this process is in.

    Args:
        root: where the kernel's files begin.
    """
    if on_accelerator():
        import jax

        stats = jax.devices()[0].memory_stats() or {}
        if "bytes_limit" in stats:
            return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    return max(0, min([_machine_bytes(root), *_group_bytes(root)]))


def _machine_bytes(root: Path) -> int:
    """What the machine has free; where it does not say, half of what it has, or ``UNKNOWN``."""
    available = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if available is not None:
        return available * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return UNKNOWN


def _group_bytes(root: Path) -> Iterator[int]:
    """What the control groups (versions 2 and 1) of this process leave it, pages that they may drop included.

    Inside a container the group's path may be the host's, of which only the end, or nothing but the top, is there.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        if controllers == "":
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        own = PurePosixPath(path.strip("/"))
        for group in (top / own, *(top / parent for parent in own.parents)):
            limit, used = (next(iter(_lines(group / name)), "") for name in names[:2])
            if limit.isdigit() and used.isdigit():
                yield int(limit) - int(used) + _numbers(group / "memory.stat").get(names[2], 0)


def _numbers(path: Path) -> dict[str, int]:
    """The first number of each line, by the word before it; nothing where there is no such file."""
    words = [line.split() for line in _lines(path)]
    return {each[0]: int(each[1]) for each in words if len(each) > 1 and each[1].isdigit()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, ValueError):
        return []


def _activations(network: Functional) -> int:
    """Numbers that all layers of a network put out for one window."""
    total = 0
    for layer in network.tapped.layers:
        shapes = layer.output if isinstance(layer.output, list | tuple) else [layer.output]
        for tensor in shapes:
            size = 1
            for length in tensor.shape[1:]:
                size *= int(length or ANY_LENGTH)
            total += size
    return total
