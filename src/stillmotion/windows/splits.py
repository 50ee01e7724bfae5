"""Folds of windows into training, validation and test: saved, loaded, compared."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import atomic_path
from ..signals.recording import Note
from .stretches import Rows
from .windows import Windows

SPLITS = ("train", "validation", "test")
VERSION = 1
#: Other names of protocols; they are accepted everywhere and shown as the name on the right.
ALIASES = {"published": "random"}


def resolve_protocol(name: str) -> str:
    """Replace a protocol's alias by its name; any other name stays."""
    return ALIASES.get(name, name)


@dataclass(frozen=True, eq=False)
class Fold:
    """One division into training, validation and test: the windows' numbers, ascending, and their subjects."""

    train: Rows
    validation: Rows
    test: Rows
    train_subjects: tuple[str, ...]
    validation_subjects: tuple[str, ...]
    test_subjects: tuple[str, ...]

    def rows(self, name: str) -> Rows:
        """Return the numbers of the windows of ``train``, ``validation`` or ``test``."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def subjects(self, name: str) -> tuple[str, ...]:
        """Return the subjects of ``train``, ``validation`` or ``test``."""
        subjects = {"train": self.train_subjects, "validation": self.validation_subjects, "test": self.test_subjects}
        return subjects[name]


@dataclass(frozen=True, eq=False)
class Splits:
    """The folds of one protocol over one set of windows. Made by ``make_splits``.

    Args:
        dataset: the data set's name.
        protocol: its name; an alias (``published``) is replaced by it (``random``).
        seed: the seed they were made with.
        fingerprint: that of the windows they belong to.
        windows: how many windows there are.
        folds: the folds.
        notes: remarks on the folds, with counts.
    """

    dataset: str
    protocol: str
    seed: int
    fingerprint: str
    windows: int
    folds: tuple[Fold, ...]
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", resolve_protocol(self.protocol))

    def __len__(self) -> int:
        return len(self.folds)

    def require_of(self, windows: Windows) -> None:
        """Raise ``UserError`` unless these splits belong to ``windows``."""
        if self.fingerprint != windows.fingerprint:
            raise UserError(
                f"The splits ({self.protocol}, {self.windows} windows of {self.dataset}) belong to other windows than "
                f"the {len(windows)} of {windows.dataset} given; make them again with make_splits(windows, …)."
            )

    def split_codes(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        """Return the split of each window as a table (folds, windows): 0 train, 1 validation, 2 test, -1 none."""
        table = np.full((len(self.folds), self.windows), -1, np.int8)
        for row, fold in zip(table, self.folds, strict=True):
            for code, name in enumerate(SPLITS):
                row[fold.rows(name)] = code
        return table

    def save(self, path: str | Path) -> None:
        """Save to one ``.npz`` file, atomically: the table of splits and a JSON text, no pickle."""
        path = Path(path)
        about = {
            "version": VERSION,
            "dataset": self.dataset,
            "protocol": self.protocol,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
            "subjects": [{name: fold.subjects(name) for name in SPLITS} for fold in self.folds],
            "notes": [asdict(note) for note in self.notes],
        }
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, sides=self.split_codes(), about=np.array(json.dumps(about)))

    @classmethod
    def load(cls, path: str | Path) -> Splits:
        """Load a file that ``save`` wrote."""
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                table, about = file["sides"], json.loads(str(file["about"]))
            if about["version"] != VERSION:
                raise UserError(f"{path} holds splits of version {about['version']}; this program reads {VERSION}.")
            folds = tuple(
                Fold(
                    np.flatnonzero(row == 0),
                    np.flatnonzero(row == 1),
                    np.flatnonzero(row == 2),
                    *(tuple(subjects[name]) for name in SPLITS),
                )
                for row, subjects in zip(table, about["subjects"], strict=True)
            )
            return cls(
                dataset=about["dataset"],
                protocol=about["protocol"],
                seed=about["seed"],
                fingerprint=about["fingerprint"],
                windows=table.shape[1],
                folds=folds,
                notes=tuple(Note(**note) for note in about["notes"]),
            )
        except FileNotFoundError:
            raise UserError(f"There is no file {path}; write one with Splits.save.") from None
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise UserError(
                f"{path} is not a whole file of splits ({error}); write it again with Splits.save."
            ) from None


def differences(first: Splits, second: Splits) -> tuple[str, ...]:
    """Describe how two divisions into splits differ.

    Args:
        first: splits.
        second: other splits, of the same data set or not.

    Returns:
        One sentence per difference; empty when they are the same.

    Example:
        >>> import numpy as np
        >>> import stillmotion as sm
        >>> X = np.random.default_rng(0).normal(size=(40, 50, 3))
        >>> subjects = np.arange(40) // 10
        >>> data = sm.from_arrays(X, np.arange(40) % 2, subjects, rate=25, channels=["acc.x", "acc.y", "acc.z"])
        >>> windows = sm.cut(data)
        >>> from stillmotion.windows import differences
        >>> differences(sm.make_splits(windows, "loso"), sm.make_splits(windows, "loso", seed=1))[0]
        'seed: 0 against 1.'
    """
    lines = [
        f"{name}: {left} against {right}."
        for name, left, right in (
            ("data set", first.dataset, second.dataset),
            ("protocol", first.protocol, second.protocol),
            ("seed", first.seed, second.seed),
            ("windows", f"{first.windows} ({first.fingerprint})", f"{second.windows} ({second.fingerprint})"),
            ("folds", len(first), len(second)),
        )
        if left != right
    ]
    if first.fingerprint != second.fingerprint or len(first) != len(second):
        return tuple(lines)
    for number, (left, right) in enumerate(zip(first.split_codes(), second.split_codes(), strict=True)):
        moved = int(np.count_nonzero(left != right))
        if moved:
            lines.append(f"fold {number}: {moved} of {first.windows} windows are in another split.")
    return tuple(lines)
