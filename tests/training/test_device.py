"""On an accelerator, products and their derivatives are computed in float32, not with rounded factors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stillmotion.networks import build_network
from stillmotion.networks.convolution_forms import USUAL, WITHOUT_XLA, ConvolutionForms, current_forms
from stillmotion.training import Fleet, Recipe, Replica, device

EXACT = "precision=(Precision.HIGHEST, Precision.HIGHEST)"


@pytest.mark.parametrize("accelerator", [False, True])
def test_a_function_and_its_derivative(monkeypatch: pytest.MonkeyPatch, accelerator: bool) -> None:
    monkeypatch.setattr(device, "on_accelerator", lambda: accelerator)
    gradient = device.compile_function(jax.grad(lambda x: (jnp.tanh(x @ x) @ x).sum()))
    text = str(gradient.trace(jnp.ones((3, 3))).jaxpr)
    assert text.count("dot_general[") >= 4
    assert text.count(EXACT) == (text.count("dot_general[") if accelerator else 0)


@pytest.mark.parametrize("part", ["epoch", "evaluate"])
def test_the_programs_of_a_fleet(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(device, "on_accelerator", lambda: True)
    windows = np.random.default_rng(0).normal(size=(12, 8, 2)).astype(np.float32)
    # No other test has this recipe: programs of equal fleets are shared.
    recipe = Recipe(batch=4, epochs=3, patience=3, warmup=0.123)
    replicas = [Replica(seed, np.arange(8), np.arange(8, 12)) for seed in range(2)]
    fleet = Fleet(
        build_network("mlp-small", (8, 2, 3)), "lm", replicas, windows, np.arange(12) % 3, classes=3, recipe=recipe
    )
    standing = fleet._begin()
    inputs = fleet._members(standing.slots) if part == "epoch" else fleet._validation(standing.slots)
    function = getattr(fleet.program, part)
    text = str(function.trace(standing.learners, inputs, fleet.shared, *fleet.threads.slots(standing.alive)).jaxpr)
    assert text.count("dot_general[") >= 2
    # The product of one-hot labels with class weights is exact in any precision, but is inside the step too.
    assert text.count(EXACT) == text.count("dot_general[")


@pytest.mark.parametrize("forms", [USUAL, ConvolutionForms(few=1)])
def test_a_function_is_traced_with_the_chosen_forms(forms: ConvolutionForms) -> None:
    assert traced_forms(forms) == forms


def test_without_the_option_of_xla_its_convolution_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "COMPILER_OPTIONS", {"xla_cpu_no_such_option": "1"})
    device._compiler_options.cache_clear()
    try:
        assert traced_forms(USUAL) == WITHOUT_XLA
    finally:
        device._compiler_options.cache_clear()


def traced_forms(forms: ConvolutionForms) -> ConvolutionForms:
    seen = []
    device.compile_function(lambda: seen.append(current_forms()), forms=forms)()
    assert current_forms() == WITHOUT_XLA
    return seen[0]
