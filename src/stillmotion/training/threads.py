"""Run the replicas of a fleet side by side, in a thread for each processor.

A program of one replica of a small network keeps one processor busy: its operations are too small to divide. Measured
on two processors, batch 64, the time of two replicas one after the other over their time in two threads:

===========================================  ====
network, windows                             gain
===========================================  ====
``feature-net-s``, 128 × 6                   1.5×
``hybrid-net-s``, 128 × 6                    2.2×
``deepconvlstm-lm``, 20 × 3                  1.7×
the same, 128 × 6                            1.6×
``motion-net-s``, 128 × 6                    2.0×
``motion-net-l``, 128 × 6                    1.4×
``mlp``, 128 × 6                             1.4×
``cnn-har``, 128 × 6                         1.05×
``resnet-lstman``, 128 × 6                   1.05×
===========================================  ====
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..compiled import count_processors
from ..errors import UserError
from .device import on_accelerator
from .slots import put_slots, take_slots

Array = Any
#: A program over slots: (train states, inputs, shared, slots, number of active slots) → results with a slot axis.
Work = Callable[[Any, Any, Any, Array, Array], Any]


def count_threads() -> int:
    """Return the most threads in which replicas run: ``STILLMOTION_THREADS``, or one for each processor."""
    named = os.environ.get("STILLMOTION_THREADS")
    if not named:
        return count_processors()
    if not named.isdecimal() or int(named) < 1:
        raise UserError(f"STILLMOTION_THREADS must be a whole number from 1, not {named!r}.")
    return int(named)


class ReplicaThreads:
    """Threads that run a fleet's programs for its active slots.

    Args:
        size: number of slots.
        together: number of replicas that share one matrix product; if more than one, there is one thread.
    """

    def __init__(self, size: int, together: int) -> None:
        self.size, self.together = size, together
        self.count = 1 if together > 1 or on_accelerator() else min(count_threads(), size)
        self._compiled: set[Work] = set()

    def slots(self, active: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the last two arguments of a program that runs for all active slots in one thread."""
        return _slots(active, -(-self.size // self.together) * self.together, self.size)

    def run(self, work: Work, learners: Any, inputs: Any, shared: Any, active: Sequence[int], before: Any) -> Any:
        """Run a program for the active slots.

        Args:
            work: the program.
            learners: train states of all slots.
            inputs: the program's inputs for all slots.
            shared: what all replicas read.
            active: numbers of the active slots.
            before: the results of slots that are not active.

        Returns:
            The results of all slots.
        """
        if self.count == 1:
            return work(learners, inputs, shared, *self.slots(active))
        rows = -(-self.size // self.count)
        groups = [active[first :: self.count] for first in range(min(self.count, len(active)))]

        def one(group: Sequence[int]) -> tuple[Array, Any]:
            at, alive = _slots(group, rows, self.size)
            own_learners, own_inputs = take_slots((learners, inputs), at)
            return at, work(own_learners, own_inputs, shared, _slots(range(len(group)), rows, rows)[0], alive)

        if work not in self._compiled:
            # For no replica: threads that begin together would compile it once each.
            one(())
            self._compiled.add(work)
        with ThreadPoolExecutor(len(groups)) as pool:
            places, parts = zip(*pool.map(lambda group: _waited(one(group)), groups), strict=True)
        return put_slots(before, places, parts)


def _waited(results: tuple[Array, Any]) -> tuple[Array, Any]:
    """Wait for results in the thread that asked for them; asked for by one thread, they would be computed in turn."""
    import jax

    ready: tuple[Array, Any] = jax.block_until_ready(results)  # type: ignore[no-untyped-call]
    return ready


def _slots(numbers: Sequence[int], length: int, none: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return slot numbers, padded with ``none`` to one length, so that nothing is compiled again, and their count."""
    padded = np.full(length, none, np.int32)
    padded[: len(numbers)] = numbers
    return padded, np.asarray(len(numbers), np.int32)
