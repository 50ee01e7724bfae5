"""The windows on which the exported forms of a study's bundle are compared: those of its fold's test subjects."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundles import Bundle
from ..errors import UserError
from ..signals.recording import Dataset
from .data import load_study_data
from .state import StudyState, read_study_state
from .store import Store


@dataclass(frozen=True, eq=False)
class FoldWindows:
    """Windows of subjects with their classes.

    Args:
        values: (n, time, channels).
        labels: (n,) their classes; None where the model was trained on these subjects, so that scores would flatter it.
        subjects: (n,) their subjects.
        about: a sentence: whose windows they are.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    subjects: NDArray[np.str_]
    about: str


def read_fold_windows(bundle: Bundle, folder: str | Path, *, data: str | Path | Dataset | None = None) -> FoldWindows:
    """Read the windows of the test subjects of a bundle's fold, from its study and the recordings.

    Test subjects of a study that was not scored stay unread. Reading them is logged in the study as a test-set
    evaluation.

    Args:
        bundle: a bundle of the study.
        folder: of the study.
        data: the folder that holds recordings, or the recordings themselves.

    Returns:
        The windows; for ``best`` of a study that ships, which is fitted to all subjects, the test windows of all folds,
        without classes.

    Raises:
        UserError: the bundle or the recordings are not the study's, or its test subjects were not evaluated.

    Example:
        After the example of ``run_study``, once its test subjects are evaluated:

        >>> from stillmotion.bundles import Bundle
        >>> from stillmotion.studies import read_fold_windows
        >>> results = sm.run_study(study, "tiny", data=data, quiet=True, score_test=True)
        >>> windows = read_fold_windows(Bundle.open("tiny/models/lm"), "tiny", data=data)
        >>> windows.values.shape, sorted(set(windows.subjects.tolist()))
        ((20, 20, 3), ['4', '5'])
    """
    folder, provenance = Path(folder), bundle.provenance
    with read_study_state(folder) as state:
        _require_own(bundle, state)
        study, index = state.study, state.index
        fold, run = provenance.get("fold"), str(provenance.get("run"))
        scored = state.tested if fold is None else run in state.store.predicted("test")
        if not scored:
            raise UserError(
                f"The test subjects of {folder} have not been evaluated with this model, so its forms are not compared "
                f"on them: run still study … --score-test first."
            )
    study_data = load_study_data(study, data=data if data is None or isinstance(data, Dataset) else Path(data))
    if study_data.index.fingerprint != index.fingerprint:
        raise UserError(
            f"The windows of {study.data.name} differ from those of {folder} (fingerprint "
            f"{study_data.index.fingerprint[:16]}, was {index.fingerprint[:16]}); give the folder of the original "
            f"recordings with --data."
        )
    folds = range(len(index.folds)) if fold is None else [int(fold)]
    rows = np.unique(np.concatenate([index.rows(each, "test") for each in folds]))
    names = index.subject_names[rows]
    count = len(set(names.tolist()))
    with closing(Store(folder)) as store:
        store.log_test_evaluation(1, count, "forms of a bundle")
    whose = f"{len(rows)} windows of {count} test subjects of {study.name} ({study.split.protocol}"
    about = f"{whose}, fold {fold}), none of them seen in training."
    if fold is None:
        about = f"{whose}, all folds). This model was trained on them, so it has no scores here, only agreement."
    labels = None if fold is None else index.labels[rows]
    return FoldWindows(np.asarray(study_data.windows.values(rows), np.float32), labels, names, about)


def _require_own(bundle: Bundle, state: StudyState) -> None:
    """Raise ``UserError`` unless a bundle's data are those of a study."""
    data: Any = bundle.provenance.get("data")
    known = data.get("fingerprint") if isinstance(data, dict) else None
    if known != state.index.fingerprint or bundle.spec.to_dict() != state.index.spec.to_dict():
        raise UserError(
            f"{bundle.path} is not of the study in {state.folder}: its data have the fingerprint {str(known)[:16]}, "
            f"those of the study {state.index.fingerprint[:16]}; give the bundle's own study with --study."
        )
