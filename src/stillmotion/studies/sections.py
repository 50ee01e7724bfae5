"""The sections of a specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, get_args

from ..decoding import Grammar, read_grammar
from ..decoding.decoder import KINDS, MOST_WINDOWS
from ..decoding.unknown import SHARE_REJECTED
from ..errors import UnknownName, UserError
from ..limits import PART, SEED, Limits
from ..networks import Network, register_network
from ..signals import read_length
from ..training import PUBLISHED, Recipe
from ..training.recipe import RECIPE_LIMITS
from ..windows.augment import check_kinds
from . import toml_io

Source = Literal["none", "plain", "attention", "self", "assistant"]
#: What models may be trained on once their hyperparameters and epochs are selected.
REFIT = "train+validation"
INT8 = "int8"
Cut = Literal["recordings", "labelled-segments"]
Targets = Literal["auto", "in-sample", "cross-fit"]
Outputs = Literal["auto", "live", "stored"]
Weights = Literal["fitted", "equal"]
SearchKind = Literal["none", "grid", "optuna"]
#: In Hz; 0 is the rate of the data set.
RATE = Limits(0.1, 100_000, zero=True)
#: In samples; 0 is the value of the data set.
SAMPLES = Limits(0, 1_000_000)
SECONDS = Limits(0, 1e6)
#: Number of seeds or similar repeats.
REPEATS = Limits(1, 10_000)
#: Strength of an augmentation; at 1 it is as large as the signal.
STRENGTH = Limits(0, 100)


@dataclass(frozen=True)
class Range:
    """Search range of a hyperparameter: ``low`` to ``high``, logarithmic with ``log``; ``start`` is the first trial."""

    low: float
    high: float
    log: bool = False
    start: float | None = None

    def __post_init__(self) -> None:
        toml_io.check(self, "a range")
        if not self.low <= self.high:
            raise UserError(f"low {self.low:g} of a range must not be above high {self.high:g}; swap them.")
        if self.log and self.low <= 0:
            raise UserError(f"low of a logarithmic range must be above 0, not {self.low:g}.")
        if self.start is not None and not self.low <= self.start <= self.high:
            raise UserError(
                f"start of a range must lie between low {self.low:g} and high {self.high:g}, not at {self.start:g}."
            )


@dataclass(frozen=True)
class Data:
    """``[data]``: the recordings and the windows; values left out are those of the data set.

    Args:
        name: a data set, or the path of a table.
        sensors: sensors to keep, such as ``wrist.acc,wrist.gyr``.
        rate: resample to this rate in Hz.
        window, hop: in samples, or in seconds with a unit (``"2.56s"``, ``"500ms"``).
        classes: classes to keep.
        merge: new class to the classes that it gathers; ``*`` stands for all that nothing else names.
        accept_findings: whether recordings are used although ``still inspect`` finds errors in them.
        cut: what is cut into windows: ``recordings``, or ``labelled-segments``, each on its own, without a window that
            ends with its segment (as WHAR Arena does).
    """

    name: str = "simulated"
    sensors: str = ""
    rate: Annotated[float, RATE] = 0.0
    window: Annotated[int, SAMPLES] | str = 0
    hop: Annotated[int, SAMPLES] | str = 0
    classes: tuple[str, ...] = ()
    cut: str = "recordings"
    merge: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accept_findings: bool = False

    def __post_init__(self) -> None:
        toml_io.check(self, "[data]")
        for name in ("window", "hop"):
            length = getattr(self, name)
            if isinstance(length, str):
                # The rate is not known yet; any will do for a check.
                read_length(length, 100.0, f"{name} in [data]")
                object.__setattr__(self, name, int(length) if length.strip().isdigit() else length.strip())
        if self.cut not in get_args(Cut):
            raise UnknownName("cut", self.cut, list(get_args(Cut)))
        if not self.name:
            raise UserError("name in [data] must be a data set or the path of a table, not empty.")


@dataclass(frozen=True)
class Privileged:
    """``[privileged]``: input that teachers see and students do not; values left out are those of the students.

    Args:
        sensors: sensors of the teachers, such as ``wrist,pocket``.
        rate: rate of the teachers in Hz.
        before, after: seconds that teachers see before and after the student's window.
    """

    sensors: str = ""
    rate: Annotated[float, RATE] = 0.0
    before: Annotated[float, SECONDS] = 0.0
    after: Annotated[float, SECONDS] = 0.0

    def __post_init__(self) -> None:
        toml_io.check(self, "[privileged]")

    def __bool__(self) -> bool:
        return self != Privileged()


@dataclass(frozen=True)
class Split:
    """``[split]``: protocol, seed, share of training subjects for validation, and number of folds to run (0: all)."""

    protocol: str = "subjects:5"
    seed: Annotated[int, SEED] = 0
    validation: Annotated[float, PART] = 0.2
    folds: Annotated[int, Limits(0, 10_000)] = 0

    def __post_init__(self) -> None:
        toml_io.check(self, "[split]")


def name_network(network: Any) -> Any:
    """Register a network of one's own and return its name; any plain value stays, to be checked."""
    return register_network(network) if isinstance(network, Network) or callable(network) else network


