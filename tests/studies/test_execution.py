"""The record of a run tells how it was trained: versions, device, threads, forms of its convolutions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from stillmotion.studies import Networks, Runner
from stillmotion.studies.runs import FleetPlan, TrainedFleet
from stillmotion.studies.store import Store

from .conftest import small_index
from .test_damaged_folder import VERSIONS, outcome, run


def test_versions_and_forms_are_kept_for_each_fleet_and_versions_are_listed_once(tmp_path: Path) -> None:
    forms = ("5×1, 1 → 4: channels first and batch last", "5×1, 16 → 16: XLA's convolution")
    with closing(Store(tmp_path)) as store:
        store.claim('name = "small"\n', small_index())
        plans = [FleetPlan("seeds", (run(seed),), 1) for seed in range(3)]
        store.plan(plans)
        store.finish(TrainedFleet(plans[0], [outcome(0)], 1.0, forms=forms), VERSIONS)
        store.finish(TrainedFleet(plans[1], [outcome(0)], 1.0), VERSIONS)
        assert store.execution(run(0).id) == {**VERSIONS, "convolutions": "; ".join(forms)}
        assert store.execution(run(1).id) == VERSIONS
        assert store.execution(run(2).id) == {}
        assert store.versions() == [VERSIONS]


def test_a_study_records_device_threads_and_forms(runner: Callable[..., Runner]) -> None:
    networks: dict[str, Any] = {"networks": Networks("deepconvlstm-lm", ("mlp",))}
    made = runner(variants=("lm",), compare=(), seeds=1, **networks)
    made.run()
    (done,) = (each for each in made.store.ended() if made.store.ended()[each].status == "done")
    record = made.store.execution(done)
    assert int(record["threads"]) >= 1
    assert record["device"]
    assert record["convolutions"].split("; ") == [
        "5×1, 1 → 4: channels first and batch last",
        "5×1, 4 → 4: channels first and batch last",
    ]
