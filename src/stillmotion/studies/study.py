"""Run a study, or open its results."""

from __future__ import annotations

from pathlib import Path

from .runner import Runner
from .spec import Study, read_study
from .state import read_study_state
from .table import Results


def run_study(
    study: Study | str | Path,
    out: str | Path,
    *,
    data: str | Path | None = None,
    score_test: bool = False,
    ray: str = "",
    quiet: bool = False,
    continue_: bool = False,
) -> Results:
    """Train what is missing of a study and return its results.

    Args:
        study: a specification, the name of a built-in study, or a TOML file.
        out: folder of the study.
        data: folder of the recordings.
        score_test: evaluate on the test subjects after selection; each evaluation is logged.
        ray: address of a Ray cluster.
        quiet: print nothing.
        continue_: whether the study may extend the one in the folder (seeds, variants, folds, trials), and use
            recordings that have changed.

    Raises:
        UserError: if the folder belongs to another study; the message names the differences.
    """
    specification = study if isinstance(study, Study) else read_study(study)
    folder = None if data is None else Path(data)
    with Runner(specification, Path(out), data=folder, quiet=quiet, ray=ray, more=continue_) as runner:
        return runner.run(score_test=score_test)


def open_study(folder: str | Path, *, data: str | Path | None = None) -> Results:
    """Return the results in the folder of a study without training."""
    record = read_study_state(folder, data=data)
    record.store.close()
    return record.results
