"""What the sections of a specification can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, get_args

from ..errors import UnknownName, UserError
from ..training import PUBLISHED, Recipe

Source = Literal["none", "plain", "attention", "self", "assistant"]
Targets = Literal["in-sample", "cross-fit"]
SearchKind = Literal["none", "grid", "optuna"]


@dataclass(frozen=True)
class Range:
    """Where a number is searched: from ``low`` to ``high``, by factors when ``log``; ``start`` is the first try."""

    low: float
    high: float
    log: bool = False
    start: float | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise UserError(f"A range goes from {self.low:g} to {self.high:g}: its ends are turned around.")
        if self.log and self.low <= 0:
            raise UserError(f"A range by factors starts above 0, not at {self.low:g}.")
        if self.start is not None and not self.low <= self.start <= self.high:
            raise UserError(f"start {self.start:g} lies outside {self.low:g} … {self.high:g}.")


@dataclass(frozen=True)
class Material:
    """``[data]``: which recordings, cut how; what is not said is the data set's own.

    Args:
        name: a data set, or a path to a table.
        sensors: sensors to keep, such as ``wrist.acc,wrist.gyr``.
        rate: resample to this many Hz.
        window, hop: in samples.
        classes: classes to keep.
    """

    name: str = "simulated"
    sensors: str = ""
    rate: float = 0.0
    window: int = 0
    hop: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Privileged:
    """``[privileged]``: what teachers see and students do not; what is not said is as students see it.

    Args:
        sensors: in place of the students', such as ``wrist,pocket``.
        rate: in place of theirs, in Hz.
        before, after: seconds before and after the student's window, such as the future of one that must not wait.
    """

    sensors: str = ""
    rate: float = 0.0
    before: float = 0.0
    after: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rate", "before", "after"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} in [privileged] must be 0 or more, not {getattr(self, name)}.")

    def __bool__(self) -> bool:
        return self != Privileged()


@dataclass(frozen=True)
class Split:
    """``[split]``: protocol, seed, the share of training people who choose, and how many of the folds run (0: all)."""

    protocol: str = "subjects:5"
    seed: int = 0
    validation: float = 0.2
    folds: int = 0


@dataclass(frozen=True)
class Networks:
    """``[networks]``: who learns and who teaches.

    Args:
        student: name of the student's network.
        teacher: names of teachers' networks (the mean of several teaches), or a file of somebody's scores.
        attention: blocks of attention, see ``networks.parse_attention``; several are searched, ``published`` stands for
            the sources' 60.
        recurrence: of the DeepConvLSTM networks.
    """

    student: str = "deepconvlstm-lm"
    teacher: tuple[str, ...] = ("deepconvlstm-om",)
    attention: tuple[str, ...] = ("channel:r=2,spatial:k=5,after=2",)
    recurrence: str = ""


@dataclass(frozen=True)
class Training:
    """``[training]`` and ``[teaching.training]``: a recipe and the optimiser's numbers; what is not said is default.

    ``augment`` are strengths by kind; ``replicas`` how many train together (0: chosen).
    """

    batch: int | None = None
    epochs: int | None = None
    patience: int | None = None
    select: str | None = None
    schedule: str | None = None
    warmup: float | None = None
    imbalance: str | None = None
    augment: Mapping[str, float] | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    clip: float | None = None
    average: float | None = None
    replicas: int = 0

    def over(self, base: Training) -> Training:
        """This, and where it says nothing ``base``."""
        said = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(base, **{name: value for name, value in said.items() if value is not None})

    def recipe(self, *, published: bool = False) -> Recipe:
        """The recipe, over the sources' where ``published``."""
        names = [part.name for part in fields(Recipe) if part.name != "augment"]
        said = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(PUBLISHED if published else Recipe(), augment=tuple(self.augment or ()), **said)

    @property
    def numbers(self) -> dict[str, float]:
        """Numbers of the optimiser and the augmentation."""
        names = ("learning_rate", "weight_decay", "clip", "average")
        said = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {**said, **(self.augment or {})}


@dataclass(frozen=True)
class Teaching:
    """``[teaching]``: how teachers are made and asked.

    Args:
        seeds: teachers a fold; the mean of several teaches.
        targets: ``in-sample``, or ``cross-fit``: a training person's teachers did not train on that person.
        groups: groups of people of ``cross-fit``.
        training: what differs from ``[training]``.
    """

    seeds: int = 1
    targets: str = "in-sample"
    groups: int = 3
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        if self.targets not in get_args(Targets):
            raise UnknownName("targets", self.targets, list(get_args(Targets)))
        if self.seeds < 1:
            raise UserError(f"seeds in [teaching] must be at least 1, not {self.seeds}.")
        if self.groups < 2:
            raise UserError(f"groups in [teaching] must be at least 2, not {self.groups}.")


@dataclass(frozen=True)
class Search:
    """``[search]``: how every variant looks for its numbers, all with the same number of tries.

    Args:
        kind: ``none`` takes the defaults, ``grid`` all combinations of ``grid``, ``optuna`` draws from the ranges.
        tries: so many a variant and fold (for ``grid`` 0 means the largest variant's).
        sampler: of Optuna: ``random``, ``qmc`` (even over the ranges) or ``tpe`` (learns from earlier rounds).
        rounds: the tries are trained in so many rounds; a learning sampler needs more than one.
        seed: of the draws.
        numbers: ranges of numbers that all variants have (``learning_rate``), or in place of a method's own.
        grid: values by number.
    """

    kind: str = "none"
    tries: int = 0
    sampler: str = "random"
    rounds: int = 1
    seed: int = 0
    numbers: Mapping[str, Range] = field(default_factory=dict)
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(SearchKind):
            raise UnknownName("kind of search", self.kind, list(get_args(SearchKind)))
        if self.sampler not in ("random", "qmc", "tpe"):
            raise UnknownName("sampler", self.sampler, ["random", "qmc", "tpe"])
        if self.kind == "optuna" and self.tries < 1:
            raise UserError(f"tries in [search] must be at least 1 with kind 'optuna', not {self.tries}.")
        if self.kind == "grid" and not self.grid:
            raise UserError("A grid search needs values: [search.grid] with a list for each number.")
        if self.rounds < 1 or self.rounds > max(1, self.tries):
            raise UserError(f"rounds in [search] must lie between 1 and the tries ({self.tries}), not {self.rounds}.")
