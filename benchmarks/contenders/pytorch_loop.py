"""A plain PyTorch training loop, shuffle, slice, forward, backward, step, with the settings that are fastest here.

On a processor it tries numbers of threads, memory layouts, Adam's implementations and ``torch.compile`` one after the
other for a few steps each and keeps what is faster. On a GPU it keeps the windows there and runs step by step, or with
``graph`` captures the whole step once as a CUDA graph.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.contenders.torch_networks import Named, build_network, load_weights

#: Largest difference of logits to ours, as a share of the largest.
TOLERANCE = 1e-3
#: Seconds of steps that a trial of settings takes at least, and its least number of steps.
TRIAL, LEAST = 0.3, 3


@dataclass(frozen=True)
class Choice:
    """Settings of the loop on a processor."""

    threads: int = torch.get_num_threads()
    layout: str = "time last"
    adam: str = "foreach"
    compiled: bool = False

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{threads}, {self.layout}, {self.adam} Adam{', compiled' if self.compiled else ''}"


#: Settings that are tried, in this order.
OTHERS: dict[str, tuple[Any, ...]] = {
    "threads": (1,),
    "adam": ("fused",),
    "layout": ("filters last",),
    "compiled": (True,),
}


class Loop:
    """A network, its optimiser and the data.

    Args:
        data: windows, labels, features of the windows (or none), weights and logits of ours.
        settings: ``name`` of the network, ``shape``, ``batch``, ``device``, ``graph``.
    """

    def __init__(self, data: dict[str, Any], settings: dict[str, Any]) -> None:
        self.settings, self.device = settings, torch.device(settings.get("device", "cpu"))
        self.labels = torch.from_numpy(data["labels"]).to(self.device)
        network = self.build(data)
        name = "features" if network.reads_features else "windows"
        self.inputs = network.arrange(torch.from_numpy(data[name])).to(self.device)
        _require_same(network, self.inputs.cpu(), data)
        self.data = data

    def build(self, data: dict[str, Any]) -> Named:
        """Build the network with fresh weights."""
        torch.manual_seed(0)
        features = data["features"].shape[1] if "features" in data else 0
        return build_network(self.settings["name"], tuple(self.settings["shape"]), features)

    def prepare(self, choice: Choice) -> Callable[[Any], None]:
        """Return a function that takes a step on the windows of the given rows."""
        torch.set_num_threads(choice.threads)
        network: Any = self.build(self.data).to(self.device)
        inputs = self.inputs
        if choice.layout == "filters last" and inputs.ndim == 4:
            network, inputs = (each.to(memory_format=torch.channels_last) for each in (network, inputs))
        capturable = {"capturable": True} if self.settings.get("graph") else {}
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        optimiser = torch.optim.Adam(trained, lr=1e-3, **{choice.adam: True}, **capturable)
        model = torch.compile(network) if choice.compiled else network
        loss = nn.CrossEntropyLoss()

        def step(rows: Any) -> None:
            optimiser.zero_grad()
            loss(model(inputs[rows]), self.labels[rows]).backward()
            optimiser.step()

        return self.capture(step) if self.settings.get("graph") else step

    def capture(self, step: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return a step as a CUDA graph, whose rows lie in one place."""
        rows = torch.arange(self.settings["batch"], device=self.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step(rows)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(rows)

        def replay(given: Any) -> None:
            rows.copy_(given)
            graph.replay()

        return replay

    def epoch(self, step: Callable[[Any], None]) -> float:
        """Run an epoch; return its seconds."""
        start = time.perf_counter()
        order = torch.randperm(len(self.labels), device=self.device)
        for rows in order.split(self.settings["batch"]):
            step(rows)
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def trial(self, choice: Choice) -> float:
        """Return the seconds of a step with these settings, the best of three groups of steps after a warm-up."""
        step = self.prepare(choice)
        rows = torch.arange(self.settings["batch"])
        start = time.perf_counter()
        for _ in range(2):
            step(rows)
        steps, taken = LEAST, []
        for _ in range(3):
            start = time.perf_counter()
            for _ in range(steps):
                step(rows)
            taken.append((time.perf_counter() - start) / steps)
            steps = max(LEAST, int(TRIAL / 3 / taken[-1]))
        return min(taken)

    def choose(self) -> Choice:
        """Change one setting at a time and keep what is faster."""
        best = Choice()
        least = self.trial(best)
        for setting, values in OTHERS.items():
            for value in values:
                if getattr(best, setting) == value:
                    continue
                other = replace(best, **{setting: value})
                try:
                    taken = self.trial(other)
                except Exception as problem:  # torch.compile needs a compiler, and fails in many ways without one.
                    print(f"{setting} {value}: {type(problem).__name__}: {problem}", file=sys.stderr)
                    continue
                if taken < least:
                    best, least = other, taken
        return best


def _require_same(network: Named, inputs: Any, data: dict[str, Any]) -> None:
    """Raise unless a network has as many trained numbers as ours, and with its weights gives its logits."""
    own, ours = (sum(weight.numel() for weight in network.parameters() if weight.requires_grad), int(data["trained"]))
    if own != ours:
        raise ValueError(f"The network in PyTorch has {own:,} trained numbers, ours {ours:,}.")
    weights = {name.removeprefix("weights/"): values for name, values in data.items() if name.startswith("weights/")}
    load_weights(network, weights)
    expected = torch.from_numpy(data["logits"])
    with torch.no_grad():
        difference = (network.eval()(inputs[: len(expected)]) - expected).abs().max() / expected.abs().max()
    if not difference < TOLERANCE:
        raise ValueError(f"With our weights the network in PyTorch is {difference:.2g} of the largest logit off.")


def main() -> None:
    """Run the task of the arguments."""
    settings = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as file:
        data = dict(file)
    if settings.get("device") == "cuda":
        # What a user who wants speed sets, and what XLA does of itself: products in TF32.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    loop = Loop(data, settings)
    choice = Choice(adam="fused") if settings.get("device") == "cuda" else loop.choose()
    step = loop.prepare(choice)
    loop.epoch(step)
    print(json.dumps({"seconds": loop.epoch(step), "settings": str(choice)}), flush=True)
    while sys.stdin.readline():
        print(json.dumps({"seconds": loop.epoch(step)}), flush=True)


if __name__ == "__main__":
    main()
