"""The head of the model card, read by another parser of YAML; the interval against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from scipy import stats

from stillmotion.bundles.front_matter import write_front_matter

SCORES = [
    {"subject": "1: a", "windows": 40, "macro_f1": 0.81, "accuracy": 0.9},
    {"subject": "2", "windows": 30, "macro_f1": 0.64, "accuracy": 0.7},
    {"subject": "3", "windows": 50, "macro_f1": 0.72},
]
ABOUT = {"data": {"name": 'set: "x" # é', "fingerprint": "ab"}, "protocol": "subjects:3", "method": "lm"}


def read(*arguments):
    begin, head, end = write_front_matter(*arguments).split("---\n")
    assert (begin, end) == ("", "")
    return yaml.safe_load(head)


def test_the_hub_reads_scores_with_protocol_and_interval():
    head = read("gru-8", "keras", SCORES, ABOUT)
    assert (head["license"], head["library_name"]) == ("unknown", "keras")
    assert "human-activity-recognition" in head["tags"]
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert model["name"] == "gru-8"
    assert result["dataset"] == {"name": 'set: "x" # é', "type": 'set: "x" # é'}
    assert result["task"]["type"] == "time-series-classification"
    f1, accuracy = result["metrics"]
    assert (f1["type"], f1["name"]) == ("f1", "macro-F1, mean over 3 subjects")
    assert (accuracy["type"], accuracy["name"]) == ("accuracy", "accuracy, mean over 2 subjects")
    assert f1["args"]["protocol"] == "subjects:3"
    values = np.array([0.81, 0.64, 0.72])
    assert f1["value"] == pytest.approx(values.mean(), abs=5e-5)
    # Student's interval of a mean, on the logit scale.
    mean = values.mean()
    half = stats.t.ppf(0.975, 2) * stats.sem(values) / (mean * (1 - mean))
    ends = [1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + side * half))) for side in (-1, 1)]
    assert f1["args"]["confidence_interval"] == pytest.approx(ends, abs=1e-4)


def test_one_subject_has_no_interval_and_none_no_result():
    (model,) = read("a", "keras", SCORES[:1], {"license": "apache-2.0"})["model-index"]
    (result,) = model["results"]
    assert result["metrics"][0]["args"]["confidence_interval"] is None
    assert result["metrics"][0]["name"] == "macro-F1, mean over 1 subject"
    head = read("a", "stillmotion", [], {"license": "apache-2.0"})
    assert "model-index" not in head
    assert head["license"] == "apache-2.0"


@pytest.mark.parametrize("name", ["- x", "yes", "1.0", "a: b", "x\n---\ny", "{", "'", '"', "ü 🏃"])
def test_names_stay_texts(name):
    head = read(name, "keras", SCORES, {"data": name, "protocol": name})
    (model,) = head["model-index"]
    assert isinstance(model["name"], str)
    assert model["results"][0]["dataset"]["name"].replace("\\n", "\n") == name
    assert isinstance(model["results"][0]["metrics"][0]["args"]["protocol"], str)
