"""A study by a few plain calls."""

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
    """Do what is missing of a study, then its table.

    Args:
        study: a specification, the name of a built-in one, or a TOML file.
        out: its folder.
        data: the folder that holds recordings.
        score_test: score the test subjects, once selection is done; every look is logged.
        ray: address of a Ray cluster.
        quiet: show nothing.
        continue_: the study may add to the one that the folder belongs to (seeds, variants, folds, trials), and take
            recordings that have changed.

    Raises:
        UserError: for a folder that belongs to another study; the message names what differs.
    """
    specification = study if isinstance(study, Study) else read_study(study)
    folder = None if data is None else Path(data)
    with Runner(specification, Path(out), data=folder, quiet=quiet, ray=ray, more=continue_) as runner:
        return runner.run(score_test=score_test)


def open_study(folder: str | Path, *, data: str | Path | None = None) -> Results:
    """The table of a study's folder as it stands; nothing is trained."""
    record = read_study_state(folder, data=data)
    record.store.close()
    return record.results
