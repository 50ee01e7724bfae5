"""The specification of a study: typed dataclasses, read from and written to TOML."""

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
from ..methods import Method, get_method, register_method
from ..names import require_distinct, require_file_name
from ..networks import get_network, parse_attention
from ..networks.deepconvlstm import Recurrence
from ..windows.protocols import count_of
from ..windows.splits import resolve_protocol
from . import toml_io
from .baselines import DEFAULT, Baseline, known_baselines
from .budget import parse_budget, require_one_keep
from .hyperparameters import check_hyperparameters
from .sections import REPEATS, Data, Decoding, Networks, Outputs, Privileged, Search, Split, Teaching, Training
from .teacher_outputs import allowed_outputs
from .variants import COMPANIONS, CONTROLS, PLAIN, Variant, known_variants

BUILT_IN = files(__package__) / "built_in"

#: The primary comparison of a study that names none: a variant and its reference.
PRIMARY = ("rab-kd", "lm")


@dataclass(frozen=True)
class Study:
    """The specification of a study.

    With ``published = true`` students and teachers are trained with the recipe of Agac & Incel (Adam at 1e-3, batch 64,
    at most 300 epochs, patience 10 on validation accuracy). These choices of theirs are deliberately *not* repeated:
    one seed for everything, unequal search budgets, a projector that is never trained, a channel term that is dropped
    when there is a spatial one. Their random split of windows is the protocol ``published``, which is chosen
    separately and reported as leaky.

    Args:
        name: of the study.
        variants: variants to compare, in Python also methods of one's own; ``CONTROLS`` (unless ``controls`` is false)
            and ``COMPANIONS`` are added.
        compare: variant and reference of the primary comparison; by default ``PRIMARY`` where both are among
            ``variants``, otherwise none.
        seeds: students per fold and variant.
        published: use the recipe of Agac & Incel.
        controls: whether the controls are added.
        baselines: feature classifiers to add, with as many trials as each variant (see ``BASELINES``).
        score_test: evaluate on the test subjects in every run of the study (as the demo does).
        budget: most bytes that the recommended model may store on the device, such as ``8kB``: a network its int8
            weights with the tables of its features, a feature classifier its numbers at 4 bytes.
        data, privileged, split, networks, training, teaching, decoding, search: the sections.
        variant: new variants, or changes to built-in ones.
        baseline: new baselines: a feature classifier with fixed hyperparameters or search ranges of its own.
        ship: whether the recommended variant is fitted to all subjects that may be trained on once the test set is
            evaluated; that is then ``models/best``, and otherwise a model of the first fold.
    """

    name: str
    variants: tuple[str, ...] = ("lm", "lm-att", "rb-kd", "rb-kd-att", "rab-kd")
    compare: tuple[str, ...] = PRIMARY
    seeds: Annotated[int, REPEATS] = 3
    published: bool = False
    controls: bool = True
    baselines: tuple[str, ...] = DEFAULT
    score_test: bool = False
    budget: str = ""
    data: Data = field(default_factory=Data)
    privileged: Privileged = field(default_factory=Privileged)
    split: Split = field(default_factory=Split)
    networks: Networks = field(default_factory=Networks)
    training: Training = field(default_factory=Training)
    teaching: Teaching = field(default_factory=Teaching)
    decoding: Decoding = field(default_factory=Decoding)
    search: Search = field(default_factory=Search)
    variant: Mapping[str, Variant] = field(default_factory=dict)
    baseline: Mapping[str, Baseline] = field(default_factory=dict)
    ship: bool = True

    def __post_init__(self) -> None:
        if self.compare is PRIMARY and not set(PRIMARY) <= set(self.variants):  # it was not chosen
            object.__setattr__(self, "compare", ())
        self._check_names()
        toml_io.check(self)
        known = {**known_variants(), **self.variant}
        for key, kind, names, valid, register in (
            ("variants", "variant", self.variants, known, "methods.register_method"),
            ("compare", "variant", self.compare, known, "methods.register_method"),
            ("baselines", "baseline", self.baselines, self.known_baselines, "features.register_classifier"),
        ):
            for name in names:
                if name not in valid:
                    remedy = f"Your own is registered by {register} before the Study is made."
                    raise UnknownName(f"{kind} in {key}", name, list(valid), remedy)
        if len(self.compare) not in (0, 2):
            raise UserError(f"compare must name a variant and its reference, not {list(self.compare)}.")
        if not self.variants:
            raise UserError("variants must name at least one variant.")
        for name in set(self.all_variants) & set(self.baselines):
            raise UserError(f"{name} is both a variant and a baseline; rename the variant, or leave the baseline out.")
        parse_budget(self.budget)
        with toml_io.named("protocol in [split]"):
            count_of(self.split.protocol)
        self._check_networks()
        self._check_teachers()
        self._check_privileged()
        self._check_decoding()
        variants = {**self.variant, **self.all_variants}
        check_hyperparameters(self.training, self.search, variants, attentions=len(self.attentions))
        self._check_refit()
        recipes = {"training": self.training, "teaching.training": self.teacher_training}
        recipes |= {f"variant.{name}.training": self.training_of(variant) for name, variant in variants.items()}
        keeps: dict[str, str] = {}
        for section, training in recipes.items():
            with toml_io.named(f"[{section}]"):
                keeps[section] = training.recipe(published=self.published).keep
        require_one_keep(self.budget, {name: keeps[f"variant.{name}.training"] for name in self.all_variants})

    @cached_property
    def all_variants(self) -> dict[str, Variant]:
        """All variants of the study with companions and controls, in order."""
        known = {**known_variants(), **self.variant}
        wanted: list[str] = list(CONTROLS[:1]) if self.controls else []
        for name in (*self.variants, *self.compare, *(CONTROLS if self.controls else ())):
            wanted += [each for each in (name, *COMPANIONS.get(name, ())) if each not in wanted]
        return {name: known[name] for name in dict.fromkeys(wanted)}

    @cached_property
    def systems(self) -> dict[str, Variant | Baseline]:
        """The variants and then the baselines, which share search and evaluation."""
        return {**self.all_variants, **{name: self.known_baselines[name] for name in self.baselines}}

    @property
    def known_baselines(self) -> dict[str, Baseline]:
        """All feature classifiers by name, those that the study defines among them."""
        return {**known_baselines(), **self.baseline}

    @cached_property
    def attentions(self) -> tuple[str, ...]:
        """The attention configurations in canonical form."""
        if self.networks.attention == ("published",):
            return published_attentions()
        return tuple(";".join(map(str, parse_attention(text))) for text in self.networks.attention)

    @property
    def scores(self) -> Path | None:
        """The file of scores that is used instead of a teacher network, if any."""
        first = Path(self.networks.teacher[0]) if len(self.networks.teacher) == 1 else Path()
        return first if first.suffix in (".parquet", ".csv") else None

    @cached_property
    def classifier_teachers(self) -> tuple[str, ...]:
        """The teachers that are feature classifiers."""
        return tuple(name for name in self.networks.teacher if name in self.known_baselines)

    @property
    def cross_fit(self) -> bool:
        """Whether targets for a training subject come from teachers that were not trained on that subject."""
        return self.teaching.targets == "cross-fit" or bool(self.classifier_teachers)

    @property
    def student_training(self) -> Training:
        """Training section of the students."""
        return self.training

    def training_of(self, variant: Variant) -> Training:
        """Return the training section of the students of a variant."""
        return variant.training.over(self.training)

    @property
    def teacher_training(self) -> Training:
        """Training section of the teachers."""
        return self.teaching.training.over(self.training)

    def outputs_of(self, name: str, variant: Variant, training: Training) -> tuple[Outputs, ...]:
        """Return how the outputs of a variant's fixed teacher may be made; of both, their cost decides."""
        only_stored = "its teacher is a file of scores" if self.scores else ""
        only_stored = only_stored or ("its teachers are cross-fitted" if self.cross_fit else "")
        networks = len(self.networks.teacher) * self.teaching.seeds
        return allowed_outputs(name, variant, training, self.teaching, networks=networks, only_stored=only_stored)

    def to_toml(self, *, changed: bool = False) -> str:
        """Return the specification as TOML, complete or as differences from the defaults."""
        import tomli_w

        return tomli_w.dumps(toml_io.to_table(self, changed=changed))

    def _check_names(self) -> None:
        """Check names, which become files and folders: predictions, models, figures, the folder of the study."""
        variants: Any = self.variants
        if isinstance(variants, (tuple, list)):
            # In Python a method of one's own may stand for the variant of its name.
            given = tuple(register_method(each) if isinstance(each, Method) else each for each in variants)
            object.__setattr__(self, "variants", given)
        defined = {require_file_name(name, "variant"): variant for name, variant in self.variant.items()}
        named: dict[str, Any] = {"name": require_file_name(self.name, "study"), "variant": defined}
        for part in ("variants", "compare"):
            named[part] = tuple(normalize("NFC", name) for name in getattr(self, part))
        for part, value in named.items():
            object.__setattr__(self, part, value)
        for name in defined:
            if name in self.networks.teacher:
                raise UserError(
                    f"{name} is the name of a teacher network, which is in the same table; rename the variant."
                )
        own = {require_file_name(name, "baseline"): baseline for name, baseline in self.baseline.items()}
        object.__setattr__(self, "baseline", own)
        if clash := sorted(set(own) & set(known_baselines())):
            raise UserError(f"[baseline.{clash[0]}] has the name of a known classifier; give it another name.")
        require_distinct((*known_variants(), *known_baselines(), *defined, *own), "variant")

    def _check_refit(self) -> None:
        variants = {f"variant.{name}": each.training for name, each in {**self.variant, **self.all_variants}.items()}
        for place, training in {"teaching": self.teaching.training, **variants}.items():
            if training.refit is not None:
                raise UserError(f"refit in [{place}.training] is of the whole study; set refit in [training] instead.")
        for name in self.systems if self.training.refit else ():
            if f"{name}-refit" in self.systems:
                raise UserError(f"{name}-refit is the name of the refits of {name}; rename that variant.")

    def _check_networks(self) -> None:
        networks = self.networks
        with toml_io.named("student in [networks]"):
            get_network(networks.student)
        for name in () if self.scores else networks.teacher:
            if name not in self.known_baselines:
                with toml_io.named("teacher in [networks]"):
                    get_network(name)
        if self.classifier_teachers and self.teaching.targets == "in-sample":
            raise UserError(
                f"targets in [teaching] must not be 'in-sample' with the teacher {self.classifier_teachers[0]}, whose "
                f"predictions of its own training windows are almost one-hot; use 'auto' or 'cross-fit'."
            )
        if networks.recurrence not in ("", *get_args(Recurrence)):
            raise UnknownName("recurrence in [networks]", networks.recurrence, list(get_args(Recurrence)))
        with toml_io.named("attention in [networks]"):
            _ = self.attentions

    def _check_teachers(self) -> None:
        """Check that methods have the teacher they need, and a single network where it is trained with the student."""
        teaching = self.teaching
        one_network = len(self.networks.teacher) == 1 and self.scores is None
        single = one_network and teaching.seeds == 1 and not self.cross_fit
        for name, variant in {**self.variant, **self.all_variants}.items():
            method = get_method(variant.method)
            if method.teacher_taps and variant.teacher == "none":
                raise UserError(
                    f"[variant.{name}] uses {variant.method}, which needs a teacher; set teacher, for example to "
                    f"'plain'."
                )
            if variant.teacher != "none" and not method.trains_teacher:
                self.outputs_of(name, variant, self.training_of(variant))
            if variant.teacher == "assistant":
                self.outputs_of(variant.assistant, PLAIN, self.teacher_training)
            if variant.teacher in ("none", "self") or single:
                continue
            other = [tap for tap in method.teacher_taps if tap != "logits"]
            if other and self.classifier_teachers and variant.teacher != "assistant":
                raise UserError(
                    f"{name} needs {', '.join(other)} of its teacher, but {self.classifier_teachers[0]} gives only "
                    f"logits: leave {name} out, or use a teacher network."
                )
            if method.trains_teacher:
                raise UserError(
                    f"{name} also trains its teacher, which must be a single network: use one teacher with one seed "
                    f"and in-sample targets, or leave it out."
                )

    def _check_privileged(self) -> None:
        """Check that no step needs a privileged teacher: their predictions are computed before training."""
        if not self.privileged:
            return
        if any(self.training_of(variant).augment for variant in self.all_variants.values()):
            raise UserError(
                "[privileged] cannot be combined with augment in [training]: the windows of teachers and students "
                "differ, and augmentation would change them differently. Leave one of the two out."
            )
        for name, variant in self.all_variants.items():
            if get_method(variant.method).trains_teacher:
                raise UserError(
                    f"{name} runs student and teacher on the same windows, but [privileged] gives teachers other ones: "
                    f"leave one of the two out."
                )

    def _check_decoding(self) -> None:
        """Check that there are whole recordings of test subjects, and scores of all their windows."""
        if not self.decoding:
            return
        if resolve_protocol(self.split.protocol) == "random":
            raise UserError(
                "[decoding] needs whole recordings of subjects that are not trained on, but the protocol "
                f"{self.split.protocol} splits windows; use subjects:k or loso."
            )
        if self.data.cut != "recordings":
            raise UserError(
                f"[decoding] needs windows in a row, but cut = '{self.data.cut}' in [data] cuts labelled segments "
                f"apart; use cut = 'recordings'."
            )
        if self.privileged or self.scores:
            what = "[privileged]" if self.privileged else f"the file of scores {self.scores}"
            raise UserError(
                f"[decoding] also answers windows without a class, which {what} lacks; leave one of them out."
            )


