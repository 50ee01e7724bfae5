"""Our networks in plain PyTorch, with time in the minor axis, which oneDNN's and cuDNN's convolutions prefer.

Parts bear the names of our layers, so that weights of ours can be loaded: ``load_weights`` takes them by the paths of
Keras' variables, and a loop proves by its answers that both networks are the same (``benchmarks/same_network.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Tensor = Any
Shape = tuple[int, int, int]


class Named(nn.Module):
    """A network whose parts bear the names of our layers."""

    #: Whether it reads window features (B, F) instead of windows (B, T, D).
    reads_features = False

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict()

    def convolve(
        self, name: str, inputs: int, filters: int, kernel: int, *, across: int = 1, groups: int = 1, **options: Any
    ) -> None:
        """Add a convolution over time, and over ``across`` sensor channels, of a plane (B, f, D, T)."""
        self.parts[name] = nn.Conv2d(inputs, filters, (across, kernel), groups=groups, **options)

    def norm(self, name: str, filters: int, epsilon: float) -> None:
        """Add a batch normalisation with Keras' momentum of 0.9."""
        self.parts[name] = nn.BatchNorm2d(filters, eps=epsilon, momentum=0.1)

    def recur(self, paths: Mapping[str, str], layer: nn.RNNBase) -> None:
        """Add a recurrent layer; ``paths`` are suffixes of its weights to those of our cells.

        PyTorch adds two biases to the gates of an LSTM where Keras adds one: the second stays 0 and is not trained.
        """
        if isinstance(layer, nn.LSTM):
            for suffix in paths:
                nn.init.zeros_(getattr(layer, f"bias_hh_{suffix}")).requires_grad_(False)
        layer.paths = dict(paths)
        self.parts[next(iter(paths.values())).split("/")[0]] = layer

    def arrange(self, windows: Tensor) -> Tensor:
        """Arrange all windows (N, T, D) once as the network reads them: a plane (N, 1, D, T)."""
        return windows.transpose(1, 2).contiguous()[:, None]


class MotionNet(Named):
    """motion-net: residual separable convolutions."""

    def __init__(self, shape: Shape, width: int, blocks: int) -> None:
        super().__init__()
        _, channels, classes = shape
        self.blocks = blocks
        self.convolve("stem", channels, width, 5, stride=(1, 2), bias=False)
        self.norm("stem_norm", width, 1e-3)
        inputs = width
        for number in range(1, blocks + 1):
            filters = width if number == 1 else 2 * width
            stride, pad = ((1, 2), 0) if number == 2 else (1, (0, 3))
            self.convolve(
                f"depthwise{number}", inputs, inputs, 7, groups=inputs, stride=stride, padding=pad, bias=False
            )
            self.norm(f"depthwise{number}_norm", inputs, 1e-3)
            self.convolve(f"pointwise{number}", inputs, filters, 1, bias=False)
            self.norm(f"pointwise{number}_norm", filters, 1e-3)
            inputs = filters
        self.parts["logits"] = nn.Linear(inputs, classes)

    def arrange(self, windows: Tensor) -> Tensor:
        """Arrange windows as planes (N, D, 1, T)."""
        return windows.transpose(1, 2).contiguous()[:, :, None]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        parts = self.parts
        # Where the stride is 2, Keras pads one sample more behind than before.
        x = functional.relu6(parts["stem_norm"](parts["stem"](functional.pad(x, (1, 2)))))
        for number in range(1, self.blocks + 1):
            y = functional.pad(x, (2, 3)) if number == 2 else x
            y = functional.relu6(parts[f"depthwise{number}_norm"](parts[f"depthwise{number}"](y)))
            y = parts[f"pointwise{number}_norm"](parts[f"pointwise{number}"](y))
            x = functional.relu6(y + x if y.shape == x.shape else y)
        return parts["logits"](x.mean((2, 3)))


