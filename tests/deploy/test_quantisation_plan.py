"""Training for int8 rounds where the deployed program rounds, by its scales: it computes what the integers compute."""

from __future__ import annotations

import numpy as np
import pytest

from stillmotion.deploy import plan_quantisation
from stillmotion.deploy.reader import Reader
from stillmotion.errors import UserError
from stillmotion.networks import build_network, make_inference_model, read_graph
from stillmotion.networks.quantisation_plan import STATE, Grid
from stillmotion.training.functional import Functional

#: Networks that every run compares: with them every kind of grid and every recurrence is rounded.
NAMES = ("merges", "grus", "fastgrnns")
MORE = (
    "attention",
    "convolutions",
    "planes",
    "pools",
    "activations",
    "lstms",
    "features",
    "motion_net_xs",
    "deepconvlstm_lm",
)


def compare(case, windows):
    """Mean distances from the integers' logits, in their steps: of the fake-quantised forward pass, of float32."""
    plan = plan_quantisation(case.model)
    reader = Reader(read_graph(make_inference_model(case.model)))
    reader.read()
    # The very ranges of the deployed program.
    tensors = [case.integers.tensors[reader.at[node]] for node in plan.measured]
    network = Functional(case.model, ["logits"], quantise=plan)
    weights, state = network.own()
    state[-1] = np.array([each.dequantise(np.array([-128, 127])) for each in tensors], np.float32)
    logits = case.integers.logits
    exact = logits.dequantise(case.integers.run(case.counts.of(windows)))
    fake = network.predict_taps(weights, state, windows)["logits"]
    return [float(np.abs(each - exact).mean() / logits.step) for each in (fake, case.exact.run(windows))]


def check(case):
    fake, exact = compare(case, case.windows)
    # Convolutions in a row leave half a step each: biases have their integers too.
    assert fake < 1
    assert fake < 0.9 * exact


@pytest.mark.parametrize("name", NAMES)
def test_the_fake_quantised_forward_pass_is_that_of_the_integers(cases, name):
    check(cases[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_the_fake_quantised_forward_pass_of_other_networks_is_that_of_the_integers(cases, name):
    check(cases[name])


def test_what_is_part_of_one_block_is_rounded_once_at_its_end():
    plan = dict(plan_quantisation(build_network("motion-net-xs", (50, 3, 4))).grids)
    assert {"normaliser", "pointwise1_norm", "sum1_relu6"} < plan.keys()
    assert not {"pointwise1", "sum1"} & plan.keys()  # the normalisation and the limits are part of their blocks
    assert plan["embedding"].node != "embedding"  # a mean keeps the scale of its input


def test_recurrences_round_within_and_a_softmax_by_its_largest_share():
    grids = dict(plan_quantisation(build_network("tinierhar", (50, 3, 4))).grids)
    assert "bidirectional" not in grids
    assert grids["time_weights"] == Grid("shares", "time_weights")
    assert Grid("fixed", "", 1 / 128, 0) == STATE
    assert dict(plan_quantisation(build_network("fastgrnn-8", (50, 3, 4))).grids)["fastgrnn"].kind == "state"


def test_a_network_without_an_int8_form_is_refused_by_the_layer():
    with pytest.raises(UserError, match="Matmul.*no int8 form"):
        plan_quantisation(build_network("tinyhar", (50, 3, 4)))
