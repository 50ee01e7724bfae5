"""Write docs/networks/forms.md: which form can hold which network. Run it after a network or an export has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stillmotion.deploy.holding import write_holdings
from stillmotion.features import ClassifierArrays, FeatureSet, LinearArrays, TreeArrays
from stillmotion.networks import build_network, list_networks

FILE = Path(__file__).parent / "networks" / "forms.md"
#: Samples, channels and classes of HAPT.
SHAPE = (128, 6, 12)
TEXT = """# What each form can hold

The forms of `still export` and the networks, at {0} samples, {1} channels and {2} classes. C, the web page and LiteRT
are written from the same blocks; products of two tensors have no int8 form. Written by `python docs/make_forms.py`,
which exports every network.

"""


def main() -> None:
    names = [entry.name for entry in list_networks()]
    models = {f"[`{name}`]({name}.md)": build_network(name, SHAPE) for name in names}
    FILE.write_text(TEXT.format(*SHAPE) + write_holdings(models | classifiers()), encoding="utf-8")


def classifiers() -> dict[str, ClassifierArrays]:
    """Return the smallest forest and regression on window features."""
    channels = tuple(f"{sensor}.{axis}" for sensor in ("acc", "gyr") for axis in "xyz")
    sensors = tuple(name.split(".")[0] for name in channels)
    features, classes = FeatureSet(SHAPE[0], 50.0, channels, sensors), SHAPE[2]
    trees = TreeArrays(
        features,
        roots=np.array([0], np.int32),
        feature=np.array([0, -1, -1], np.int32),
        threshold=np.zeros(3, np.float32),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        value=np.full((3, classes), 1 / classes, np.float32),
    )
    count = len(features.names)
    weights = np.zeros((count, classes), np.float32)
    zeros, ones = np.zeros(count, np.float32), np.ones(count, np.float32)
    linear = LinearArrays(features, weights, np.zeros(classes, np.float32), zeros, ones, 5.0)
    return {"forests on window features": trees, "regressions on window features": linear}


if __name__ == "__main__":
    main()