class TinierHAR(Named):
    """TinierHAR: separable convolutions, bidirectional GRU, attention over time."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        _, channels, classes = shape
        inputs = 1
        for number in range(1, 7):
            filters = 4 if number == 1 else 8
            self.convolve(f"depthwise{number}", inputs, inputs, 5, groups=inputs, padding=(0, 2))
            self.convolve(f"pointwise{number}", inputs, filters, 1)
            self.norm(f"norm{number}", filters, 1e-5)
            if inputs != filters:
                self.convolve(f"shortcut{number}", inputs, filters, 1)
                self.norm(f"shortcut_norm{number}", filters, 1e-5)
            inputs = filters
        paths = {"l0": "bidirectional/forward_gru/gru_cell", "l0_reverse": "bidirectional/backward_gru/gru_cell"}
        self.recur(paths, nn.GRU(8 * channels, 16, batch_first=True, bidirectional=True))
        self.parts["time_scores"] = nn.Linear(32, 1)
        self.parts["logits"] = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        parts = self.parts
        for number in range(1, 7):
            y = parts[f"pointwise{number}"](parts[f"depthwise{number}"](x))
            y = functional.relu(parts[f"norm{number}"](y))
            if f"shortcut{number}" in parts:
                x = parts[f"shortcut_norm{number}"](parts[f"shortcut{number}"](x))
            if number <= 2:
                x, y = functional.max_pool2d(x, (1, 2)), functional.max_pool2d(y, (1, 2))
            x = x + y
        x = functional.dropout(x.permute(0, 3, 2, 1).flatten(2), 0.3, self.training)  # (B, T / 4, D · 8)
        x = parts["bidirectional"](x)[0]
        return parts["logits"]((torch.softmax(parts["time_scores"](x), 1) * x).sum(1))


class CnnHar(Named):
    """CNN-HAR: convolutions per channel, then across channels."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        _, channels, classes = shape
        for number, (inputs, filters, kernel) in enumerate(((1, 50, 5), (50, 40, 5), (40, 20, 3)), start=1):
            self.convolve(f"conv{number}", inputs, filters, kernel)
        self.convolve("conv4", 20, 400, 1, across=channels)
        self.parts["logits"] = nn.Linear(400, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        for number in range(1, 5):
            x = functional.relu(self.parts[f"conv{number}"](x))
            x = functional.max_pool2d(x, (1, 4), (1, 2)) if number <= 2 else x
        return self.parts["logits"](x.amax((2, 3)))


class Perceptron(Named):
    """The multilayer perceptrons, of windows or of their features."""

    def __init__(self, inputs: int, units: tuple[int, ...], classes: int, dropout: tuple[float, ...]) -> None:
        super().__init__()
        self.dropout = dropout
        for number, width in enumerate(units, start=1):
            self.parts["hidden" if self.reads_features else f"dense{number}"] = nn.Linear(inputs, width)
            inputs = width
        self.parts["logits"] = nn.Linear(inputs, classes)

    def arrange(self, windows: Tensor) -> Tensor:
        """Flatten windows."""
        return windows.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits; dropout comes before each layer."""
        *hidden, logits = self.parts.values()
        for layer, rate in zip(hidden, self.dropout, strict=False):
            x = functional.relu(layer(functional.dropout(x, rate, self.training)))
        return logits(functional.dropout(x, self.dropout[-1], self.training))


class FeaturePerceptron(Perceptron):
    """A perceptron whose inputs are standardised window features, computed before."""

    reads_features = True


class DeepConvLSTM(Named):
    """DeepConvLSTM as Agac & Incel build it: the recurrence runs over sensor channels."""

    def __init__(self, shape: Shape, filters: int, units: int) -> None:
        super().__init__()
        length, channels, classes = shape
        for number in range(1, 5):
            self.convolve(f"conv{number}", 1 if number == 1 else filters, filters, 5)
        paths = {"l0": "lstm1/lstm_cell", "l1": "lstm2/lstm_cell"}
        self.recur(paths, nn.LSTM((length - 16) * filters, units, num_layers=2, batch_first=True))
        self.parts["logits"] = nn.Linear(channels * units, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        for number in range(1, 5):
            x = functional.relu(self.parts[f"conv{number}"](x))  # (B, f, D, T')
        x = self.parts["lstm1"](x.permute(0, 2, 3, 1).flatten(2))[0]
        return self.parts["logits"](x.flatten(1))


class ResNetLSTMaN(Named):
    """ResNetLSTMaN's path to the logits: a residual network in parallel with an attentional LSTM network."""

    KERNELS = (8, 5, 3)

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        length, channels, classes = shape
        inputs = channels
        for block, filters in enumerate((128, 256, 256), start=1):
            for layer, kernel in enumerate(self.KERNELS, start=1):
                into = inputs if layer == 1 else filters
                self.convolve(f"block{block}_conv{layer}", into, filters, kernel, padding="same")
                self.norm(f"block{block}_conv{layer}_norm", filters, 1e-5)
            if inputs != filters:
                self.convolve(f"block{block}_shortcut", inputs, filters, 1)
            self.norm(f"block{block}_shortcut_norm", filters, 1e-5)
            inputs = filters
        for layer, (steps, size) in enumerate(((channels, length), (1, 128)), start=1):
            for part in ("query", "key", "value"):
                self.recur({"l0": f"lstman{layer}_{part}/lstm_cell"}, nn.LSTM(size, 128, batch_first=True))
            self.parts[f"lstman{layer}_skip"] = nn.Linear(steps * size, 128)
        self.parts["logits"] = nn.Linear(inputs + 128, classes)

    def arrange(self, windows: Tensor) -> Tensor:
        """Arrange windows as planes (N, D, 1, T)."""
        return windows.transpose(1, 2).contiguous()[:, :, None]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        parts, sequence = self.parts, x[:, :, 0]  # D steps of T samples
        for block in (1, 2, 3):
            y = x
            for layer in (1, 2, 3):
                y = parts[f"block{block}_conv{layer}_norm"](parts[f"block{block}_conv{layer}"](y))
                y = functional.relu(y) if layer < 3 else y
            x = parts[f"block{block}_shortcut"](x) if f"block{block}_shortcut" in parts else x
            x = functional.relu(y + parts[f"block{block}_shortcut_norm"](x))
        for layer in (1, 2):
            query, key, value = (
                parts[f"lstman{layer}_{part}"](sequence)[1][0][0] for part in ("query", "key", "value")
            )
            weights = torch.softmax(query[:, :, None] * key[:, None], -1)
            mixed = (weights @ value[:, :, None])[:, :, 0] + parts[f"lstman{layer}_skip"](sequence.flatten(1))
            sequence = mixed[:, None]
        return parts["logits"](torch.cat([x.mean((2, 3)), mixed], 1))


def build_network(name: str, shape: Shape, features: int = 0) -> Named:
    """Build one of our networks by its name; ``features`` is the number of features of those that read them."""
    length, channels, classes = shape
    match name.rsplit("-", 1):
        case "motion-net", "s":
            return MotionNet(shape, 16, 5)
        case "motion-net", "l":
            return MotionNet(shape, 48, 7)
        case "deepconvlstm", size:
            return DeepConvLSTM(shape, *{"lm": (4, 8), "mm": (8, 16), "om": (64, 128)}[size])
        case "feature-net", "s":
            return FeaturePerceptron(features, (16,), classes, (0.0, 0.1))
    if name == "mlp":
        return Perceptron(length * channels, (500,) * 3, classes, (0.1, 0.2, 0.2, 0.3))
    return {"tinierhar": TinierHAR, "cnn-har": CnnHar, "resnet-lstman": ResNetLSTMaN}[name](shape)


def load_weights(network: Named, weights: Mapping[str, Any]) -> None:
    """Load weights of ours, NumPy arrays by the paths of Keras' variables such as ``conv1/kernel``."""
    with torch.no_grad():
        for name, part in network.parts.items():
            for target, values in _converted(name, part, weights):
                target.copy_(torch.from_numpy(values).reshape(target.shape))


def _converted(name: str, part: Any, weights: Mapping[str, Any]) -> list[tuple[Tensor, Any]]:
    """Return the weights of a part, each with the values of ours in its order of axes and gates."""
    if isinstance(part, nn.RNNBase):
        pairs = []
        for suffix, path in part.paths.items():
            kernels = [weights[f"{path}/{kind}"].T for kind in ("kernel", "recurrent_kernel")]
            biases = [*weights[f"{path}/bias"].reshape(-1, kernels[0].shape[0])]
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for kind, values in zip(names, [*kernels, *biases], strict=False):
                pairs.append((getattr(part, f"{kind}_{suffix}"), _gates(values, gru=isinstance(part, nn.GRU))))
        return pairs
    if isinstance(part, nn.BatchNorm2d):
        kinds = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
        return [(getattr(part, own), weights[f"{name}/{ours}"]) for ours, own in kinds.items()]
    kernel = weights[f"{name}/kernel"]
    if isinstance(part, nn.Linear):
        kernel = kernel.T
    else:
        kernel = kernel[:, None] if kernel.ndim == 3 else kernel  # (time, across, in, out), or (…, channels, 1)
        kernel = kernel.transpose((2, 3, 1, 0) if part.groups > 1 else (3, 2, 1, 0))
    pairs = [(part.weight, kernel.copy())]
    return [*pairs, (part.bias, weights[f"{name}/bias"])] if part.bias is not None else pairs


def _gates(values: Any, *, gru: bool) -> Any:
    """Return gates in PyTorch's order: those of a GRU are reset, update, new; ours update, reset, new."""
    if not gru:
        return values.copy()
    update, reset, new = values.reshape(3, -1, *values.shape[1:])
    return torch.cat([torch.from_numpy(each.copy()) for each in (reset, update, new)]).numpy()
