"""What was measured of exported forms stays in the bundle: in a file, in the card, under its checksums."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stillmotion.bundles import Bundle, add_evidence, read_evidence
from stillmotion.errors import UserError
from stillmotion.features import FeatureSet, LinearArrays
from stillmotion.signals import Channel, SignalSpec

SPEC = SignalSpec(25.0, tuple(Channel.of(f"wrist.acc.{axis}") for axis in "xyz"), ("rest", "walk"), 16, 8)
FORM = {"form": "c-int8", "windows": 1234, "agreement": 0.987, "macro_f1": 0.9, "change": -0.4, "bytes": 5120}
SCORED = {
    "about": "1234 windows of 3 test subjects",
    "scope": "Agreement is the share of windows.",
    "latency": {"machine": "a chip, 2 threads", "how": "One window at a time."},
    "scored": True,
    "forms": [
        FORM
        | {"latency": {"windows": 1233, "p50_microseconds": 3.44, "p99_microseconds": 1250.06}, "memory": 1060}
        | {"equal": 1234, "worst": {"subject": "e|ve", "agreement": 0.95, "change": -2.25}, "note": ""},
        {"form": "litert-int8", "windows": 1234, "agreement": None, "note": "lstm cannot be *written*"},
    ],
    "machines": {"c-int8": {"cortex-m0": {"flash": 5}}},
}
ROUGH = {"about": "30 calibration windows", "scope": "", "scored": False, "forms": [FORM | {"windows": 30}]}


@pytest.fixture
def bundle(tmp_path):
    random = np.random.default_rng(0)
    features = FeatureSet.of(SPEC, groups=("axes", "time"), compressed=True)
    count = len(features.names)
    linear = LinearArrays(features, random.normal(size=(count, 2)), np.zeros(2), np.zeros(count), np.ones(count), 5.0)
    return Bundle.save(tmp_path / "watch", linear, SPEC, scores=[{"subject": "ann", "macro_f1": 0.5}])


def test_evidence_is_part_of_the_bundle_and_of_its_card(bundle):
    assert read_evidence(bundle) == {}
    before = (bundle.path / "README.md").read_text()
    logits = bundle.golden[1]
    added = add_evidence(bundle, SCORED)
    assert read_evidence(added) == SCORED
    assert "evidence.json" in json.loads((added.path / "manifest.json").read_text())["sha256"]
    np.testing.assert_array_equal(added.logits(added.golden[0], SPEC), logits)
    card = (added.path / "README.md").read_text()
    row = (
        r"| c-int8 | 98.7% | 90.0% | -0.4 | e\|ve: 95.0%, -2.2 points | 5,120 | 1,060 "
        "| p50 3.4, p99 1,250.1; 1,233 windows | 1,234 of 1,234 windows |"
    )
    assert row in card.replace(r"\-", "-").replace(r"\.", ".").replace(r"\+", "+")
    assert r"litert-int8: lstm cannot be \*written\*" in card.replace(r"\-", "-")
    assert "One window at a time. Machine: a chip, 2 threads." in card.replace("\\", "")
    start, end = card.index("## Forms for devices"), card.index("## Provenance")
    assert card[:start] + card[end:] == before
    assert card.index("## Scores per subject") < start


@pytest.mark.parametrize(
    ("form", "agreement", "change", "explained"),
    [
        ("c-int8", 0.976, -0.3, "97.6%"),
        ("c-int8", 0.99, -0.6, "-0.6 points"),
        ("c-int8", 0.976, None, "97.6%"),
        ("c-int8", 0.98, -0.5, ""),
        ("c-float32", 0.9, -3.0, ""),
    ],
)
def test_the_card_says_why_an_int8_form_loses(bundle, form, agreement, change, explained):
    row = FORM | {"form": form, "agreement": agreement, "change": change}
    card = (add_evidence(bundle, SCORED | {"forms": [row]}).path / "README.md").read_text()
    sentence = next((line for line in card.splitlines() if "that of rounding" in line), "")
    assert bool(sentence) == bool(explained)
    assert explained in sentence


def test_newer_evidence_replaces_older_but_not_scores_by_agreement(bundle):
    rough = add_evidence(bundle, ROUGH)
    assert read_evidence(rough)["forms"][0]["windows"] == 30
    scored = add_evidence(rough, SCORED)
    assert (scored.path / "README.md").read_text().count("## Forms for devices") == 1
    again = add_evidence(scored, ROUGH | {"machines": {"c-float32": {"cortex-m4": {"flash": 9}}}})
    kept = read_evidence(again)
    assert kept["forms"] == SCORED["forms"]
    assert kept["about"] == SCORED["about"]
    assert kept["machines"] == {**SCORED["machines"], "c-float32": {"cortex-m4": {"flash": 9}}}
    newer = add_evidence(again, SCORED | {"about": "1234 windows, anew"})
    assert "1234 windows, anew" in (newer.path / "README.md").read_text()


def test_evidence_that_was_changed_by_hand_is_refused(bundle):
    added = add_evidence(bundle, SCORED)
    (added.path / "evidence.json").write_text(json.dumps(SCORED | {"scored": False}))
    with pytest.raises(UserError, match="evidence.json is not the file that was bundled"):
        Bundle.open(added.path)
    with pytest.raises(UserError, match="evidence.json is not the file that was bundled"):
        add_evidence(added, SCORED)
