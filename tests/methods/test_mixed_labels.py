"""Mixed labels (mixup) in every method: cross-entropies use the shares, other terms the class of the larger share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stillmotion.methods import METHODS
from stillmotion.methods.classes import own_class

from .by_hand import labels
from .test_arrows import CASES, Loops, traced

PAGES = Path(__file__).parents[2] / "docs" / "methods"
#: Terms that are cross-entropies with the labels, of logits or of classifiers on features.
CROSS_ENTROPIES = {"cross_entropy", "teacher_cross_entropy", "auxiliary", "ensemble"}


def test_a_mixed_label_s_class_is_the_one_with_the_larger_share_and_of_equal_shares_the_first():
    batch = labels(4, 3)._replace(targets=np.float32([[0.2, 0.7, 0.1], [0.5, 0, 0.5], [0, 0, 1], [0.1, 0.45, 0.45]]))
    np.testing.assert_array_equal(np.argmax(own_class(batch), -1), [1, 0, 2, 1])


@pytest.mark.parametrize("name", [name for name in METHODS if name != "hmkd"])
def test_labels_teach_by_cross_entropies_and_by_terms_that_take_the_larger_share_and_the_page_says_so(name):
    """The loops are those that every objective equals, with certain labels and with mixed ones."""
    labelled = {term.name for term in traced(name, *CASES[name][1]) if "labels" in dict(term.arrows)}
    own = labelled - CROSS_ENTROPIES
    assert bool(own) == (name in ("dkd", "nkd", "ofa", "crd"))
    assert ("with a mixed label (mixup)" in (PAGES / f"{name}.md").read_text(encoding="utf-8")) == bool(own)
    loops = Loops(name)
    size, classes = loops.batch.targets.shape
    mixed = np.random.default_rng(3).dirichlet(np.ones(classes), size)
    certain = np.eye(classes)[np.argmax(mixed, 1)]
    by_mixed, by_certain = (
        loops.loops(
            loops.batch._replace(targets=targets), *loops.trees.values(), loops.hyperparameters, loops.aux_params
        )
        for targets in (mixed, certain)
    )
    for term, value in by_mixed.items():
        assert (value == pytest.approx(by_certain[term])) == (term not in labelled & CROSS_ENTROPIES)
