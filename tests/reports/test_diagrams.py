"""Diagrams show the lessons of a method's objective, at the layers of the networks, and no others."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stillmotion.reports.figure import Figure
from stillmotion.reports.figures.diagrams import diagrams
from stillmotion.studies import Variant
from stillmotion.studies.runs import Run

SHAPE = (32, 3, 5)


def diagram(method: str, *, student: str = "mlp-small", teacher: str = "mlp-small", **hyperparameters: float) -> Figure:
    """Of a study with one variant; ``teacher`` may be a network, ``file`` or nothing."""
    run = Run("data", 0, method, 0, {}, network=student, hyperparameters={"learning_rate": 0.1, **hyperparameters})
    assistant_teachers = () if teacher in ("", "file") else (Run("data", 0, "lm", 0, {}, network=teacher),)
    record = SimpleNamespace(
        study=SimpleNamespace(all_variants={"mine": Variant(method, teacher="plain" if teacher else "none")}),
        index=SimpleNamespace(spec_of=lambda run: SHAPE),
        planner=SimpleNamespace(teachers=lambda *_: assistant_teachers),
    )
    evidence: Any = SimpleNamespace(
        rows=[SimpleNamespace(variant="mine", kind="variant")], first_runs={"mine": run}, record=record
    )
    (drawn,) = diagrams(evidence)
    return drawn


def lessons(figure: Figure) -> set[tuple[str, str, str]]:
    return {(str(row["from"]), str(row["to"]), str(row["kind"])) for row in figure.rows}


LABELLED = ("labels", "student/logits", "cross-entropy")


def test_simkd_is_drawn_without_labels_and_says_what_becomes_of_the_classifier() -> None:
    figure = diagram("simkd")
    assert lessons(figure) == {("teacher/embedding", "student/embedding", "squared difference")}
    assert {row["projected"] for row in figure.rows} == {"yes"}
    assert "classifier" in figure.note
    assert "labels" not in figure.text


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("fitnet", {("teacher/stage1", "student/stage1", "squared difference")}),
        (
            "crd",
            {
                ("labels", "student/embedding", "contrastive"),
                ("teacher/embedding", "student/embedding", "contrastive"),
            },
        ),
        ("vid", {(f"teacher/stage{n}", f"student/stage{n}", "Gaussian likelihood") for n in (1, 2)}),
    ],
)
def test_lessons_on_features_are_drawn_as_what_they_are_and_without_the_teacher_s_logits(
    method: str, expected: set[tuple[str, str, str]]
) -> None:
    assert lessons(diagram(method)) == {LABELLED, *expected}


def test_at_is_drawn_as_a_distance_of_energies_at_paired_stages() -> None:
    figure = diagram("at", student="cnn-har", teacher="cnn-har")
    stages = {to.removeprefix("student/") for _, to, kind in lessons(figure) if kind != "cross-entropy"}
    assert lessons(figure) - {LABELLED} == {
        (f"teacher/{stage}", f"student/{stage}", "distance of normalised energies") for stage in stages
    }
    assert "stage1" in stages


def test_a_method_that_cannot_bring_the_networks_together_is_drawn_without_lessons_and_says_why() -> None:
    figure = diagram("at")
    assert figure.rows == []
    assert "courses over time" in figure.note


def test_a_teacher_that_learns_is_drawn_as_taught() -> None:
    assert lessons(diagram("dml")) == {
        LABELLED,
        ("labels", "teacher/logits", "cross-entropy"),
        ("teacher/logits", "student/logits", "KL of probabilities"),
        ("student/logits", "teacher/logits", "KL of probabilities"),
    }
    assert len(lessons(diagram("dml", to_teacher=0.0))) == 3


@pytest.mark.parametrize(("method", "teacher"), [("lm", ""), ("ofa", "file"), ("hmkd", "mlp-small")])
def test_a_diagram_is_drawn_with_every_term_and_box(method: str, teacher: str, tmp_path: Path) -> None:
    figure = diagram(method, teacher=teacher)
    text = " ".join(ET.fromstring(figure.save(tmp_path)).itertext())
    words = [word.strip(",") for word in text.split()]
    for row in figure.rows:
        assert {word.strip(",") for word in str(row["kind"]).split()} <= set(words)
        assert str(row["kind"]).lower() in figure.text.lower()
    assert "labels" in words
    assert ("scores" in words) == (teacher == "file")
