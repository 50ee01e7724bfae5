"""The contests of training: which are run, where rows go, whether a contender's network is ours; nothing is timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import contest, gpu, merge_rows, run, training
from benchmarks.same_network import PROBES, describe_network, require_same
from stillmotion.errors import UnknownName, UserError
from tests.conftest import ROOT

Row = dict[str, Any]
Arrays = dict[str, Any]
Function = Callable[[Any], Any]


@pytest.fixture
def contests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contests give a row each without being run."""
    names = ("shape", "network", "task")
    monkeypatch.setattr(training, "_contest_rows", lambda each, *_: [{key: getattr(each, key) for key in names}])
    monkeypatch.setattr(training, "_whole_run", lambda *_: {"task": "run"})


def chosen(*only: str) -> list[str]:
    _, rows = run("training", only=only)
    return ["/".join(row.values()) for row in rows]


@pytest.mark.usefixtures("contests")
def test_only_the_named_contests_are_run() -> None:
    assert chosen("hapt/mlp") == ["hapt/mlp/train"]
    assert chosen("shoaib/*", "hapt/mlp") == [
        "shoaib/deepconvlstm-lm/train",
        "shoaib/deepconvlstm-lm/distil",
        "hapt/mlp/train",
    ]
    assert chosen("*/deepconvlstm-lm/distil") == [
        f"{name}/deepconvlstm-lm/distil" for name in list(training.SHAPES)[:3]
    ]
    assert chosen("wisdm/deepconvlstm-lm/run") == ["run"]
    assert len(chosen()) == len(training.CONTESTS) + 1
    at_hapt = [name.split("/")[1] for name in chosen("hapt/*")]
    goals = {each.network: each.entries[-1].goal for each in training.CONTESTS if each.shape == "hapt"}
    assert at_hapt == list(goals)
    assert [goals[name] for name in ("motion-net-s", "cnn-har", "resnet-lstman")] == ["≥ 3×", "≥ 2×", "≥ 1×"]


@pytest.mark.usefixtures("contests")
def test_a_contest_that_does_not_exist() -> None:
    with pytest.raises(UnknownName, match="hapt/motion-net-x.*hapt/motion-net-s"):
        chosen("hapt/motion-net-x")
    with pytest.raises(UserError, match="memory has no contests"):
        run("memory", only=["hapt/mlp"])


def test_rows_of_a_contest_are_replaced_where_they_stand(tmp_path: Any) -> None:
    def row(network: str, contender: str, time: float, task: str = "train") -> Row:
        return {"shape": "hapt", "network": network, "task": task, "contender": contender, "milliseconds": time}

    path = tmp_path / "training.json"
    merge_rows(path, "training", [row("a", "ours", 1), row("a", "other", 2), row("b", "ours", 3), row("b", "x", 4)])
    stored = [row("a", "ours", 5), row("c", "ours", 6), row("a", "ours", 7, "distil")]
    merge_rows(path, "training", stored)
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["bench"] == "training"
    # A contest that is run again has no row of the run before, even if it now has fewer; others stay.
    assert written["rows"] == [stored[0], row("b", "ours", 3), row("b", "x", 4), *stored[1:]]


def test_the_knee_is_the_fewest_replicas_at_four_fifths_of_the_most_models_a_second() -> None:
    times = {512: 0.8, 1: 8.0, 256: 1.01, 128: 1.0, 64: 1.001}
    rows: list[Row] = [{"replicas": count, "milliseconds": taken} for count, taken in times.items()]
    assert gpu.find_knee(rows) == 128
    assert gpu.find_knee(rows, share=0.79) == 64
    assert gpu.find_knee(rows[:3]) == 512
    assert gpu.find_knee([{"replicas": 8, "note": "failed"}]) is None


def test_the_precision_of_products_is_read_from_the_program() -> None:
    lowered = jax.jit(lambda x: jnp.tanh(x @ x) @ x).lower
    x = jnp.ones((3, 3))
    assert gpu.read_precision(lowered(x).as_text()) == "default"
    with jax.default_matmul_precision("highest"):
        assert gpu.read_precision(lowered(x).as_text()) == "highest"


def test_the_problem_of_a_contender_is_the_line_of_its_exception() -> None:
    printed = "Traceback:\n  at x\ntorch.AcceleratorError: CUDA error: device-side assert\nCompile with `TORCH_USE…`.\n"
    assert contest._problem(printed) == "torch.AcceleratorError: CUDA error: device-side assert"
    assert contest._problem("one\nKilled\n") == "Killed"
    assert contest._problem("") == "no error message"


def test_the_page_shows_the_stored_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    figures = import_module("write_figures")
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert figures.fill(text) == text
    table = figures.SECTIONS["gpu"]()
    for cells in ("| 512 | 0.00422 | 0.0279 |", "| PyTorch, CUDA graph | 0.172 | 0.312 |", "by 1.3e-05 % ("):
        assert cells in table
    assert "products of" not in table
    assert "published grid" not in table
    earlier = figures.SECTIONS["gpu-tf32"]()
    for cells in ("| 512 | 0.00468 | 0.0268 | 0.00764 |", "| PyTorch, CUDA graph | failed | failed | – |"):
        assert cells in earlier
    rows = [
        {"shape": "hapt", "network": "mlp", "task": "train", "contender": name, "replicas": count, "goal": "≥ 3×"}
        | {"milliseconds": taken, "ratio": ratio, "ratio_8": 2 * ratio, **more}
        for name, count, taken, ratio, more in (
            ("stillmotion", 1, 2.0, 1.0, {}),
            ("pytorch", 1, 5.0, 2.51, {"note": "1 thread, time last"}),
        )
    ]
    monkeypatch.setattr(figures, "bench", lambda name: rows)
    table = figures.SECTIONS["training-hapt"]()
    assert "| hapt, 128 × 6 | `mlp` | train | pytorch | 1 | 5 | 2.5× | 5.0× | ≥ 3× |" in table
    assert table.endswith("Fastest settings of PyTorch: `mlp` 1 thread, time last.")


