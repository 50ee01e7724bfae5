"""Time loop-friendly layers against Keras' layers, on the same backend, inside a compiled training loop."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TITLE = "Forward and backward pass in a compiled loop: loop-friendly layers against Keras' layers"

Row = dict[str, Any]

BATCH = 64
#: Steps of the loop; fewer where 50 would take longer than ``BUDGET`` seconds.
STEPS = 50
BUDGET = 4.0
#: (T, D, classes): the shapes of Agac & Incel, and that of HAPT for the other networks.
PUBLISHED = {"wisdm": (20, 3, 6), "opportunity": (30, 45, 17), "shoaib": (50, 45, 7)}
HAPT = {"hapt": (128, 6, 12)}
CASES = (
    *(("deepconvlstm-lm", shape, replicas) for shape in PUBLISHED for replicas in (1, 16)),
    *(("deepconvlstm-om", shape, replicas) for shape in PUBLISHED for replicas in (1, 16)),
    *((network, "hapt", replicas) for network in ("tinierhar", "motion-net-s") for replicas in (1, 16)),
)
#: Cases of ``--quick``.
QUICK = (("deepconvlstm-lm", "wisdm", 1), ("deepconvlstm-lm", "wisdm", 16), ("motion-net-s", "hapt", 1))
#: Cases whose loop over 16 replicas of Keras' convolutions needs more memory than a small machine has.
LARGE = {("deepconvlstm-om", "opportunity", 16), ("deepconvlstm-om", "shoaib", 16)}


def rows(*, data: Path | None = None, quick: bool = False) -> list[Row]:
    """Return one row per network, shape and number of replicas: milliseconds per model and step, and the ratio.

    Windows are random, so ``data`` is not read. Large fleets of the large network are timed with 4 replicas.
    """
    chosen = QUICK if quick else CASES
    return [_case(*case, turns=1 if quick else 3) for case in chosen]


def _case(network: str, shape: str, replicas: int, *, turns: int) -> Row:
    from stillmotion.networks import build_network

    if (network, shape, replicas) in LARGE:
        replicas = 4
    size = {**PUBLISHED, **HAPT}[shape]
    ours = build_network(network, size)
    plain = _plain(ours)
    timed = [_Loop(model, size, replicas) for model in (ours, plain)]
    pairs = [[loop() for loop in timed] for _ in range(turns)]
    ours_ms, keras_ms = (float(np.median(milliseconds)) for milliseconds in zip(*pairs, strict=True))
    return {
        "network": network,
        "shape": shape,
        "replicas": replicas,
        "ours_ms": ours_ms,
        "keras_ms": keras_ms,
        "ratio": float(np.median([second / first for first, second in pairs])),
        "steps": timed[0].steps,
        "keras_steps": timed[1].steps,
    }


def _plain(model: Any) -> Any:
    """Return the same network with Keras' plain layers, by saving and loading it."""
    import keras

    with tempfile.TemporaryDirectory(prefix="stillmotion-bench-") as scratch:
        path = Path(scratch) / "model.keras"
        model.save(path)
        return keras.saving.load_model(path, compile=False)


class _Loop:
    """A compiled loop of training steps; a call returns milliseconds per model and step.

    The number of steps is an argument of the program, so that one compilation serves the warm-up and the timed loop.
    """

    def __init__(self, model: Any, shape: tuple[int, int, int], replicas: int) -> None:
        import jax
        import jax.numpy as jnp

        self.replicas = replicas
        length, channels, _ = shape
        random = np.random.default_rng(0)
        windows = jnp.asarray(random.normal(size=(replicas, BATCH, length, channels)), jnp.float32)
        weights = [self._copies(variable) for variable in model.trainable_variables]
        state = [self._copies(variable) for variable in model.non_trainable_variables]

        def step(carry: Any, x: Any) -> Any:
            def loss(weights: Any, state: Any) -> Any:
                logits, changed = model.stateless_call(weights, state, x, training=True)
                # A network with auxiliary classifiers gives a list: its logits come first.
                first = logits[0] if isinstance(logits, list) else logits
                return jnp.mean(jax.nn.logsumexp(first, axis=-1) - first[:, 0]), changed

            gradient, changed = jax.grad(loss, has_aux=True)(*carry)
            return [w - 1e-3 * g for w, g in zip(carry[0], gradient, strict=True)], changed

        def loop(steps: Any, weights: Any, state: Any, windows: Any) -> Any:
            every = step if replicas == 1 else jax.vmap(step)
            return jax.lax.fori_loop(0, steps, lambda _, carry: every(carry, windows), (weights, state))

        if replicas == 1:
            weights, state, windows = jax.tree.map(lambda leaf: leaf[0], (weights, state, windows))
        compiled = jax.jit(loop).lower(2, weights, state, windows).compile()
        # Copying one array to the host waits for the whole loop.
        self.run = lambda steps: np.asarray(compiled(steps, weights, state, windows)[0][0])
        self.run(2)
        self.steps = min(STEPS, max(2, int(BUDGET / max(self._seconds(2) / 2, 1e-9))))

    def __call__(self) -> float:
        return 1000 * self._seconds(self.steps) / self.steps / self.replicas

    def _seconds(self, steps: int) -> float:
        start = time.perf_counter()
        self.run(steps)
        return time.perf_counter() - start

    def _copies(self, variable: Any) -> Any:
        import jax.numpy as jnp

        value = jnp.asarray(np.asarray(variable))
        return jnp.broadcast_to(value, (self.replicas, *value.shape))
