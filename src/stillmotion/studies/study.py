"""Run a study, or open its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..features import register_classifier
from ..methods import Method, register_method
from ..networks import register_network
from ..signals import Dataset
from .results import Results, compute_results
from .runner import Runner
from .spec import Study, read_study
from .state import read_study_state

if TYPE_CHECKING:
    import keras

    from ..networks.own import Builder


def run_study(
    study: Study | str | Path,
    out: str | Path,
    *,
    data: str | Path | Dataset | None = None,
    networks: Mapping[str, keras.Model | Builder] | None = None,
    methods: Iterable[Method] = (),
    classifiers: Mapping[str, Any] | None = None,
    score_test: bool = False,
    ray: str = "",
    quiet: bool = False,
    continue_: bool = False,
) -> Results:
    """Train what is missing of a study and return its results.

    Args:
        study: a specification, the name of a built-in study, or a TOML file.
        out: folder of the study.
        data: folder of the recordings, or the recordings themselves (``sm.load``, ``sm.from_arrays``).
        networks: networks of one's own by the name that the study calls them: models, or functions that build one.
        methods: distillation methods of one's own; each is a variant of its name. Methods and classifiers given here
            can be named by a TOML file; a ``Study`` checks its names when it is made, so register them before that
            (``methods.register_method``, ``features.register_classifier``).
        classifiers: feature classifiers of one's own, as scikit-learn has them, by the name that ``baselines`` calls
            them.
        score_test: evaluate on the test subjects after selection; each evaluation is logged.
        ray: address of a Ray cluster.
        quiet: print nothing.
        continue_: whether the study may extend the one in the folder (seeds, variants, folds, trials), and use
            recordings that have changed.

    Returns:
        The results, a row for each variant, baseline and teacher.

    Raises:
        UserError: the folder belongs to another study; the message names the differences.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> from stillmotion.studies import Networks, Split, Study, Training
        >>> values = np.random.default_rng(0).normal(size=(60, 20, 3))
        >>> data = sm.from_arrays(
        ...     values, np.arange(60) % 2, np.arange(60) // 10, rate=20, channels=["acc.x", "acc.y", "acc.z"]
        ... )
        >>> study = Study(
        ...     name="tiny",
        ...     variants=("lm",),
        ...     compare=(),
        ...     seeds=1,
        ...     controls=False,
        ...     baselines=("majority",),
        ...     split=Split("subjects:3", folds=1),
        ...     networks=Networks("mlp-small"),
        ...     training=Training(epochs=1),
        ... )
        >>> results = sm.run_study(study, "tiny", data=data, quiet=True)
        >>> [(row.variant, row.parameters) for row in results.rows]
        [('lm', 3074), ('majority', None)]
    """
    for name, network in (networks or {}).items():
        register_network(network, name)
    for method in methods:
        register_method(method)
    for name, classifier in (classifiers or {}).items():
        register_classifier(name, classifier)
    specification = study if isinstance(study, Study) else read_study(study)
    recordings = data if data is None or isinstance(data, Dataset) else Path(data)
    with Runner(specification, Path(out), data=recordings, quiet=quiet, ray=ray, more=continue_) as runner:
        return runner.run(score_test=score_test)


def open_study(folder: str | Path) -> Results:
    """Return the results in the folder of a study; it needs no recordings, trains nothing and writes nothing.

    Args:
        folder: of the study, finished or not.

    Returns:
        The results so far.

    Raises:
        UserError: the folder holds no study, or is damaged.

    Example:
        After the example of ``run_study``:

        >>> from stillmotion.studies import open_study
        >>> results = open_study("tiny")
        >>> [row.variant for row in results.rows], results.complete
        (['lm', 'majority'], True)
    """
    with read_study_state(folder) as state:
        return compute_results(state)
