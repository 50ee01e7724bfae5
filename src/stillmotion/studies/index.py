"""The window index of a study: all that is known of its windows but their values, kept in the study's folder.

With it a study is planned, scored and reported without its recordings.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..signals import SignalSpec
from ..windows import Fold, Windows
from ..windows.splits import SPLITS
from .outline import Outline
from .runs import Run

Rows = NDArray[np.int64]


def unlabelled(split: str) -> str:
    """Name the predictions of the windows without a class of the subjects of a split."""
    return f"{split}-unlabelled"


@dataclass(frozen=True, eq=False)
class WindowIndex:
    """Windows of a study without their values.

    Args:
        fingerprint: of the signal, the windows and the signal contract.
        spec: the signal contract.
        subjects: names of the subjects.
        subject_codes: (N,) subject of each window, as indices into ``subjects``.
        labels: (N,) class of each window; -1 for windows without one, which come last and are only decoded.
        recording: (N,) number of the recording that each window lies in.
        seconds: (N,) start of each window within its recording.
        folds: the folds that the study runs.
        leaks: findings of the audit, a sentence each; empty if the protocol has no leak.
        example: number of a validation window of the first fold that is shown in the report.
        example_values: (T, D) its values.
        scores: checksum of the file of scores that replaces a teacher network, or empty.
        teacher_spec: signal contract of privileged teachers; None without them.
        teacher_fingerprint: of the windows that they see.
        outline: of one test recording, which is shown in the report with its bouts; None without any.
    """

    fingerprint: str
    spec: SignalSpec
    subjects: tuple[str, ...]
    subject_codes: NDArray[Any]
    labels: Rows
    recording: NDArray[Any]
    seconds: NDArray[np.float64]
    folds: tuple[Fold, ...]
    leaks: tuple[str, ...]
    example: int
    example_values: NDArray[np.float32]
    scores: str = ""
    teacher_spec: SignalSpec | None = None
    teacher_fingerprint: str = ""
    outline: Outline | None = None

    @staticmethod
    def of(windows: Windows, folds: tuple[Fold, ...], leaks: tuple[str, ...], fingerprint: str) -> WindowIndex:
        """Make the index of windows."""
        begin = windows.recording_start[windows.recording]
        validation = folds[0].validation
        # The validation window with most movement.
        example = int(validation[np.argmax(windows.values(validation).std(1).mean(1))])
        return WindowIndex(
            fingerprint=fingerprint,
            spec=windows.spec,
            subjects=windows.subjects,
            subject_codes=windows.subject_codes,
            labels=np.asarray(windows.labels, np.int64),
            recording=windows.recording,
            seconds=(windows.starts - begin) / windows.spec.rate,
            folds=folds,
            leaks=leaks,
            example=example,
            example_values=windows.values([example])[0],
            outline=Outline.of(windows, folds[0]),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.spec.classes)

    def spec_of(self, run: Run) -> SignalSpec:
        """Return the signal contract of the windows that a run sees."""
        return self.teacher_spec if run.privileged and self.teacher_spec is not None else self.spec

    def rows(self, fold: int, split: str) -> Rows:
        """Return the windows of ``train``, ``validation`` or ``test`` in a fold."""
        return self.folds[fold].rows(split)

    @cached_property
    def unlabelled(self) -> Rows:
        """The windows without a class."""
        return np.flatnonzero(self.labels < 0)

    def unlabelled_rows(self, fold: int, split: str) -> Rows:
        """Return the windows without a class of the subjects of ``train``, ``validation`` or ``test`` in a fold."""
        codes = [self.subjects.index(subject) for subject in self.folds[fold].subjects(split)]
        return self.unlabelled[np.isin(self.subject_codes[self.unlabelled], codes)]

    @cached_property
    def subject_names(self) -> NDArray[np.str_]:
        """(N,) name of the subject of each window."""
        names: NDArray[np.str_] = np.asarray(self.subjects, np.str_)[self.subject_codes]
        return names

    def subjects_of(self, split: str) -> set[str]:
        """Return the subjects that are in a split of any fold."""
        return {subject for fold in self.folds for subject in fold.subjects(split)}

    def to_bytes(self) -> bytes:
        """Pack the index: arrays and a JSON text, no pickle."""
        text = {
            "fingerprint": self.fingerprint,
            "spec": self.spec.to_dict(),
            "subjects": self.subjects,
            "folds": [{split: fold.subjects(split) for split in SPLITS} for fold in self.folds],
            "leaks": self.leaks,
            "example": self.example,
            "scores": self.scores,
            "teacher_spec": None if self.teacher_spec is None else self.teacher_spec.to_dict(),
            "teacher_fingerprint": self.teacher_fingerprint,
        }
        arrays = {
            "subject_codes": self.subject_codes,
            "labels": self.labels,
            "recording": self.recording,
            "seconds": self.seconds,
            "example_values": self.example_values,
            **({} if self.outline is None else self.outline.arrays()),
        }
        for number, fold in enumerate(self.folds):
            arrays |= {f"{number}/{split}": fold.rows(split) for split in SPLITS}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, text=np.array(json.dumps(text)), **arrays)
        return buffer.getvalue()

    @staticmethod
    def from_bytes(content: bytes) -> WindowIndex:
        """Unpack what ``to_bytes`` packed; raises ``ValueError`` for anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                text = json.loads(str(file["text"]))
                folds = tuple(
                    Fold(
                        *(file[f"{number}/{split}"] for split in SPLITS),
                        *(tuple(subjects[split]) for split in SPLITS),
                    )
                    for number, subjects in enumerate(text["folds"])
                )
                columns = ("subject_codes", "labels", "recording", "seconds", "example_values")
                arrays = {name: file[name] for name in columns}
                outline = Outline.from_arrays(file)
        except (KeyError, zipfile.BadZipFile, OSError) as problem:
            raise ValueError(f"not an index of windows: {problem}") from None
        teacher = text["teacher_spec"]
        return WindowIndex(
            fingerprint=text["fingerprint"],
            spec=SignalSpec.from_dict(text["spec"]),
            subjects=tuple(text["subjects"]),
            folds=folds,
            leaks=tuple(text["leaks"]),
            example=text["example"],
            scores=text["scores"],
            teacher_spec=None if teacher is None else SignalSpec.from_dict(teacher),
            teacher_fingerprint=text["teacher_fingerprint"],
            outline=outline,
            **arrays,
        )
