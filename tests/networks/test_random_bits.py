"""Dropout draws the random bits that JAX draws."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stillmotion.networks.random_bits import draw_bits, is_plain
from stillmotion.networks.rewrite import rewrite


@pytest.mark.parametrize("shape", [(1,), (7,), (5, 6, 3), (300, 70)])
@pytest.mark.parametrize("seed", [0, 2**31 + 5])
def test_bits_are_those_of_jax(shape, seed):
    key = jax.random.fold_in(jax.random.key(seed), 12)
    np.testing.assert_array_equal(draw_bits(key, shape), jax.random.bits(key, shape))


def test_a_rewritten_function_drops_the_same_numbers_and_loops_no_rounds():
    def dropped(seed, x):
        kept = jax.random.bernoulli(seed, 0.7, x.shape)
        noise = jax.checkpoint(
            lambda: jax.random.normal(jax.random.fold_in(jax.random.wrap_key_data(seed), 3), x.shape)
        )
        return jnp.where(kept, x / 0.7, 0) + noise()

    seed, x = jnp.asarray([3, 2**32 - 1], jnp.uint32), jnp.ones((40, 9))
    ours = jax.jit(lambda seed, x: rewrite(dropped, seed, x))
    np.testing.assert_allclose(ours(seed, x), dropped(seed, x), rtol=1e-6)
    assert "random_bits" in str(jax.make_jaxpr(dropped)(seed, x))
    assert "random_bits" not in str(jax.make_jaxpr(ours)(seed, x))
    seeds = jnp.arange(6, dtype=jnp.uint32).reshape(3, 2)
    np.testing.assert_allclose(jax.vmap(ours, (0, None))(seeds, x)[2], dropped(seeds[2], x), rtol=1e-6)


def test_other_generators_and_widths_stay_as_they_are():
    key = jax.random.key(0)
    assert is_plain(key, bit_width=32, shape=(4,))
    assert not is_plain(key, bit_width=8, shape=(4,))
    assert not is_plain(jax.random.split(key), bit_width=32, shape=(4,))
    assert not is_plain(jax.random.key(0, impl="rbg"), bit_width=32, shape=(4,))
    with jax.threefry_partitionable(False):
        assert not is_plain(key, bit_width=32, shape=(4,))