@dataclass(frozen=True)
class Networks:
    """``[networks]``: students and teachers.

    In Python a network may also be a ``keras.Model`` or a function that builds one (``networks.register_network``).

    Args:
        student: name of the student network.
        teacher: names of teachers, networks or feature classifiers (students learn from the weighted mean of several),
            or a file of scores.
        attention: attention blocks, see ``networks.parse_attention``; several are searched, and ``published`` stands
            for the 60 configurations of Agac & Incel.
        recurrence: recurrence of the DeepConvLSTM networks.
    """

    student: str = "deepconvlstm-lm"
    teacher: tuple[str, ...] = ("deepconvlstm-om",)
    attention: tuple[str, ...] = ("channel:r=2,spatial:k=5,after=2",)
    recurrence: str = ""

    def __post_init__(self) -> None:
        teachers = self.teacher if isinstance(self.teacher, (tuple, list)) else (self.teacher,)
        object.__setattr__(self, "student", name_network(self.student))
        object.__setattr__(self, "teacher", tuple(name_network(each) for each in teachers))
        toml_io.check(self, "[networks]")
        for name in ("teacher", "attention"):
            if not getattr(self, name):
                raise UserError(f"{name} in [networks] must have at least one entry.")


@dataclass(frozen=True)
class Training:
    """``[training]`` and ``[teaching.training]``: the recipe; values left out are defaults.

    ``augment`` holds strengths by kind; ``replicas`` is the number of runs that train together (0: automatic).
    ``refit = "train+validation"`` adds to every score that of a refit: after selection, a training on training and
    validation subjects. ``quantise = "int8"`` trains students, not teachers, for their int8 form.
    """

    batch: Annotated[int | None, RECIPE_LIMITS["batch"]] = None
    epochs: Annotated[int | None, RECIPE_LIMITS["epochs"]] = None
    patience: Annotated[int | None, RECIPE_LIMITS["patience"]] = None
    select: str | None = None
    keep: str | None = None
    schedule: str | None = None
    warmup: Annotated[float | None, RECIPE_LIMITS["warmup"]] = None
    imbalance: str | None = None
    augment: Mapping[str, Annotated[float, STRENGTH]] | None = None
    learning_rate: Annotated[float | None, RECIPE_LIMITS["learning_rate"]] = None
    weight_decay: Annotated[float | None, RECIPE_LIMITS["weight_decay"]] = None
    clip: Annotated[float | None, RECIPE_LIMITS["clip"]] = None
    average: Annotated[float | None, RECIPE_LIMITS["average"]] = None
    smoothing: Annotated[float | None, RECIPE_LIMITS["smoothing"]] = None
    replicas: Annotated[int, Limits(0, 10_000)] = 0
    refit: str | None = None
    quantise: str | None = None

    def __post_init__(self) -> None:
        toml_io.check(self, "[training]")
        for what, only in (("refit", REFIT), ("quantise", INT8)):
            if getattr(self, what) not in (None, only):
                raise UnknownName(what, str(getattr(self, what)), [only])
        check_kinds(tuple(self.augment or ()))

    def over(self, base: Training) -> Training:
        """Fill values left out from ``base``."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(base, **{name: value for name, value in given.items() if value is not None})

    def recipe(self, *, published: bool = False) -> Recipe:
        """Return the recipe; with ``published``, based on that of Agac & Incel."""
        names = [part.name for part in fields(Recipe) if part.name != "augment"]
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(PUBLISHED if published else Recipe(), augment=tuple(self.augment or ()), **given)

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Strengths of the augmentation."""
        return dict(self.augment or {})


@dataclass(frozen=True)
class Teaching:
    """``[teaching]``: how teachers are trained and used.

    Args:
        seeds: teachers per fold; students learn from the mean of several.
        targets: ``in-sample``, or ``cross-fit``: targets for a training subject come from teachers that were not
            trained on that subject. ``auto`` cross-fits where a teacher is a feature classifier: what a forest predicts
            of its own training windows is almost one-hot.
        groups: number of subject groups of ``cross-fit``.
        outputs: with augmentation, ``live`` runs teachers in every step, on the very windows that the student sees,
            and ``stored`` takes their outputs for the unchanged windows (logits are mixed as labels are). ``auto``
            runs networks whose cost is small beside the student's step (see ``teacher_outputs``).
        weights: of unlike teachers in the mean of their probabilities: ``fitted`` by log-loss on the validation
            subjects, or ``equal``. Seeds of one network or classifier always share its weight equally.
        training: differences from ``[training]``.
    """

    seeds: Annotated[int, REPEATS] = 1
    targets: str = "auto"
    groups: Annotated[int, Limits(2, 10_000)] = 3
    training: Training = field(default_factory=Training)
    outputs: str = "auto"
    weights: str = "fitted"

    def __post_init__(self) -> None:
        toml_io.check(self, "[teaching]")
        for name, choices in (("targets", Targets), ("outputs", Outputs), ("weights", Weights)):
            if getattr(self, name) not in get_args(choices):
                raise UnknownName(f"{name} in [teaching]", getattr(self, name), list(get_args(choices)))
        if self.training.quantise is not None:
            raise UserError(
                "quantise in [teaching.training] is for students, and teachers stay in float32: set it in [training] "
                "or in [variant.NAME.training]."
            )


