"""What the sections of a specification can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal, get_args

from ..errors import UnknownName, UserError
from ..limits import PART, SEED, Limits
from ..training import PUBLISHED, Recipe
from ..training.recipe import RECIPE_LIMITS
from ..windows.augment import check_kinds
from . import toml_io as written

Source = Literal["none", "plain", "attention", "self", "assistant"]
Targets = Literal["in-sample", "cross-fit"]
SearchKind = Literal["none", "grid", "optuna"]
#: In Hz; 0 stands for the data set's own.
RATE = Limits(0.1, 100_000, zero=True)
#: In samples; 0 stands for the data set's own.
SAMPLES = Limits(0, 1_000_000)
SECONDS = Limits(0, 1e6)
#: Networks that are trained alike but for their seeds, folds or groups.
REPEATS = Limits(1, 10_000)
#: Strength of an augmentation, which 1 makes as large as the signal.
STRENGTH = Limits(0, 100)


@dataclass(frozen=True)
class Range:
    """Where a number is searched: from ``low`` to ``high``, by factors when ``log``; ``start`` is the first trial."""

    low: float
    high: float
    log: bool = False
    start: float | None = None

    def __post_init__(self) -> None:
        written.check(self, "a range")
        if not self.low <= self.high:
            raise UserError(f"A range goes from low {self.low:g} to high {self.high:g}: its ends are turned around.")
        if self.log and self.low <= 0:
            raise UserError(f"A range by factors (log) starts above 0, not at low {self.low:g}.")
        if self.start is not None and not self.low <= self.start <= self.high:
            raise UserError(f"start {self.start:g} lies outside of low {self.low:g} and high {self.high:g}.")


@dataclass(frozen=True)
class Data:
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
    rate: Annotated[float, RATE] = 0.0
    window: Annotated[int, SAMPLES] = 0
    hop: Annotated[int, SAMPLES] = 0
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        written.check(self, "[data]")
        if not self.name:
            raise UserError("name in [data] must be a data set or a path to a table, not nothing.")


@dataclass(frozen=True)
class Privileged:
    """``[privileged]``: what teachers see and students do not; what is not said is as students see it.

    Args:
        sensors: in place of the students', such as ``wrist,pocket``.
        rate: in place of theirs, in Hz.
        before, after: seconds before and after the student's window, such as the future of one that must not wait.
    """

    sensors: str = ""
    rate: Annotated[float, RATE] = 0.0
    before: Annotated[float, SECONDS] = 0.0
    after: Annotated[float, SECONDS] = 0.0

    def __post_init__(self) -> None:
        written.check(self, "[privileged]")

    def __bool__(self) -> bool:
        return self != Privileged()


@dataclass(frozen=True)
class Split:
    """``[split]``: protocol, seed, the share of training subjects who choose, and how many of the folds run (0:
    all)."""

    protocol: str = "subjects:5"
    seed: Annotated[int, SEED] = 0
    validation: Annotated[float, PART] = 0.2
    folds: Annotated[int, Limits(0, 10_000)] = 0

    def __post_init__(self) -> None:
        written.check(self, "[split]")


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

    def __post_init__(self) -> None:
        written.check(self, "[networks]")
        for name in ("teacher", "attention"):
            if not getattr(self, name):
                raise UserError(f"{name} in [networks] must hold one entry at least.")


@dataclass(frozen=True)
class Training:
    """``[training]`` and ``[teaching.training]``: a recipe and the optimiser's numbers; what is not said is default.

    ``augment`` are strengths by kind; ``replicas`` how many train together (0: chosen).
    """

    batch: Annotated[int | None, RECIPE_LIMITS["batch"]] = None
    epochs: Annotated[int | None, RECIPE_LIMITS["epochs"]] = None
    patience: Annotated[int | None, RECIPE_LIMITS["patience"]] = None
    select: str | None = None
    schedule: str | None = None
    warmup: Annotated[float | None, RECIPE_LIMITS["warmup"]] = None
    imbalance: str | None = None
    augment: Mapping[str, Annotated[float, STRENGTH]] | None = None
    learning_rate: Annotated[float | None, Limits(0, 10)] = None
    weight_decay: Annotated[float | None, Limits(0, 100)] = None
    clip: Annotated[float | None, Limits(0, 1e6)] = None
    average: Annotated[float | None, PART] = None
    replicas: Annotated[int, Limits(0, 10_000)] = 0

    def __post_init__(self) -> None:
        written.check(self, "[training]")
        check_kinds(tuple(self.augment or ()))

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
    def hyperparameters(self) -> dict[str, float]:
        """Numbers of the optimiser and the augmentation."""
        names = ("learning_rate", "weight_decay", "clip", "average")
        said = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {**said, **(self.augment or {})}


@dataclass(frozen=True)
class Teaching:
    """``[teaching]``: how teachers are made and asked.

    Args:
        seeds: teachers a fold; the mean of several teaches.
        targets: ``in-sample``, or ``cross-fit``: a training subject's teachers did not train on that subject.
        groups: groups of subjects of ``cross-fit``.
        training: what differs from ``[training]``.
    """

    seeds: Annotated[int, REPEATS] = 1
    targets: str = "in-sample"
    groups: Annotated[int, Limits(2, 10_000)] = 3
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        written.check(self, "[teaching]")
        if self.targets not in get_args(Targets):
            raise UnknownName("targets", self.targets, list(get_args(Targets)))


@dataclass(frozen=True)
class Search:
    """``[search]``: how every variant looks for its numbers, all with the same number of trials.

    Args:
        kind: ``none`` takes the defaults, ``grid`` all combinations of ``grid``, ``optuna`` draws from the ranges.
        trials: so many a variant and fold (for ``grid`` 0 means the largest variant's).
        sampler: of Optuna: ``random``, ``qmc`` (even over the ranges) or ``tpe`` (learns from earlier rounds).
        rounds: the trials are trained in so many rounds; a learning sampler needs more than one.
        seed: of the draws.
        hyperparameters: ranges of numbers that all variants have (``learning_rate``), or in place of a method's own.
        grid: values by number.
    """

    kind: str = "none"
    trials: Annotated[int, Limits(0, 100_000)] = 0
    sampler: str = "random"
    rounds: Annotated[int, Limits(1, 100_000)] = 1
    seed: Annotated[int, SEED] = 0
    hyperparameters: Mapping[str, Range] = field(default_factory=dict)
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        written.check(self, "[search]")
        if self.kind not in get_args(SearchKind):
            raise UnknownName("kind of search", self.kind, list(get_args(SearchKind)))
        if self.sampler not in ("random", "qmc", "tpe"):
            raise UnknownName("sampler", self.sampler, ["random", "qmc", "tpe"])
        if self.kind == "optuna" and self.trials < 1:
            raise UserError(f"trials in [search] must be at least 1 with kind 'optuna', not {self.trials}.")
        if self.kind == "grid" and not self.grid:
            raise UserError("A grid search needs values: [search.grid] with a list for each number.")
        for name, values in self.grid.items():
            if not values:
                raise UserError(f"{name} in [search.grid] must hold one value at least.")
        if self.rounds > max(1, self.trials):
            raise UserError(f"rounds in [search] must lie between 1 and the trials ({self.trials}), not {self.rounds}.")
