"""Networks built once for all tests of this folder; no test changes one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stillmotion.networks import build_network, list_networks, list_taps, with_taps
from stillmotion.networks.draws import drawn_by_numpy

#: A small shape that every network takes, and its number of classes.
WINDOW, CHANNELS, CLASSES = SHAPE = (32, 3, 5)

#: Networks that differ from another one in width or in the number of equal blocks only.
OTHER_WIDTHS = (
    *("deepconvlstm-mm", "motion-net-m"),
    *("gru-4", "gru-12", "fastgrnn-12"),
    *("feature-net-m", "feature-net-l", "feature-net-xl", "hybrid-net-m", "hybrid-net-l"),
)
#: Every other network, and the options worth a test of their own.
VARIANTS = [
    *((entry.name, {}) for entry in list_networks() if entry.name not in OTHER_WIDTHS),
    ("deepconvlstm-lm", {"attention": "channel:r=2,spatial:k=3,sensor:r=2,after=1+3"}),
    ("deepconvlstm-lm", {"recurrence": "time"}),
]


@pytest.fixture(autouse=True, scope="package")
def quick_compilation():
    """These tests compile much and compute little."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(autouse=True)
def quick_draws(request):
    """Layers that the tests build by themselves need no compiled draws, except where draws are the matter."""
    with nullcontext() if "test_initial" in request.module.__name__ else drawn_by_numpy():
        yield


@cache
def _built(name, shape, **options):
    return build_network(name, shape, seed=3, **options)


@pytest.fixture(scope="session")
def built():
    """``built(name)`` or ``built(name, shape)``: the network under seed 3, the same object each time."""
    return lambda name, shape=SHAPE, **options: _built(name, shape, **options)


@pytest.fixture(scope="session")
def signal():
    """Eight windows of noise."""
    return np.random.default_rng(0).normal(size=(8, WINDOW, CHANNELS)).astype(np.float32)


@dataclass(frozen=True)
class Study:
    """A network whose weights were moved from where they start, what it says of ``signal``, and its gradients."""

    model: Any
    taps: dict[str, Any]
    slopes: dict[str, float]


@pytest.fixture(scope="session")
def studied(signal):
    """``studied(name, options)``: one compilation a network for all tests.

    Weights are moved because TinyHAR's attention starts switched off, and a ReLU may start dead.
    """

    @cache
    def study(name, options):
        model = build_network(name, SHAPE, seed=3, **dict(options))
        rng = np.random.default_rng(1)
        for variable in model.trainable_variables:
            inputs = np.prod(variable.shape[:-1])
            # In NumPy: JAX would compile a sum for every shape.
            variable.assign(np.asarray(variable.value) + rng.normal(size=variable.shape) * 0.3 / np.sqrt(inputs))
        tapped = with_taps(model, list_taps(model))
        paths = [variable.path for variable in model.trainable_variables]
        assert [variable.path for variable in tapped.trainable_variables] == paths
        states = [variable.value for variable in tapped.non_trainable_variables]

        def loss(weights):
            taps, _ = tapped.stateless_call(weights, states, signal, training=False)
            heads = [value for tap, value in taps.items() if "logits" in tap]
            return sum(jnp.square(jax.nn.log_softmax(head)).mean() for head in heads), taps

        weights = [variable.value for variable in model.trainable_variables]
        slopes, taps = jax.jit(jax.grad(loss, has_aux=True))(weights)
        return Study(model, taps, {path: float(np.abs(slope).max()) for path, slope in zip(paths, slopes, strict=True)})

    return lambda name, options: study(name, tuple(options.items()))
