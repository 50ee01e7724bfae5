"""Whose folder it is: a study's, whose specification of record is in its store, and what may be added to that."""

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
from .spec import Study, study_of
from .store import Store

#: Differences that a message shows.
SHOWN = 8
#: What may change without any run becoming another: words, what is compared, what joins, how many train together.
FREE = (
    "name",
    "variants",
    "compare",
    "controls",
    "baselines",
    "score-test",
    "training.replicas",
    "teaching.training.replicas",
)


def recorded_study(store: Store) -> Study:
    """The specification of record of a folder."""
    text = store.about().get("study")
    if text is None:
        raise UserError(f"{store.folder} holds no study: none has been begun there.")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UserError(f"{store.path} is damaged ({problem}); restore it from a copy.") from None
    return study_of(tables, f"the specification of record in {store.path}")


def differences(old: Study, new: Study) -> dict[str, tuple[Any, Any]]:
    """Keys in which two specifications differ, with both values; None where one says nothing."""
    mine, its = (toml_io.flat(toml_io.to_table(each)) for each in (old, new))
    keys = dict.fromkeys([*mine, *its])
    return {key: (mine.get(key), its.get(key)) for key in keys if mine.get(key) != its.get(key)}


def require_same_study(store: Store, study: Study, *, more: bool = False) -> None:
    """Raise ``UserError`` unless a folder is this study's, or nobody's.

    Args:
        store: of the folder.
        study: what is to run there.
        more: whether the study may be one that adds to the folder's.
    """
    if "study" not in store.about():
        return
    old = recorded_study(store)
    changes = differences(old, study)
    if not changes:
        return
    folder, text = store.folder, shown(changes)
    if not more:
        raise UserError(
            f"{folder} belongs to another study: {text}. Name another folder with --out, or add to this one's study "
            f"with --continue."
        )
    barred = {key: why for key in changes if (why := _barred(key, old, study))}
    if barred:
        why = "; ".join(f"{key} {reason}" for key, reason in barred.items())
        raise UserError(
            f"--continue adds to a study, and cannot change {folder} so: {text}. Of these {why}. Name another folder "
            f"with --out."
        )


def require_folder(folder: Path, study: Study, *, more: bool = False) -> None:
    """The same of a folder that may not be there yet."""
    if (folder / "runs.sqlite").is_file():
        with closing(Store(folder)) as store:
            require_same_study(store, study, more=more)


def take_folder(store: Store, study: Study, data: str, leaks: tuple[str, ...], *, more: bool = False) -> None:
    """Make a folder this study's before anything is trained in it, or raise ``UserError``.

    Args:
        store: of the folder.
        study: what is to run there.
        data: fingerprint of its windows.
        leaks: what the audit found in them.
        more: whether the study may add to the folder's, and take data that have changed.
    """
    text = study.to_toml()
    kept = store.claim(text, data, leaks)
    while kept != (text, data):
        require_same_study(store, study, more=more)
        if kept[1] != data and not more:
            raise UserError(
                f"The windows of {study.data.name} are not those that {store.folder} was made with (fingerprint "
                f"{data[:16]}, and was {kept[1][:16]}): name the folder of those recordings with --data, or make all "
                f"runs anew with --continue."
            )
        if kept[1] != data:
            warnings.warn(
                f"The windows of {study.data.name} have changed (fingerprint {data[:16]}, and was {kept[1][:16]}): all "
                f"runs are made anew. Earlier ones stay in {store.path}, and no longer count.",
                DataWarning,
                stacklevel=2,
            )
        kept = store.claim(text, data, leaks, over=kept)
    warn_of_edits(store.folder, study)
    path = store.folder / "study.toml"
    if not path.is_file() or path.read_bytes() != text.encode():
        atomic_write(path, text)


def require_still_own(store: Store, study: Study, data: str) -> None:
    """Raise ``UserError`` when another run has changed the folder's study, or its data, in the meantime."""
    changes = differences(study, recorded_study(store))
    known = store.about()["data"]
    if known != data:
        changes["the fingerprint of its windows"] = (data[:16], known[:16])
    if changes:
        raise UserError(
            f"Another run has changed the study of {store.folder} while this one was at work there: {shown(changes)}. "
            f"What was trained is kept; run the study as it is now."
        )


def shown(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Differences in words: what was, and what is now."""
    parts = [f"{key} is {_short(now)} and was {_short(was)}" for key, (was, now) in changes.items()]
    more = [f"and {len(parts) - SHOWN} more"] if len(parts) > SHOWN else []
    return "; ".join([*parts[:SHOWN], *more])


def _barred(key: str, old: Study, new: Study) -> str:
    """Why a key of a folder's study cannot change, nothing where it can."""
    search, later = old.search, new.search
    if key in FREE:
        return ""
    if key.startswith("variant."):
        same = set(old.all_variants) & set(new.all_variants)
        changed = [n for n in same if replace(old.all_variants[n], title="") != replace(new.all_variants[n], title="")]
        other = [name for name in changed if key.startswith(f"variant.{name}.")]
        return "makes a variant another one, which needs a name of its own" if other else ""
    if key == "seeds":
        return "" if new.seeds > old.seeds else "must not become fewer"
    if key == "split.folds":
        return "" if old.split.folds and not 0 < new.split.folds < old.split.folds else "must not become fewer"
    if key == "search.trials" and search.kind == later.kind == "optuna" and later.rounds == 1:
        return "" if later.trials > search.trials else "must not become fewer"
    if key.startswith("search.grid.") and search.kind == later.kind == "grid" and not (search.trials or later.trials):
        name = key.removeprefix("search.grid.")
        here = name in search.grid and name in later.grid
        return "" if here and set(search.grid[name]) <= set(later.grid[name]) else "must keep all of its values"
    drawn = ("search.kind", "search.trials", "search.sampler", "search.rounds", "search.seed")
    if key in drawn and search.kind == "none" and later.kind == "optuna":
        return ""  # What was trained so far is the first trial of each variant.
    return "makes other runs of all that there are"


def warn_of_edits(folder: Path, study: Study) -> None:
    """Warn of a ``study.toml`` that is not the folder's specification of record, and so does not count."""
    path = folder / "study.toml"
    if not path.is_file() or path.read_bytes() == study.to_toml().encode():
        return
    try:
        edited = study_of(toml_io.read_toml(path), str(path))
        text = shown(differences(study, edited))
    except UserError as problem:
        text = str(problem)
    if text:
        warnings.warn(
            f"{path} was edited, and does not count: what {folder} is made with is kept in its store ({text}).",
            DataWarning,
            stacklevel=3,
        )


def _short(value: Any) -> str:
    text = "not said" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:80]} …"
