"""A study's specification: typed here, TOML in its written form."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Annotated, Any, get_args
from unicodedata import normalize

from ..errors import UnknownName, UserError
from ..methods import get_method
from ..names import require_distinct, require_file_name
from ..networks import get_network, parse_attention
from ..networks.deepconvlstm import Recurrence
from ..windows.protocols import count_of
from . import toml_io as written
from .baselines import BASELINES, Baseline
from .hyperparameters import check_hyperparameters
from .sections import REPEATS, Data, Networks, Privileged, Search, Split, Teaching, Training
from .variants import COMPANIONS, CONTROLS, VARIANTS, Variant

BUILT_IN = files(__package__) / "built_in"


@dataclass(frozen=True)
class Study:
    """What is compared, on whom, and how.

    With ``published = true`` students and teachers are trained by the sources' recipe (Adam at 1e-3, batch 64, at most
    300 epochs, patience 10 on validation accuracy). On purpose it does *not* repeat: one seed for everything, unequal
    budgets of search, a projector that is never trained, a channel term that is dropped beside a spatial one. The
    random split of windows is the protocol ``published``, to be chosen by itself, and marked as leaky.

    Args:
        name: of the study.
        variants: what is compared; ``CONTROLS`` join unless ``controls`` is false, as does what a variant brings along.
        compare: variant and reference of the primary comparison.
        seeds: students a fold and variant.
        published: the sources' recipe.
        controls: whether the controls join.
        baselines: classifiers of window features that join, with as many trials as each variant (see ``BASELINES``).
        score_test: score test subjects without being asked (the demonstration does).
        data, privileged, split, networks, training, teaching, search: the sections.
        variant: variants of one's own, or built-in ones changed.
    """

    name: str
    variants: tuple[str, ...] = ("lm", "lm-att", "rb-kd", "rb-kd-att", "rab-kd")
    compare: tuple[str, ...] = ("rab-kd", "lm")
    seeds: Annotated[int, REPEATS] = 3
    published: bool = False
    controls: bool = True
    baselines: tuple[str, ...] = tuple(BASELINES)
    score_test: bool = False
    data: Data = field(default_factory=Data)
    privileged: Privileged = field(default_factory=Privileged)
    split: Split = field(default_factory=Split)
    networks: Networks = field(default_factory=Networks)
    training: Training = field(default_factory=Training)
    teaching: Teaching = field(default_factory=Teaching)
    search: Search = field(default_factory=Search)
    variant: Mapping[str, Variant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_names()
        written.check(self)
        known = {**VARIANTS, **self.variant}
        for key, kind, names, valid in (
            ("variants", "variant", self.variants, known),
            ("compare", "variant", self.compare, known),
            ("baselines", "baseline", self.baselines, BASELINES),
        ):
            for name in names:
                if name not in valid:
                    raise UnknownName(f"{kind} in {key}", name, list(valid))
        if len(self.compare) not in (0, 2):
            raise UserError(f"compare names a variant and its reference, not {list(self.compare)}.")
        if not self.variants:
            raise UserError("variants names nothing to compare.")
        for name in set(self.all_variants) & set(self.baselines):
            raise UserError(f"{name} is a baseline; give the variant another name, or leave the baseline out.")
        with written.named("protocol in [split]"):
            count_of(self.split.protocol)
        self._check_networks()
        self._check_teachers()
        self._check_privileged()
        check_hyperparameters(self, {**self.variant, **self.all_variants})
        for section, training in (("training", self.student_training), ("teaching.training", self.teacher_training)):
            with written.named(f"[{section}]"):
                training.recipe(published=self.published)

    @cached_property
    def all_variants(self) -> dict[str, Variant]:
        """Every variant of the study with what it brings along and the controls, in order."""
        known = {**VARIANTS, **self.variant}
        wanted: list[str] = list(CONTROLS[:1]) if self.controls else []
        for name in (*self.variants, *self.compare, *(CONTROLS if self.controls else ())):
            wanted += [each for each in (name, *COMPANIONS.get(name, ())) if each not in wanted]
        return {name: known[name] for name in dict.fromkeys(wanted)}

    @cached_property
    def systems(self) -> dict[str, Variant | Baseline]:
        """The variants and then the baselines, which are tried and scored alike."""
        return {**self.all_variants, **{name: BASELINES[name] for name in self.baselines}}

    @cached_property
    def attentions(self) -> tuple[str, ...]:
        """The attention configurations, written alike."""
        if self.networks.attention == ("published",):
            return published_attentions()
        return tuple(";".join(map(str, parse_attention(text))) for text in self.networks.attention)

    @property
    def scores(self) -> Path | None:
        """The file of scores that teaches in a network's place."""
        first = Path(self.networks.teacher[0]) if len(self.networks.teacher) == 1 else Path()
        return first if first.suffix in (".parquet", ".csv") else None

    @property
    def student_training(self) -> Training:
        """How students are trained."""
        return self.training

    @property
    def teacher_training(self) -> Training:
        """How teachers are trained."""
        return self.teaching.training.over(self.training)

    def to_toml(self, *, changed: bool = False) -> str:
        """The specification as TOML, whole or as differences from the defaults."""
        import tomli_w

        return tomli_w.dumps(written.to_table(self, changed=changed))

    def _check_names(self) -> None:
        """Names become files and folders: predictions, models, figures, the study's own folder."""
        own = {require_file_name(name, "variant"): variant for name, variant in self.variant.items()}
        named: dict[str, Any] = {"name": require_file_name(self.name, "study"), "variant": own}
        for part in ("variants", "compare"):
            named[part] = tuple(normalize("NFC", name) for name in getattr(self, part))
        for part, value in named.items():
            object.__setattr__(self, part, value)
        for name in own:
            if name in self.networks.teacher:
                raise UserError(
                    f"{name} is the network of a teacher, which stands in the same table; rename the variant."
                )
        require_distinct((*VARIANTS, *BASELINES, *own), "variant")

    def _check_networks(self) -> None:
        networks = self.networks
        for key, names in (("student", (networks.student,)), ("teacher", () if self.scores else networks.teacher)):
            for name in names:
                with written.named(f"{key} in [networks]"):
                    get_network(name)
        if networks.recurrence not in ("", *get_args(Recurrence)):
            raise UnknownName("recurrence in [networks]", networks.recurrence, list(get_args(Recurrence)))
        with written.named("attention in [networks]"):
            _ = self.attentions

    def _check_teachers(self) -> None:
        """A method that needs a teacher has one, and where that answers inside the step it is one network."""
        teaching = self.teaching
        lone = len(self.networks.teacher) == 1 and self.scores is None
        alone = lone and teaching.seeds == 1 and teaching.targets == "in-sample"
        for name, variant in {**self.variant, **self.all_variants}.items():
            taught = get_method(variant.method)
            if taught.teacher_taps and variant.teacher == "none":
                raise UserError(
                    f"[variant.{name}] is taught by {variant.method}, which needs a teacher: say teacher, such as "
                    f"'plain'."
                )
            if alone or variant.teacher == "self":
                continue
            if taught.trains_teacher:
                raise UserError(
                    f"{name} trains its teacher too, which must be one network: name one teacher with one seed and "
                    f"in-sample targets, or leave {name} out."
                )
            if self.training.augment and variant.teacher in ("plain", "attention"):
                raise UserError(
                    f"With augmentation the teacher of {name} answers at every step, which one network can do, not a "
                    f"file of scores or the mean of several: leave augment in [training] out, or take one teacher and "
                    f"in-sample targets."
                )

    def _check_privileged(self) -> None:
        """A teacher with windows of its own answers before the training, not in its steps."""
        if not self.privileged:
            return
        if self.training.augment:
            raise UserError(
                "[privileged] teachers see other windows than their students, which augmentation would tell apart: "
                "leave one of the two out."
            )
        for name, variant in self.all_variants.items():
            if get_method(variant.method).trains_teacher:
                raise UserError(
                    f"{name} runs both networks on the same windows, and [privileged] teachers see others: leave one "
                    f"of the two out."
                )


