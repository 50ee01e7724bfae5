"""Adapt a bundle to one subject in closed form: its last layer is fitted again, towards the trained weights.

A few seconds of each activity of a new subject are enough to move the borders between classes. Only the weights of the
last layer change, so an adapted bundle costs, exports and decodes as the one that it comes from. Scores of a model that
was adapted to a subject are no scores of an unseen one: they are not kept.
"""

from __future__ import annotations

from dataclasses import replace as change
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError
from ..features import LinearArrays
from ..features.window_features import compute_feature_table
from ..signals import Dataset
from ..windows import cut
from .bundle import Bundle
from .contents import MODEL
from .recordings import fit_recordings
from .windows import require_windows

#: Windows as which the trained weights count: chosen on validation subjects of HAPT and WISDM 2019.
STRENGTH = 1.0
#: Steps, each a linear system with the same matrix; further ones change nothing that can be seen.
STEPS = 10


def adapt(
    bundle: Bundle | str | Path,
    windows: ArrayLike,
    labels: ArrayLike,
    out: str | Path,
    *,
    strength: float = STRENGTH,
) -> Bundle:
    """Adapt a bundle to a subject by a few of the subject's own labelled windows.

    Args:
        bundle: of a network whose last layer is dense, or of a logistic regression; or its folder.
        windows: (n, T, D) of the subject, in the contract's units.
        labels: (n,) their classes, as numbers; -1 for windows to leave out. Not every class has to occur.
        out: folder of the adapted bundle.
        strength: windows as which the trained weights count.

    Returns:
        The adapted bundle, without scores; its provenance names the bundle that it comes from.

    Raises:
        UserError: no window has a class, the labels do not fit, the folder exists, or the model does not end
            in a dense layer.
        ContractError: the windows do not fit the contract.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.signals.simulated import generate
        >>> windows = sm.cut(generate(subjects=1, minutes=1))
        >>> network = sm.networks.build_network("mlp-small", windows.spec, seed=0)
        >>> bundle = Bundle.save("best", network, windows.spec)
        >>> mine = sm.adapt(bundle, windows.values(), windows.labels, "mine")
        >>> before, after = (each.logits(windows.values(), windows.spec).argmax(1) for each in (bundle, mine))
        >>> (before == windows.labels).mean() < (after == windows.labels).mean()
        np.True_
    """
    bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    values = require_windows(windows, bundle.spec, "windows")
    truth = np.asarray(labels)
    classes = len(bundle.spec.classes)
    if truth.shape != (len(values),) or truth.dtype.kind not in "iu" or (truth < -1).any() or (truth >= classes).any():
        raise UserError(
            f"labels must be {len(values)} whole numbers from 0 to {classes - 1}, or -1 for no class, not "
            f"{truth.dtype} {truth.shape}."
        )
    known = truth >= 0
    if not known.any():
        raise UserError("No window has a class; adapt with labelled windows of the subject.")
    values, truth = values[known], truth[known].astype(np.int64)
    counts = np.bincount(truth, minlength=classes)
    about = {
        "sha256": bundle.sha256,
        "windows": {name: int(count) for name, count in zip(bundle.spec.classes, counts, strict=True) if count},
        "strength": strength,
    }
    kept = {name: value for name, value in bundle.provenance.items() if name not in ("estimate", "versions")}
    return Bundle.save(
        out,
        _refit(bundle, values, truth, strength),
        bundle.spec,
        provenance={**kept, "adapted": about},
        decoder=bundle.decoder,
        calibration=bundle.calibration,
        golden=bundle.golden[0],
    )


