"""Two Ray nodes on the same plan give the table of a local run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillmotion.studies import Runner

from .conftest import SMALL
from .test_going_on import comparable
from .test_runner import SEARCH


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_nodes_give_the_table_of_a_local_run(recordings, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    study = replace(SMALL, search=SEARCH)
    local = Runner(study, tmp_path / "local", data=recordings, quiet=True).run(score_test=True)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        remote = Runner(study, tmp_path / "remote", data=recordings, quiet=True, ray=cluster.address)
        results = remote.run(score_test=True)
    finally:
        import ray

        ray.shutdown()
        cluster.shutdown()
    assert comparable(results) == comparable(local)
    assert not list((tmp_path / "remote" / "fleets").glob("*.lock")), "nothing was trained here"
