"""Check that a folder belongs to a study. The specification in its store is authoritative and can be extended."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataWarning, UserError
from ..files import atomic_write
from . import toml_io
from .index import WindowIndex
from .own import restore_own
from .spec import Study, study_of
from .store import Store

#: Maximum number of differences in a message.
SHOWN = 8
#: Keys that may change because they change no run.
FREE = (
    "name",
    "variants",
    "compare",
    "controls",
    "baselines",
    "score-test",
    "budget",
    "training.replicas",
    "teaching.training.replicas",
    "training.refit",
    "ship",
)


def recorded_study(store: Store) -> Study:
    """Read the specification in the store of a folder."""
    text = store.about().get("study")
    if text is None:
        raise UserError(f"{store.folder} contains no study yet; run still study first.")
    restore_own(store.about().get("own", {}))
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UserError(f"{store.path} is damaged ({problem}); restore it from a backup.") from None
    return study_of(tables, f"the specification in {store.path}")


def differences(old: Study, new: Study) -> dict[str, tuple[Any, Any]]:
    """Return the keys in which two specifications differ, with both values; None for a missing key."""
    first, second = (toml_io.flat(toml_io.to_table(each)) for each in (old, new))
    keys = dict.fromkeys([*first, *second])
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}


def require_same_study(store: Store, study: Study, *, more: bool = False) -> None:
    """Raise ``UserError`` unless a folder is empty or belongs to this study.

    Args:
        store: of the folder.
        study: the study to run there.
        more: whether the study may extend the one in the folder.
    """
    if "study" not in store.about():
        return
    old = recorded_study(store)
    changes = differences(old, study)
    if not changes:
        return
    folder, text = store.folder, describe_changes(changes)
    if not more:
        raise UserError(
            f"{folder} belongs to another study: {text}. Use another folder with --out, or extend the study in it "
            f"with --continue."
        )
    fixed = {key: why for key in changes if (why := _why_fixed(key, old, study))}
    if fixed:
        why = "; ".join(f"{key} {reason}" for key, reason in fixed.items())
        raise UserError(
            f"--continue can only extend the study of {folder}, but {text}. Not possible: {why}. Use another folder "
            f"with --out."
        )


def require_folder(folder: Path, study: Study, *, more: bool = False) -> None:
    """Check a folder like ``require_same_study`` if it exists."""
    if (folder / "runs.sqlite").is_file():
        with closing(Store(folder, write=False)) as store:
            require_same_study(store, study, more=more)


def take_folder(store: Store, study: Study, index: WindowIndex, *, more: bool = False) -> None:
    """Write the specification to the store of a folder before training, or raise ``UserError``.

    Args:
        store: of the folder.
        study: the study to run there.
        index: its windows.
        more: whether the study may extend the one in the folder, and use data that have changed.
    """
    text, data = study.to_toml(), index.fingerprint
    kept = store.claim(text, index)
    while kept != (text, data):
        require_same_study(store, study, more=more)
        if kept[1] != data and not more:
            raise UserError(
                f"The windows of {study.data.name} differ from those that {store.folder} was trained with (fingerprint "
                f"{data[:16]}, was {kept[1][:16]}): give the folder of the original recordings with --data, or train "
                f"all runs again with --continue."
            )
        if kept[1] != data:
            warnings.warn(
                f"The windows of {study.data.name} have changed (fingerprint {data[:16]}, was {kept[1][:16]}): all "
                f"runs are trained again. Earlier runs stay in {store.path}, but are ignored.",
                DataWarning,
                stacklevel=2,
            )
        kept = store.claim(text, index, over=kept)
    warn_of_edits(store.folder, study)
    path = store.folder / "study.toml"
    if not path.is_file() or path.read_bytes() != text.encode():
        atomic_write(path, text)


def require_still_own(store: Store, study: Study, data: str) -> None:
    """Raise ``UserError`` if another process has changed the study of the folder, or its data, in the meantime."""
    changes = differences(study, recorded_study(store))
    known = store.about()["data"]
    if known != data:
        changes["the fingerprint of its windows"] = (data[:16], known[:16])
    if changes:
        raise UserError(
            f"Another process has changed the study of {store.folder} during this run: {describe_changes(changes)}. "
            f"Finished training is kept; run the study again with the new specification."
        )


def describe_changes(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Describe differences, with new and old values."""
    parts = [f"{key} is {_short(now)} and was {_short(was)}" for key, (was, now) in changes.items()]
    more = [f"and {len(parts) - SHOWN} more"] if len(parts) > SHOWN else []
    return "; ".join([*parts[:SHOWN], *more])


def _why_fixed(key: str, old: Study, new: Study) -> str:
    """Return why a key of a study cannot change, empty if it can."""
    search, later = old.search, new.search
    if key in FREE or key.startswith("decoding."):
        return ""
    if key.startswith("baseline."):
        name = key.split(".")[1]
        kept = name not in old.baseline or old.baseline[name] == new.baseline.get(name, old.baseline[name])
        return "" if kept else "changes an existing baseline; give the new one another name"
    if key.startswith("variant."):
        same = set(old.all_variants) & set(new.all_variants)
        changed = [n for n in same if replace(old.all_variants[n], title="") != replace(new.all_variants[n], title="")]
        other = [name for name in changed if key.startswith(f"variant.{name}.")]
        return "changes an existing variant; give the new one another name" if other else ""
    if key == "seeds":
        return "" if new.seeds > old.seeds else "must not be reduced"
    if key == "split.folds":
        return "" if old.split.folds and not 0 < new.split.folds < old.split.folds else "must not be reduced"
    if key == "search.trials" and search.kind == later.kind == "optuna" and later.rounds == 1:
        return "" if later.trials > search.trials else "must not be reduced"
    if key.startswith("search.grid.") and search.kind == later.kind == "grid" and not (search.trials or later.trials):
        name = key.removeprefix("search.grid.")
        here = name in search.grid and name in later.grid
        return "" if here and set(search.grid[name]) <= set(later.grid[name]) else "must keep all values"
    drawn = ("search.kind", "search.trials", "search.sampler", "search.rounds", "search.seed")
    if key in drawn and search.kind == "none" and later.kind == "optuna":
        return ""  # The runs trained so far are the first trial of each variant.
    return "changes all existing runs"


def warn_of_edits(folder: Path, study: Study) -> None:
    """Warn if ``study.toml`` differs from the specification in the store, since edits of it are ignored."""
    path = folder / "study.toml"
    if not path.is_file() or path.read_bytes() == study.to_toml().encode():
        return
    try:
        edited = study_of(toml_io.read_toml(path), str(path))
        text = describe_changes(differences(study, edited))
    except UserError as problem:
        text = str(problem)
    if text:
        warnings.warn(
            f"Ignoring edits of {path}: the specification of {folder} is in its store ({text}).",
            DataWarning,
            stacklevel=3,
        )


def _short(value: Any) -> str:
    text = "not set" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:80]} …"
