"""Estimate the memory of replicas, and choose how many of them train together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from ..errors import UserError
from .device import on_accelerator
from .functional import ANY_LENGTH, Functional

#: Share of the free memory that a fleet may fill.
SHARE = 0.6
#: Most replicas on a CPU: with more, each epoch only takes longer.
CPU_REPLICAS = 16
GPU_REPLICAS = 512
#: Memory of one step over that of its activations: gradients and intermediate arrays of layers.
STEP_FACTOR = 4
#: Bytes assumed to be free where the machine does not report its memory.
UNKNOWN = 8 << 30


def replica_bytes(
    networks: Sequence[Functional], batch: int, *, aux_params: int = 0, frozen: Sequence[Functional] = ()
) -> int:
    """Estimate the bytes of one replica in training: weights, moments, best weights and the activations of a step.

    Args:
        networks: the networks that are trained in a step.
        batch: windows per step.
        aux_params: number of auxiliary parameters.
        frozen: networks of a fixed teacher that run in a step without a gradient.
    """
    weights = sum(network.size for network in networks) + aux_params
    activations = STEP_FACTOR * sum(map(_activations, networks)) + sum(map(_activations, frozen))
    # Weights and two moments: now, of the best epoch, in a thread, and its results. A step reads a copy of its own of
    # the teacher's weights.
    return 4 * (12 * weights + sum(network.size for network in frozen) + activations * batch)


def choose_size(asked: int | None, runs: int, per_replica: int, shared: int, *, free: int | None = None) -> int:
    """Choose how many replicas train together.

    Args:
        asked: the number that the user set, or None to choose.
        runs: number of replicas to train.
        per_replica: bytes of one replica.
        shared: bytes of the windows and the teachers' cached taps, which all replicas read.
        free: free bytes; measured when not given.

    Returns:
        The number of replicas.

    Raises:
        UserError: not even one replica fits into memory, or fewer than ``asked``.
    """
    free = free_bytes() if free is None else free
    room = int(SHARE * free) - shared
    fit = room // max(per_replica, 1)
    if fit < 1:
        raise UserError(
            f"One replica needs {per_replica / 1e6:,.0f} MB and the windows {shared / 1e6:,.0f} MB, but only "
            f"{free / 1e6:,.0f} MB of memory are free (of which 60 % may be used): make the batch smaller."
        )
    if asked is not None:
        if asked < 1:
            raise UserError(f"The size of a fleet must be at least 1, not {asked}.")
        if asked > fit:
            raise UserError(
                f"A fleet of {asked} needs {(asked * per_replica + shared) / 1e9:,.1f} GB, but {free / 1e9:,.1f} GB of "
                f"memory are free (of which 60 % may be used): at most {fit} fit."
            )
        return min(asked, runs)
    most = GPU_REPLICAS if on_accelerator() else CPU_REPLICAS
    return int(min(runs, most, fit))


def free_bytes(root: Path = Path("/")) -> int:
    """Return the free memory of the training device, within the limits of this process's control groups.

    Args:
        root: root of the file system with ``proc`` and ``sys``.
    """
    if on_accelerator():
        import jax

        stats = jax.devices()[0].memory_stats() or {}
        if "bytes_limit" in stats:
            return int(stats["bytes_limit"]) - int(stats.get("bytes_in_use", 0))
    return max(0, min([_machine_bytes(root), *_group_bytes(root)]))


def _machine_bytes(root: Path) -> int:
    """Return the machine's free memory; where it is not reported, half of all memory, or ``UNKNOWN``."""
    available = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if available is not None:
        return available * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return UNKNOWN


def _group_bytes(root: Path) -> Iterator[int]:
    """Yield what the control groups (versions 2 and 1) of this process leave free, reclaimable pages included.

    Inside a container the group's path may be the host's, of which only the end, or only the top folder, exists.
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
        inner = PurePosixPath(path.strip("/"))
        for group in (top / inner, *(top / parent for parent in inner.parents)):
            limit, used = (next(iter(_lines(group / name)), "") for name in names[:2])
            if limit.isdigit() and used.isdigit():
                yield int(limit) - int(used) + _numbers(group / "memory.stat").get(names[2], 0)


def _numbers(path: Path) -> dict[str, int]:
    """Return the first number of each line by the word before it; empty where the file does not exist."""
    words = [line.split() for line in _lines(path)]
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdigit()}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, ValueError):
        return []


def _activations(network: Functional) -> int:
    """Count the output values of all layers of a network for one window."""
    total = 0
    for layer in network.tapped.layers:
        shapes = layer.output if isinstance(layer.output, list | tuple) else [layer.output]
        for tensor in shapes:
            size = 1
            for length in tensor.shape[1:]:
                size *= int(length or ANY_LENGTH)
            total += size
    return total