# A contender's network: motion-net-s in NumPy, which a test can build wrongly.

SHAPE = (30, 3, 5)
BLOCKS = 5


@pytest.fixture(scope="module")
def windows() -> Any:
    return np.random.default_rng(3).normal(0.5, 1, (PROBES + 4, *SHAPE[:2])).astype(np.float32)


@pytest.fixture(scope="module")
def described(windows: Any) -> Arrays:
    return describe_network("motion-net-s", SHAPE, windows)


def relu6(x: Any) -> Any:
    return np.clip(x, 0, 6)


def answer(
    described: Arrays, x: Any, *, clipped: Function = relu6, shifted: str = "", epsilon: float = 1e-3, wrong: str = ""
) -> Any:
    """Logits of a motion-net; a layer's padding may be shifted by a sample, and one number of a weight be wrong."""
    weights = {name.removeprefix("weights/"): values.copy() for name, values in described.items()}
    if wrong:
        weights[wrong].flat[0] += 0.1

    def slices(name: str, x: Any, size: int, stride: int) -> Any:
        steps = -(-x.shape[1] // stride)
        total = max((steps - 1) * stride + size - x.shape[1], 0)
        before = total // 2 + (name == shifted)
        x = np.pad(x, ((0, 0), (before, total - before), (0, 0)))
        return np.stack([x[:, k : k + (steps - 1) * stride + 1 : stride] for k in range(size)])

    def normed(name: str, x: Any) -> Any:
        gamma, beta, mean, variance = (
            weights[f"{name}_norm/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta

    def dense(name: str, x: Any, stride: int = 1) -> Any:
        kernel = weights[f"{name}/kernel"]
        return normed(name, np.einsum("kbtc,kcf->btf", slices(name, x, len(kernel), stride), kernel))

    x = clipped(dense("stem", x.astype(np.float64), 2))
    for number in range(1, BLOCKS + 1):
        name = f"depthwise{number}"
        y = np.einsum("kbtc,kc->btc", slices(name, x, 7, 1 + (number == 2)), weights[f"{name}/kernel"][..., 0])
        y = dense(f"pointwise{number}", clipped(normed(name, y)))
        x = clipped(y + x if y.shape == x.shape else y)
    return x.mean(1) @ weights["logits/kernel"] + weights["logits/bias"]


def test_a_network_that_is_ours_passes(described: Arrays, windows: Any) -> None:
    kept = [name for name in described if name.startswith("weights/") and "moving" not in name]
    trained = sum(described[name].size for name in kept)
    require_same(described, trained, answer(described, windows[:PROBES]))
    with pytest.raises(ValueError, match=rf"{trained - 1:,} trained numbers, ours {trained:,}"):
        require_same(described, trained - 1, answer(described, windows[:PROBES]))


WRONG: dict[str, Arrays] = {
    "one number of the first kernel": {"wrong": "stem/kernel"},
    "one number of a depthwise kernel": {"wrong": "depthwise1/kernel"},
    "one moving variance": {"wrong": "stem_norm/moving_variance"},
    "one bias of the last layer": {"wrong": "logits/bias"},
    "padding of the first convolution": {"shifted": "stem"},
    "padding of the convolution with a stride": {"shifted": "depthwise2"},
    "padding of a convolution without": {"shifted": "depthwise4"},
    "units without an upper end": {"clipped": lambda x: np.maximum(x, 0)},
    "units that leak": {"clipped": lambda x: np.clip(x, 0.01 * x, 6)},
    "the other epsilon": {"epsilon": 1e-5},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_network_with_one_part_wrong_is_refused(described: Arrays, windows: Any, case: str) -> None:
    with pytest.raises(ValueError, match="of the largest logit off"):
        require_same(described, int(described["trained"]), answer(described, windows[:PROBES], **WRONG[case]))


def test_every_weight_is_compared(described: Arrays, windows: Any) -> None:
    # One number of a unit that answers 0 or 6 to all windows would not show; no layer has only such units.
    random, hidden = np.random.default_rng(0), []
    names = [name for name in described if name.startswith("weights/")]
    for name in names:
        wrong = described | {name: described[name] + random.uniform(0.01, 0.02, described[name].shape)}
        try:
            require_same(described, int(described["trained"]), answer(wrong, windows[:PROBES]))
        except ValueError:
            continue
        hidden.append(name)
    assert (len(names), hidden) == (57, [])


def test_a_network_that_answers_no_numbers_or_other_windows_is_refused(described: Arrays, windows: Any) -> None:
    trained, expected = int(described["trained"]), described["logits"]
    for logits in (np.full_like(expected, np.nan), expected[::-1], answer(described, windows[1 : PROBES + 1])):
        with pytest.raises(ValueError, match="largest logit off"):
            require_same(described, trained, logits)


def test_features_are_described_for_all_windows(windows: Any) -> None:
    described = describe_network("feature-net-s", SHAPE, windows)
    hidden, logits = (
        {part: described[f"weights/{name}/{part}"] for part in ("kernel", "bias")} for name in ("hidden", "logits")
    )
    assert len(described["features"]) == len(windows)
    inner = np.maximum(described["features"][:PROBES] @ hidden["kernel"] + hidden["bias"], 0)
    trained = sum(values.size for each in (hidden, logits) for values in each.values())
    require_same(described, trained, inner @ logits["kernel"] + logits["bias"])