def cut_labelled(
    bundle: Bundle, dataset: Dataset, *, resampled: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the windows (n, T, D) of recordings whose labels are classes of a bundle, and these classes (n,).

    Args:
        bundle: with its contract.
        dataset: labelled recordings of one subject.
        resampled: whether recordings of another rate are resampled to that of the contract.

    Returns:
        Windows and classes.

    Raises:
        UserError: recordings are of several subjects or do not fit, or no label is a class of the bundle.

    Example:
        >>> import stillmotion as sm
        >>> from stillmotion.bundles import Bundle, cut_labelled
        >>> from stillmotion.signals.simulated import generate
        >>> data = generate(subjects=1, minutes=1)
        >>> bundle = Bundle.save("best", sm.networks.build_network("mlp-small", data.spec, seed=0), data.spec)
        >>> windows, labels = cut_labelled(bundle, data)
        >>> windows.shape, bool((labels >= 0).all())
        ((37, 128, 18), True)
    """
    subjects = sorted({row["subject"] for row in dataset.index})
    if len(subjects) > 1:
        raise UserError(
            f"{dataset.name} has {len(subjects)} subjects; a bundle is adapted to one: give a table of that subject."
        )
    data = fit_recordings(dataset, bundle.spec, resampled=resampled, labelled=True)
    every = cut(data, null="keep", missing="drop")
    windows = every.take(every.labels >= 0)
    if not len(windows):
        raise UserError(
            f"No window of {dataset.name} has a label among {', '.join(bundle.spec.classes)}; its labels are "
            f"{', '.join(dataset.spec.classes) or 'none'}. Name their column with --label, or map names with --rename."
        )
    return windows.values(), np.asarray(windows.labels, np.int64)


def refit_layer(
    inputs: ArrayLike,
    weights: ArrayLike,
    bias: ArrayLike,
    labels: ArrayLike,
    *,
    strength: float = STRENGTH,
    steps: int = STEPS,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit a softmax layer again to labelled windows, towards the weights that it has.

    The penalised likelihood is maximised with the bound of Böhning (1992) on its curvature: every step solves one
    linear system with the same matrix, and the first is a ridge regression of what the layer gets wrong.

    Args:
        inputs: (n, F) of the layer.
        weights: (F, C) trained.
        bias: (C,) trained.
        labels: (n,) classes.
        strength: windows as which the trained weights count; above 0.
        steps: linear systems to solve.

    Returns:
        New weights and bias, float32.

    Raises:
        UserError: the strength is not above 0.

    Example:
        >>> import numpy as np
        >>> from stillmotion.bundles import refit_layer
        >>> weights, bias = refit_layer([[1.0], [-1.0]], np.zeros((1, 2)), np.zeros(2), [0, 1])
        >>> bool(weights[0, 0] > 0 > weights[0, 1])
        True
    """
    if not 0 < strength < np.inf:
        raise UserError(f"The strength of adaptation must be above 0 windows, not {strength}.")
    table, first = np.asarray(inputs, np.float64), np.vstack([weights, np.asarray(bias)[None]]).astype(np.float64)
    table = np.column_stack([table, np.ones(len(table))])
    penalty = strength * (table**2).sum(1).mean()
    curvature = np.linalg.inv(table.T @ table / 2 + penalty * np.eye(table.shape[1]))
    truth = np.eye(first.shape[1])[np.asarray(labels, np.int64)]
    layer = first.copy()
    for _ in range(steps):
        logits = table @ layer
        powers = np.exp(logits - logits.max(1, keepdims=True))
        wrong = truth - powers / powers.sum(1, keepdims=True)
        layer += curvature @ (table.T @ wrong - penalty * (layer - first))
    return layer[:-1].astype(np.float32), layer[-1].astype(np.float32)


def _refit(bundle: Bundle, windows: NDArray[np.float32], labels: NDArray[np.int64], strength: float) -> Any:
    """Return the model of a bundle with another last layer."""
    classifier = bundle.classifier
    if classifier is not None:
        if not isinstance(classifier, LinearArrays):
            raise UserError(f"{bundle.path} holds decision trees, which have no last layer; adapt a network.")
        inputs = classifier.scaled(compute_feature_table(windows, classifier.features))
        weights, bias = refit_layer(inputs, classifier.weights, classifier.bias, labels, strength=strength)
        return change(classifier, weights=weights, bias=bias)
    from .network import load_network, split_head

    bundle.model  # noqa: B018  The file is still the one that was opened.
    model = load_network(bundle.path / MODEL)
    body, head = split_head(model, str(bundle.path))
    inputs = np.asarray(body.predict(windows, batch_size=256, verbose=0))
    weights, bias = head.get_weights()
    head.set_weights(refit_layer(inputs, weights, bias, labels, strength=strength))
    return model
