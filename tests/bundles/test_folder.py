"""`still predict` of a folder: in parallel, resumed after a kill, with damaged files listed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.bundles.folder import FileTask, predict_folder, run_in_order
from stillmotion.bundles.processes import run_in_processes
from stillmotion.cli import main
from stillmotion.decoding import fit_decoder
from stillmotion.features import FeatureSet, LinearArrays

from .test_bundle import SPEC
from .test_recordings import signal as draw_signal
from .test_recordings import write

ROOT = Path(__file__).parents[2]
DAMAGED = {"empty.csv": b"", "image.csv": b"\x89PNG\r\n\x1a\n\0\0", "deep/broken.parquet": b"PAR1 nothing PAR1"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A linear classifier with a decoder: nothing of it needs Keras."""
    features = FeatureSet.of(SPEC, groups=("axes", "time"), compressed=True)
    count = len(features.names)
    weights = np.random.default_rng(0).normal(size=(count, 5))
    linear = LinearArrays(features, weights, np.zeros(5), np.zeros(count), np.ones(count), 5.0)
    decoder = fit_decoder("duration", SPEC.classes, np.repeat([0, 1, 2, 3, 4], 6), hop=16 / 50, lag=2)
    return Bundle.save(tmp_path_factory.mktemp("models") / "best", linear, SPEC, decoder=decoder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six tables in two folders, of different lengths."""
    root = tmp_path_factory.mktemp("files")
    (root / "deep").mkdir()
    waves = draw_signal(900)
    for number in range(6):
        place = root / ("deep" if number % 2 else "") / f"day{number}.csv"
        write(place, waves[30 * number : 30 * number + 200 + 40 * number])
    (root / ".hidden.csv").write_text("time\n")
    (root / "notes.md").write_text("no table")
    return root


@pytest.fixture
def damaged(folder, tmp_path):
    """The same with three damaged files."""
    root = tmp_path / "damaged"
    subprocess.run(["cp", "-r", folder, root], check=True)
    for name, content in DAMAGED.items():
        (root / name).write_bytes(content)
    return root


def task_of(bundle, folder, **settings):
    return FileTask(str(bundle.path), str(folder), **settings)


def written(out):
    return {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*.csv")}


def test_each_file_gets_the_table_that_it_gets_by_itself(bundle, folder, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--hop", "8"]
    assert main(["predict", str(bundle.path), str(folder), "--out", str(out), "--jobs", "1", *options]) == 0
    assert "6 of 6 files predicted" in capsys.readouterr().out
    tables = written(out)
    assert sorted(tables) == sorted(
        ["summary.csv", *(f"files/{'deep/' if number % 2 else ''}day{number}.csv" for number in range(6))]
    )
    assert main(["predict", str(bundle.path), str(folder / "deep" / "day3.csv"), *options]) == 0
    assert tables["files/deep/day3.csv"] == capsys.readouterr().out
    row = next(each for each in csv.DictReader(tables["summary.csv"].splitlines()) if each["file"] == "deep/day3.csv")
    labels = [each["label"] for each in csv.DictReader(tables["files/deep/day3.csv"].splitlines())]
    assert (int(row["rows"]), row["status"], row["reason"]) == (len(labels), "predicted", "")
    for name in SPEC.classes:
        assert float(row[f"minutes_{name}"]) == pytest.approx(labels.count(name) * 8 / 50 / 60, abs=1e-4)
    assert float(row["start"]) == 100.0
    assert float(row["end"]) == pytest.approx(100 + ((len(labels) - 1) * 8 + 32) / 50)


@pytest.mark.slow
def test_several_processes_give_what_one_gives(bundle, damaged, tmp_path):
    task = task_of(bundle, damaged, bouts=True, lag=0)
    serial = predict_folder(task, tmp_path / "serial")
    parallel = predict_folder(task, tmp_path / "parallel", run=lambda *each: run_in_processes(*each, jobs=2))
    assert parallel == serial
    assert written(tmp_path / "parallel") == written(tmp_path / "serial")
    assert sum(not each.reason for each in serial) == 6


def test_a_damaged_file_is_listed_with_its_reason_and_the_rest_is_predicted(bundle, damaged, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["predict", str(bundle.path), str(damaged), "--out", str(out), "--jobs", "1", "--json"]
    assert main(command) == 1
    printed = capsys.readouterr()
    files = {row["file"]: row for row in json.loads(printed.out)["files"]}
    assert {name for name, row in files.items() if "reason" in row} == set(DAMAGED)
    for name in DAMAGED:
        assert files[name]["reason"]
        assert f"{name}: " in printed.err
        assert not (out / "files" / name).exists()
    assert "Traceback" not in printed.err
    # A file that was mended is predicted by the next run.
    for name in DAMAGED:
        (damaged / name).unlink()
    write(damaged / "empty.csv", draw_signal(100))
    assert main(command) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 7


def test_an_interrupted_run_goes_on_and_predicts_nothing_twice(bundle, folder, tmp_path):
    out, asked = tmp_path / "out", []

    def interrupted(task, files):
        for number, result in enumerate(run_in_order(task, files)):
            if number == 3:
                raise KeyboardInterrupt
            yield result

    def counted(task, files):
        asked.extend(files)
        return run_in_order(task, files)

    task = task_of(bundle, folder)
    with pytest.raises(KeyboardInterrupt):
        predict_folder(task, out, run=interrupted)
    assert len(list((out / "files").rglob("*.csv"))) == 3
    assert not (out / "summary.csv").exists()
    with (out / "finished.jsonl").open("a") as journal:
        journal.write('{"state": [1')  # a line that a kill has cut
    steps = []
    predict_folder(task, out, run=counted, report=lambda *each: steps.append(each))
    assert len(asked) == 3
    assert (steps[0], steps[-1]) == ((3, 0, 6), (6, 0, 6))
    whole = predict_folder(task, tmp_path / "whole")
    assert written(out) == written(tmp_path / "whole")
    # Nothing is left; a file that has changed, or whose predictions are gone, is predicted again.
    again = tmp_path / "again"
    subprocess.run(["cp", "-rp", folder, again], check=True)
    moved = replace(task, folder=str(again))
    predict_folder(moved, tmp_path / "moved")
    asked.clear()
    assert predict_folder(moved, tmp_path / "moved", run=counted) == whole
    assert asked == []
    write(again / "day0.csv", draw_signal(500))
    (tmp_path / "moved" / "files" / "day2.csv").unlink()
    predict_folder(moved, tmp_path / "moved", run=counted)
    assert asked == ["day0.csv", "day2.csv"]


def test_what_cannot_be_is_one_sentence(bundle, folder, tmp_path, capsys):
    def refused(*arguments):
        assert main(["predict", str(bundle.path), *map(str, arguments)]) == 2
        return capsys.readouterr().err

    out = tmp_path / "out"
    assert "give --out a folder" in refused(folder)
    assert "give --out a folder" in refused(folder, "--out", out / "x.csv")
    assert "predict it by itself" in refused(folder, folder / "day0.csv", "--out", out)
    assert "--jobs must be 1 or more" in refused(folder, "--out", out, "--jobs", 0)
    assert "are for a folder" in refused(folder / "day0.csv", "--jobs", 2)
    (tmp_path / "bare").mkdir()
    assert "holds no table" in refused(tmp_path / "bare", "--out", out)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    assert "holds other files" in refused(folder, "--out", tmp_path / "full", "--jobs", 1)
    assert main(["predict", str(bundle.path), str(folder), "--out", str(out), "--jobs", "1"]) == 0
    assert "another bouts" in refused(folder, "--out", out, "--to-labels")
    assert "another lag" in refused(folder, "--out", out, "--lag", "alone")
    (tmp_path / "two").mkdir()
    for name in ("a.txt", "a.txt.csv"):
        (tmp_path / "two" / name).write_text("time\n0\n")
    assert "would both be predicted to a.txt.csv" in refused(tmp_path / "two", "--out", tmp_path / "three")


def test_results_in_the_folder_itself_are_no_recordings(bundle, folder, tmp_path):
    root = tmp_path / "files"
    subprocess.run(["cp", "-r", folder, root], check=True)
    task = task_of(bundle, root)
    first = predict_folder(task, root / "predicted")
    assert predict_folder(task, root / "predicted") == first


@pytest.mark.slow
def test_a_killed_command_goes_on_and_leaves_no_process(bundle, folder, tmp_path):
    many, out = tmp_path / "many", tmp_path / "out"
    many.mkdir()
    for number in range(200):
        os.link(folder / "day0.csv", many / f"day{number:03}.csv")
    command = [sys.executable, "-m", "stillmotion", "predict", str(bundle.path), str(many), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen([*command, "--jobs", "2"], env=environment, start_new_session=True)
    journal = out / "finished.jsonl"
    while not journal.exists() or journal.read_text().count("\n") < 20:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # What was being written when the kill came is a draft, which the next start removes.
    before = {path: path.stat().st_mtime_ns for path in (out / "files").rglob("day*.csv")}
    assert 20 <= len(before) < 200
    while subprocess.run(["pgrep", "-s", str(process.pid)], capture_output=True, check=False).stdout:
        time.sleep(0.05)  # the processes that it started end by themselves
    assert subprocess.run([*command, "--jobs", "1"], env=environment, check=False).returncode == 0
    assert len(list((out / "files").rglob("*.csv"))) == 200
    kept = [path.stat().st_mtime_ns == changed for path, changed in before.items()]
    assert sum(not each for each in kept) <= 1  # the file that was written but not noted when the kill came
    assert not list(out.rglob(".stillmotion-draft-*"))
    predict_folder(task_of(bundle, many), tmp_path / "whole")
    assert written(out) == written(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_what_this_machine_gives(bundle, damaged, tmp_path, capsys, monkeypatch):
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    out = tmp_path / "remote"
    try:
        command = ["predict", str(bundle.path), str(damaged), "--out", str(out), "--ray", cluster.address]
        assert main(command) == 1
    finally:
        import ray

        ray.shutdown()
        cluster.shutdown()
    predict_folder(task_of(bundle, damaged), tmp_path / "local")
    assert written(out) == written(tmp_path / "local")
