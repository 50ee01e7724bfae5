"""A plain PyTorch training loop: shuffle, slice, forward, backward, step."""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from torch import nn


class DeepConvLSTM(nn.Module):
    """DeepConvLSTM as Agac & Incel build it, with Keras' initialisation."""

    def __init__(self, shape: list[int], filters: int, units: int) -> None:
        super().__init__()
        length, channels, classes = shape
        self.convolutions = nn.ModuleList(nn.Conv2d(filters if n else 1, filters, (5, 1)) for n in range(4))
        self.first = nn.LSTM((length - 16) * filters, units, batch_first=True)
        self.second = nn.LSTM(units, units, batch_first=True)
        self.logits = nn.Linear(channels * units, classes)
        for name, weight in self.named_parameters():
            if "weight" not in name:
                nn.init.zeros_(weight)
            elif "convolutions" in name or "_hh" in name:
                nn.init.orthogonal_(weight)
            else:
                nn.init.xavier_uniform_(weight)
        for layer in (self.first, self.second):
            nn.init.ones_(layer.bias_ih_l0.data[units : 2 * units])

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Return the logits of windows (B, T, D)."""
        x = windows[:, None]
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))  # (B, f, T', D)
        x = x.permute(0, 3, 2, 1).flatten(2)  # (B, D, T' · f)
        x = self.second(self.first(x)[0])[0]
        return self.logits(x.flatten(1))


def main() -> None:
    """Run the task of the arguments."""
    settings = json.loads(sys.argv[2])
    with np.load(sys.argv[1]) as data:
        windows, labels = torch.from_numpy(data["windows"]), torch.from_numpy(data["labels"])
    torch.manual_seed(0)
    model = DeepConvLSTM(settings["shape"], *settings["size"])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = nn.CrossEntropyLoss()

    def epoch() -> float:
        start = time.perf_counter()
        order = torch.randperm(len(windows))
        for rows in order.split(settings["batch"]):
            optimiser.zero_grad()
            loss(model(windows[rows]), labels[rows]).backward()
            optimiser.step()
        return time.perf_counter() - start

    # Networks this small may run faster with one thread: try both for an epoch and keep the faster.
    took = {}
    for threads in {torch.get_num_threads(), 1}:
        torch.set_num_threads(threads)
        took[threads] = epoch()
    torch.set_num_threads(min(took, key=lambda threads: took[threads]))
    print(json.dumps({"seconds": min(took.values())}), flush=True)
    while sys.stdin.readline():
        print(json.dumps({"seconds": epoch()}), flush=True)


if __name__ == "__main__":
    main()