def read_study(source: str | Path, *changes: str) -> Study:
    """A study by the name of a built-in one, or from a TOML file.

    Args:
        source: name or path.
        changes: what differs, such as ``split.protocol="loso"`` or ``seeds=5``.
    """
    text = str(source)
    if text in built_in():
        values = tomllib.loads((BUILT_IN / f"{text}.toml").read_text())
        return study_of(_changed(values, changes), text)
    path = Path(source)
    if path.suffix != ".toml" and not path.exists():
        raise UserError(f"There is no study {text!r}; built in are {', '.join(built_in())}, or name a file NAME.toml.")
    return study_of(_changed(written.read_toml(path), changes), str(path))


def _changed(values: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Tables with single values set."""
    for change in changes:
        name, equals, text = change.partition("=")
        *tables, key = name.strip().split(".")
        if not equals or not key:
            raise UserError(f"A change is NAME=VALUE, such as split.protocol=loso, not {change!r}.")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        place = values
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise UserError(f"{table} in {name} is a value, not a section.")
        place[key] = value
    return values


def built_in() -> list[str]:
    """Names of the studies that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in BUILT_IN.iterdir() if entry.name.endswith(".toml"))


def published_attentions() -> tuple[str, ...]:
    """The sources' 60 configurations: 12 with channel, 12 with spatial attention, 36 with both."""
    after, reductions, kernels = (1, 2, 3, 4), (2, 4, 8), (3, 5, 7)
    channel = [f"channel:r={r},after={place}" for r, place in product(reductions, after)]
    spatial = [f"spatial:k={k},after={place}" for k, place in product(kernels, after)]
    both = [f"channel:r={r},spatial:k={k},after={place}" for r, k, place in product(reductions, kernels, after)]
    return (*channel, *spatial, *both)


def study_of(values: Mapping[str, Any], place: str) -> Study:
    """A study from the tables of its TOML form, which messages call ``place``."""
    # A variant of one's own may start from a built-in one: what is said changes it.
    tables = dict(values)
    own = tables.get("variant", {})
    if isinstance(own, dict):
        tables["variant"] = {
            name: {**written.to_table(VARIANTS[name], changed=True), **table}
            if name in VARIANTS and isinstance(table, dict)
            else table
            for name, table in own.items()
        }
    with written.named(place):
        return written.from_table(Study, tables, place)