def read_study(source: str | Path, *changes: str) -> Study:
    """Read a built-in study or a TOML file.

    Args:
        source: name of a built-in study, or path.
        changes: changed values, such as ``split.protocol="loso"`` or ``seeds=5``.

    Returns:
        The specification.

    Raises:
        UserError: there is no such study, or a key or value is wrong; the message names it.

    Example:
        >>> from stillmotion.studies import read_study
        >>> read_study("demo", "seeds=5").seeds
        5
    """
    text = str(source)
    if text in built_in():
        values = tomllib.loads((BUILT_IN / f"{text}.toml").read_text())
        return study_of(_changed(values, changes), text)
    path = Path(source)
    if path.suffix != ".toml" and not path.exists():
        raise UserError(
            f"There is no study {text!r}; built-in studies are {', '.join(built_in())}, or give a file NAME.toml."
        )
    return study_of(_changed(toml_io.read_toml(path), changes), str(path))


def _changed(values: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Set single values in tables."""
    for change in changes:
        name, equals, text = change.partition("=")
        *tables, key = name.strip().split(".")
        if not equals or not key:
            raise UserError(f"A change must be NAME=VALUE, such as split.protocol=loso, not {change!r}.")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        place = values
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise UserError(f"{table} in {name} must be a section, but is a value.")
        place[key] = value
    return values


def built_in() -> list[str]:
    """List the names of the built-in studies.

    Returns:
        The names, in order.

    Example:
        >>> from stillmotion.studies import built_in
        >>> "demo" in built_in()
        True
    """
    return sorted(entry.name.removesuffix(".toml") for entry in BUILT_IN.iterdir() if entry.name.endswith(".toml"))


def published_attentions() -> tuple[str, ...]:
    """Return the 60 attention configurations of Agac & Incel: 12 channel, 12 spatial, 36 with both."""
    after, reductions, kernels = (1, 2, 3, 4), (2, 4, 8), (3, 5, 7)
    channel = [f"channel:r={r},after={place}" for r, place in product(reductions, after)]
    spatial = [f"spatial:k={k},after={place}" for k, place in product(kernels, after)]
    both = [f"channel:r={r},spatial:k={k},after={place}" for r, k, place in product(reductions, kernels, after)]
    return (*channel, *spatial, *both)


def study_of(values: Mapping[str, Any], place: str) -> Study:
    """Make a study from the tables of its TOML file, which messages call ``place``."""
    # A [variant.NAME] with the name of a built-in variant changes that variant.
    tables, known = dict(values), known_variants()
    defined = tables.get("variant", {})
    if isinstance(defined, dict):
        tables["variant"] = {
            name: {**toml_io.to_table(known[name], changed=True), **table}
            if name in known and isinstance(table, dict)
            else table
            for name, table in defined.items()
        }
    with toml_io.named(place):
        return toml_io.from_table(Study, tables, place)
