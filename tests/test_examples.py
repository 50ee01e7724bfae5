"""Every example runs and says what its first line promises; the slow tests run each as a reader would."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
#: What stands in each example's output, line by line; further lines may follow in between.
SAID = {
    "compare_variants": [
        r"acc: macro-F1 \d\d\.\d % \[\d\d\.\d, \d\d\.\d\], accuracy \d\d\.\d %, 24 subjects",
        r"acc-gyr: macro-F1 \d\d\.\d % \[\d\d\.\d, \d\d\.\d\], accuracy \d\d\.\d %, 24 subjects",
        r"acc-gyr against acc: [+−]\d+\.\d points \[.*\], p [\d.e-]+: .+",
    ],
    # By hand, of 9,037 parameters: an MLP of 4 filters with 2 hidden units has 22, a kernel of 7 × 7 over 2 maps 98.
    "cost_of_attention": [
        r"channel:r=2,after=1 +params \+0\.24 %, FLOPs \+\d+\.\d\d %, FLOPs of convolutions \+0\.00 %",
        r"spatial:k=7,after=1 +params \+1\.08 %, FLOPs \+\d+\.\d\d %, FLOPs of convolutions \+[1-9].*",
        r"channel:r=2,spatial:k=7,after=4 +params \+1\.33 %, .*",
    ],
    "honest_windows": [
        r"Audit of simulated under subjects:4 \(4 folds, .* 24 subjects, .*: nothing crosses a split\..*",
        r"(\d+) training windows of 14 subjects: \(\1, 128, 6\); tested on \('\d+'(, '\d+'){5}\)",
    ],
    "own_arrays": [
        r"\(\d+, 50, 3\) of 9 subjects, run, sit, walk: .*",
        r"published: macro-F1 \d+\.\d %; Windows are split at random: .*",
        r"subjects:3: macro-F1 \d+\.\d %; nothing crosses",
    ],
    "own_study": [
        r"lm \(reference\): macro-F1 \d+\.\d % \[.*\] *",
        r"match-logits \(variant\): macro-F1 \d+\.\d % \[.*\] \w.*",
        r"naive-bayes \(baseline\): macro-F1 \d+\.\d % \[.*\] \w.*",
        r"my-teacher \(teacher\): macro-F1 \d+\.\d % \[.*\] *",
        r"report\.html: \d+ figures",
        r"match-logits against lm: [+−]\d+\.\d points \[.*\], .+",
    ],
    "own_table": [
        r"8 rooms, co2, temperature, humidity: airing, empty, meeting",
        r"  note: \d+ labels renamed",
        r"rooms never seen in training \(room \d, room \d\): accuracy (6\d|7\d|8\d|9\d|100)%",
    ],
    "own_teacher": [
        r"best epoch \d+ of \d+, validation macro-F1 \d+\.\d %",
        r"teacher: macro-F1 \d+\.\d % on 2 unseen subjects, 22,147 parameters",
        r"student: macro-F1 ([6-9]\d|100)\.\d % on 2 unseen subjects, 5,994 parameters",
    ],
    "train_and_distil": [
        r"teacher: macro-F1 .*, [\d,]+ parameters, [\d,]+ FLOPs",
        r"student: macro-F1 .*, [\d,]+ parameters, [\d,]+ FLOPs",
    ],
}
SLOW = {"own_study", "own_teacher", "train_and_distil"}
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def check(name, output, folder):
    lines = iter(output.splitlines())
    for pattern in SAID[name]:
        assert any(re.fullmatch(pattern, line) for line in lines), f"{pattern} not in order in:\n{output}"
    assert not list(folder.glob("*")) or set(folder.iterdir()) <= {folder / "cache"}


@pytest.mark.filterwarnings("ignore")  # As in a process of its own.
@pytest.mark.parametrize("name", [name for name in NAMES if name not in SLOW])
@pytest.mark.usefixtures("simulated_once")
def test_example(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    check(name, capsys.readouterr().out, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_example_in_a_process_of_its_own(name, tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    check(name, done.stdout, tmp_path)
