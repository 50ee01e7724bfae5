"""Replicas that run side by side come to what they come to one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.training import Fleet, Recipe, threads
from stillmotion.training.progress import Progress

from .small import CLASSES, dense, problem, replica, same

WINDOWS, LABELS = problem()
QUIET = Progress(enabled=False)


def trained(count: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[Any]:
    """Train five replicas, which end after one to five epochs, by this number of threads."""
    monkeypatch.setattr(threads, "count_processors", lambda: count)
    replicas = [replace(replica(seed), stop=5 - seed) for seed in range(5)]
    recipe = Recipe(batch=8, epochs=5, patience=5)
    return Fleet(dense(), "lm", replicas, WINDOWS, LABELS, classes=CLASSES, recipe=recipe, **options).train(QUIET)


@pytest.mark.parametrize(("count", "size"), [(2, 5), (7, 3)])
def test_the_number_of_threads_changes_no_result(count: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when slots become free at different times, and for more threads than slots."""
    alone = trained(1, monkeypatch, size=size)
    assert [outcome.epochs for outcome in alone] == [5, 4, 3, 2, 1]
    for mine, theirs in zip(trained(count, monkeypatch, size=size), alone, strict=True):
        same(mine, theirs)


def test_the_number_of_threads_can_be_set_and_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count_processors", lambda: 4)
    assert threads.ReplicaThreads(9, 1).count == 4
    monkeypatch.setenv("STILLMOTION_THREADS", "2")
    assert threads.ReplicaThreads(9, 1).count == 2
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("STILLMOTION_THREADS", wrong)
        with pytest.raises(UserError, match=f"STILLMOTION_THREADS must be a whole number from 1, not '{wrong}'"):
            threads.ReplicaThreads(9, 1)


def test_replicas_that_share_products_run_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    for together, count in ((1, 4), (2, 1)):
        monkeypatch.setattr(threads, "count_processors", lambda: 4)
        assert threads.ReplicaThreads(6, together).count == count


def test_a_program_is_compiled_once_and_rows_come_back_to_their_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count_processors", lambda: 2)
    seen = []

    def work(learners: Any, inputs: Any, shared: float, slots: Any, alive: Any) -> Any:
        active = slots[: int(alive)]
        seen.append(len(active))
        learners = np.array(learners)
        learners[active] += np.asarray(inputs)[active] + shared
        return learners

    pool = threads.ReplicaThreads(5, 1)
    learners, inputs = np.arange(5.0, dtype=np.float32), 10 * np.arange(5.0, dtype=np.float32)
    done = pool.run(work, learners, inputs, 100.0, [0, 3, 4], learners)
    np.testing.assert_array_equal(done, [100, 1, 2, 133, 144])
    assert seen[0] == 0
    assert sorted(seen[1:]) == [1, 2]
    np.testing.assert_array_equal(pool.run(work, done, inputs, 100.0, [3], done), [100, 1, 2, 263, 144])
    assert len(seen) == 4


def test_a_failure_in_a_thread_is_the_fleets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count_processors", lambda: 2)

    def work(learners: Any, inputs: Any, shared: Any, slots: Any, alive: Any) -> Any:
        if alive:
            raise MemoryError("no room")
        return learners

    rows = np.zeros(2, np.float32)
    with pytest.raises(MemoryError, match="no room"):
        threads.ReplicaThreads(2, 1).run(work, rows, rows, None, [0, 1], rows)