@dataclass(frozen=True)
class Decoding:
    """``[decoding]``: decode windows in a row; windows without a class are kept, so that sequences have no holes.

    Args:
        decoder: ``none``, ``duration``, ``grammar`` or ``learned`` (see ``fit_decoder``).
        lags: windows of future that answers wait for, 0 for none; a table has a column for each, and the first is that
            of bundles.
        offline: whether whole recordings are decoded too.
        grammar: a built-in grammar, or the path of a TOML file, whose content is then kept in ``follows``.
        follows: the grammar itself: what can directly follow each activity.
        transitions: activities whose scores are shown apart; by default those of the grammar, or of the data set.
        calibrate: whether factor of durations, temperature and prior are chosen on validation subjects of each fold.
        reject: most windows of known classes of validation subjects that may be answered "unknown", a share; 0 for no
            such answer. It also applies to windows alone, without a decoder.
    """

    decoder: str = "none"
    lags: tuple[Annotated[int, Limits(0, MOST_WINDOWS)], ...] = (0, 1, 2, 4)
    offline: bool = True
    grammar: str = ""
    follows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    transitions: tuple[str, ...] = ()
    calibrate: bool = True
    reject: Annotated[float, SHARE_REJECTED] = 0.0

    def __post_init__(self) -> None:
        toml_io.check(self, "[decoding]")
        if self.decoder not in KINDS:
            raise UnknownName("decoder in [decoding]", self.decoder, list(KINDS))
        if not self.lags and not self.offline:
            raise UserError("[decoding] needs at least one of lags, or offline = true.")
        if self.reject and not self.calibrate:
            raise UserError("reject in [decoding] finds a threshold on validation subjects; remove calibrate = false.")
        if self.grammar and not self.follows:
            read = read_grammar(self.grammar)
            object.__setattr__(self, "follows", dict(read.follows))
            object.__setattr__(self, "transitions", self.transitions or read.transitions)
        if self.decoder == "grammar" and not self.follows:
            raise UserError("The decoder 'grammar' in [decoding] needs grammar, such as grammar = \"hapt-postures\".")

    def __bool__(self) -> bool:
        return self.decoder != "none" or self.reject > 0

    @property
    def delays(self) -> tuple[int | None, ...]:
        """Lags in windows, and None for offline; empty without a decoder."""
        if self.decoder == "none":
            return ()
        return (*dict.fromkeys(self.lags), *((None,) if self.offline else ()))

    @property
    def table(self) -> Grammar | None:
        """The grammar, if there is one."""
        return Grammar(self.grammar or "of the study", self.follows, self.transitions) if self.follows else None


@dataclass(frozen=True)
class Search:
    """``[search]``: hyperparameter search; every variant has the same number of trials.

    Args:
        kind: ``none`` (defaults), ``grid`` (all combinations of ``grid``) or ``optuna`` (sampled from ranges).
        trials: trials per variant and fold (0 with ``grid``: as many as the largest grid of a variant).
        sampler: Optuna sampler: ``random``, ``qmc`` (quasi-Monte Carlo) or ``tpe`` (learns from earlier rounds).
        rounds: number of rounds in which trials are trained; ``tpe`` needs more than one.
        seed: of the sampler.
        hyperparameters: search ranges for all variants (such as ``learning_rate``), or to replace those of a method.
        grid: values of each hyperparameter.
    """

    kind: str = "none"
    trials: Annotated[int, Limits(0, 100_000)] = 0
    sampler: str = "random"
    rounds: Annotated[int, Limits(1, 100_000)] = 1
    seed: Annotated[int, SEED] = 0
    hyperparameters: Mapping[str, Range] = field(default_factory=dict)
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        toml_io.check(self, "[search]")
        if self.kind not in get_args(SearchKind):
            raise UnknownName("kind of search", self.kind, list(get_args(SearchKind)))
        if self.sampler not in ("random", "qmc", "tpe"):
            raise UnknownName("sampler", self.sampler, ["random", "qmc", "tpe"])
        if self.kind == "optuna" and self.trials < 1:
            raise UserError(f"trials in [search] must be at least 1 with kind 'optuna', not {self.trials}.")
        if self.kind == "grid" and not self.grid:
            raise UserError("A grid search needs [search.grid] with a list of values for each hyperparameter.")
        for name, values in self.grid.items():
            if not values:
                raise UserError(f"{name} in [search.grid] must have at least one value.")
        if self.rounds > max(1, self.trials):
            raise UserError(f"rounds in [search] must lie between 1 and the trials ({self.trials}), not {self.rounds}.")
