"""The decoder of a bundle is saved, checked against the contract, and comes back as it was."""

import dataclasses
import hashlib
import json
import warnings

import numpy as np
import pytest

from stillmotion.bundles import Bundle
from stillmotion.decoding import fit_decoder
from stillmotion.errors import ContractError, UserError
from stillmotion.networks import build_network

from .test_bundle import SPEC

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
DECODER = fit_decoder("duration", SPEC.classes, np.repeat([0, 1, 2, 3, 4], 6), hop=16 / 50, lag=2, temperature=1.4)


@pytest.fixture(scope="module")
def model():
    return build_network("mlp-small", SPEC, seed=2)


@pytest.fixture
def path(model, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # see test_bundle.py
        return Bundle.save(tmp_path / "best", model, SPEC, decoder=DECODER).path


def test_it_comes_back_and_decodes_the_same(path):
    again = Bundle.open(path).decoder
    assert again.to_dict() == DECODER.to_dict()
    logits = np.random.default_rng(0).normal(0, 3, (20, 5))
    assert np.array_equal(again.decode(logits).labels, DECODER.decode(logits).labels)
    assert "decoder.json" in json.loads((path / "manifest.json").read_text())["sha256"]


@pytest.mark.parametrize("change", [{"hop": 1.0}, {"classes": tuple("abcde")}])
def test_a_decoder_of_another_signal_is_refused(model, tmp_path, change):
    with pytest.raises(ContractError, match=r"The decoder is for the classes .* and a hop of"):
        Bundle.save(tmp_path / "best", model, SPEC, decoder=dataclasses.replace(DECODER, **change))
    assert not (tmp_path / "best").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "must hold an object"),
        (json.dumps(DECODER.to_dict() | {"lag": -3}), "lag of a decoder"),
        (json.dumps(DECODER.to_dict() | {"hop": 9}), "a hop of 9 s"),
    ],
)
def test_a_decoder_that_does_not_fit_is_named_with_its_file(path, content, says):
    (path / "decoder.json").write_text(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["sha256"]["decoder.json"] = hashlib.sha256(content.encode()).hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=rf"decoder\.json.*{says}"):
        Bundle.open(path)
