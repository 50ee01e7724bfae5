"""A study of a table whose names are odd, from its files to its report."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.cli import main
from stillmotion.escaping import unescape_csv

from .test_page import Reader

SUBJECTS = ("$a$ $b$", "[bold]x", "=1+1", "<b>&amp;", "a | `b`", "Анна 🏃")
LABELS = ("$x_1$ $y$", "<script>alert(1)</script>", "[/] a|b :smile:")
STUDY = """
name = "odd"
variants = ["mine"]
compare = ["mine", "lm"]
controls = false
baselines = []
seeds = 1
[variant.mine]
method = "rb-kd"
teacher = "plain"
title = "100 % \\\\input{x} $a$ $b$ <i>|</i>"
[data]
name = "own.csv"
window = 20
hop = 20
[split]
protocol = "subjects:3"
folds = 1
[networks]
student = "mlp-small"
teacher = ["mlp-small"]
[training]
epochs = 8
patience = 8
batch = 16
learning-rate = 0.01
"""
MAPPING = """
subject = "who"
label = "what"
rate = 50
files = "own.csv"
[sensors."$acc$ $b$"]
columns = ["ax", "a|y", "<az>"]
"""


@pytest.mark.slow
def test_odd_names_break_nothing_after_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, rows = np.random.default_rng(0), []
    for subject in SUBJECTS:
        for number, label in enumerate(LABELS):
            moves = number + 0.3 * rng.normal(size=(400, 3))
            rows += [[subject, label, *(f"{value:.3f}" for value in each)] for each in moves]
    with (tmp_path / "own.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["who", "what", "ax", "a|y", "<az>"], *rows])
    (tmp_path / "own.toml").write_text(MAPPING, encoding="utf-8")
    (tmp_path / "odd-study.toml").write_text(STUDY, encoding="utf-8")
    out, data = tmp_path / "out", ["--data", str(tmp_path)]
    assert main(["study", str(tmp_path / "odd-study.toml"), "--out", str(out), "--score-test", *data]) == 0
    assert main(["report", str(out)]) == 0
    assert main(["inspect", str(tmp_path / "own.csv")]) == 0
    shown = capsys.readouterr().out
    assert all(subject in shown for subject in SUBJECTS)
    reader = Reader()
    text = (out / "report.html").read_text(encoding="utf-8")
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert "<script>alert" not in text
    assert "<i>|" not in text
    figures = sorted((out / "figures").glob("*.svg"))
    assert {"classes", "confusion", "subjects", "pareto", "diagram-mine"} <= {path.stem for path in figures}
    for path in figures:
        texts = {"".join(node.itertext()) for node in ET.parse(path).getroot().iter()}
        if path.stem in ("classes", "confusion"):
            assert {label.replace(" ", "\xa0") for label in LABELS} <= {each.replace(" ", "\xa0") for each in texts}
    with (out / "figures" / "subjects.csv").open(newline="", encoding="utf-8") as file:
        subjects = {unescape_csv(each) for row in csv.DictReader(file) for each in row.values()}
    assert subjects & set(SUBJECTS)
    latex = (out / "tables" / "results.tex").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)[%#$]", latex.split("midrule")[1])
    assert Bundle.open(out / "models" / "best").spec.classes == tuple(sorted(LABELS))
    assert r"\<script\>" in (out / "models" / "mine" / "README.md").read_text(encoding="utf-8")
    inside = {"predictions", "models", "figures", "tables", "fleets"}
    assert {path.name for path in out.iterdir() if path.is_dir()} == inside
