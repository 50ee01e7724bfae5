"""What a method is traced to teach is what the loops over its formulas teach.

The loops are an independent source: they are NumPy, and nothing is traced or differentiated. A source teaches a tap by
a term where changing both changes the term by other than the sum of both changes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillmotion.methods import METHODS, Batch, get_method, hmkd, trace_terms
from stillmotion.methods.losses import cross_entropy as ce

from . import test_attention_distillation as attention
from . import test_feature_methods as features
from . import test_logit_methods as logits
from . import test_mutual_methods as mutual
from .by_hand import cross_entropy, drawn, extras_of, labels


def lm(batch, student, teacher, hyperparameters, aux_params):
    return {"cross_entropy": cross_entropy(batch, student["logits"])}


def rab_kd(batch, student, teacher, hyperparameters, aux_params):
    return attention.by_loops(student, teacher, aux_params, batch=batch, **hyperparameters)


def taps(batch, **shapes):
    return [
        drawn(seed, batch, **shape) for seed, shape in zip((1, 2), (shapes["student"], shapes["teacher"]), strict=True)
    ]


def answers(batch=5, classes=3, **student):
    return taps(batch, student={"logits": (classes,), **student}, teacher={"logits": (classes,)})


def embedded(student=2, teacher=7):
    shape = {"logits": (3,), "embedding": (student,)}
    return taps(5, student=shape, teacher={**shape, "embedding": (teacher,)})


def staged(student=features.STUDENT, teacher=features.TEACHER):
    return taps(5, student={"logits": (3,), **student}, teacher={"logits": (3,), **teacher})


def energies(shapes):
    return {name: (time, 1) for name, (time, _) in shapes.items()}


MAPS = [attention.taps(width=width, time=time, sensors=3, seed=width) for width, time in ((4, 5), (6, 7))]
#: Loops and taps of every method.
CASES = {
    "lm": (lm, answers()),
    "lm-att": (lm, answers()),
    "rb-kd": (logits.kd, answers()),
    "rb-kd-att": (logits.kd, answers()),
    "rab-kd": (rab_kd, MAPS),
    "kd": (logits.kd, answers()),
    "ls-kd": (logits.ls_kd, answers()),
    "dkd": (logits.dkd, answers()),
    "nkd": (logits.nkd, answers()),
    "dist": (logits.dist, answers()),
    "mlld": (logits.mlld, answers()),
    "ofa": (logits.ofa, answers(stage1=(4, 2), stage2=(1, 6))),
    "takd": (logits.kd, answers()),
    "fitnet": (features.fitnet, staged({"stage2": (6, 2)}, {"stage1": (3, 4)})),
    "at": (features.at, staged(energies(features.STUDENT), energies(features.TEACHER))),
    "sp": (features.sp, embedded()),
    "rkd": (features.rkd, embedded()),
    "pkt": (features.pkt, embedded()),
    "vid": (features.vid, staged()),
    "crd": (features.crd, embedded()),
    "reviewkd": (features.reviewkd, staged()),
    "simkd": (features.simkd, embedded()),
    "dml": (mutual.dml, answers(4)),
    "hmkd": (
        mutual.hmkd,
        taps(
            4,
            student={"logits": (3,), "stage1": (2, 3)},
            teacher={"logits": (3,), "stage1": (3, 2), "stage2": (1, 4)},
        ),
    ),
}


def traced(name, student, teacher, hyperparameters=None, **options):
    way = get_method(name, **options)
    shapes = [{tap: values.shape[1:] for tap, values in each.items()} for each in (student, teacher)]
    return trace_terms(way, *(shapes if way.teacher_taps else (shapes[0], {})), way.resolve(hyperparameters or {}))


class Loops:
    """A method's terms by loops, with places changed: a source everywhere, a target where it learns alone."""

    def __init__(self, name, **options):
        self.loops, (student, teacher) = CASES[name]
        self.way, size = get_method(name, **options), len(student["logits"])
        self.hyperparameters = self.way.resolve({})
        self.batch = labels(size, student["logits"].shape[1], done=0.05)
        self.trees = {"student": student, "teacher": teacher}
        self.aux_params = extras_of(name, student, teacher, **options)
        self.known = {}

    def changed(self, place, trees, batch):
        side, _, tap = place.partition("/")
        if side == "labels":
            # Other classes, and another partition of the windows into classes.
            targets = np.eye(batch.targets.shape[1])[np.arange(len(batch.targets)) % batch.targets.shape[1]]
            return trees, batch._replace(targets=np.roll(targets, 1, axis=1))
        rng = np.random.default_rng(len(place))
        return {**trees, side: {**trees[side], tap: trees[side][tap] + rng.normal(size=trees[side][tap].shape)}}, batch

    def terms(self, source="", target="", hyperparameters=None):
        key = (source, target)
        if hyperparameters is None and key in self.known:
            return self.known[key]
        held, batch = self.changed(source, self.trees, self.batch) if source else (self.trees, self.batch)
        moved, batch = self.changed(target, held, batch) if target else (held, batch)
        given = (batch, moved["student"], moved["teacher"], hyperparameters or self.hyperparameters, self.aux_params)
        if self.way.trains_teacher:
            values = self.loops(*given, held=(held["student"], held["teacher"], self.aux_params))
        else:
            values = self.loops(*given)
        return values if hyperparameters is not None else self.known.setdefault(key, values)

    def arrows(self):
        learners = ("student", "teacher") if self.way.trains_teacher else ("student",)
        places = [f"{side}/{tap}" for side, tree in self.trees.items() for tap in tree]
        found = set()
        for target in (place for place in places if place.partition("/")[0] in learners):
            for source in ["labels", *places]:
                if source.partition("/")[0] == target.partition("/")[0]:
                    continue
                both, one = self.terms(source, target), self.terms(source)
                other, none = self.terms("", target), self.terms()
                for term, value in none.items():
                    if abs(both[term] - one[term] - other[term] + value) > 1e-9 * (abs(value) + abs(both[term])):
                        found.add((term, source, target))
        return found


@pytest.fixture
def narrow(monkeypatch):
    """Ensembles of HMKD of four features: loops over 64 take seconds."""
    for module in (hmkd, mutual):
        monkeypatch.setattr(module, "WIDTH", 4)


EVERY = [*((name, {}) for name in METHODS if name != "hmkd"), ("hmkd", {"ensemble": "joint"})]
EVERY += [pytest.param("hmkd", {"ensemble": "per-network"}, marks=pytest.mark.slow)]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("name", "options"), EVERY, ids=str)
def test_a_diagram_shows_no_lesson_that_the_loops_do_not_teach_and_leaves_none_out(name, options):
    loops = Loops(name, **options)
    terms = traced(name, *loops.trees.values(), **options)
    assert {(term.name, *arrow) for term in terms for arrow in term.arrows} == loops.arrows()
    before = loops.terms()
    assert {term.name for term in terms} == set(before)
    # Maps over sensors are not in these loops, and an ensemble for each network is no joint one.
    assert set(loops.way.terms) - set(before) <= {"sensor_attention", "to_ensemble"}
    for term in terms:
        assert term.kind == METHODS[name].terms[term.name]
        acting = {
            number
            for number, value in loops.hyperparameters.items()
            if loops.terms(hyperparameters={**loops.hyperparameters, number: 1.3 * value + 0.01})[term.name]
            != before[term.name]
        }
        # Switches: the loops take one side of them.
        assert set(term.hyperparameters) - {"square", "weighted"} == acting - {"square", "weighted"}
        rng = np.random.default_rng(7)
        beside = {name: values + rng.normal(size=values.shape) for name, values in loops.aux_params.items()}
        with_others = loops.loops(loops.batch, *loops.trees.values(), loops.hyperparameters, beside)
        assert term.projected == (abs(with_others[term.name] - before[term.name]) > 1e-12)


def test_every_method_has_its_loops_here():
    assert set(CASES) == set(METHODS)


def drawn_to(name, **hyperparameters):
    trees = CASES[name][1]
    return {(term.kind, *arrow) for term in traced(name, *trees, hyperparameters) for arrow in term.arrows}


LABELLED = ("cross-entropy", "labels", "student/logits")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("simkd", {("squared difference", "teacher/embedding", "student/embedding")}),
        ("fitnet", {LABELLED, ("squared difference", "teacher/stage1", "student/stage2")}),
        (
            "crd",
            {
                LABELLED,
                ("contrastive", "labels", "student/embedding"),
                ("contrastive", "teacher/embedding", "student/embedding"),
            },
        ),
        (
            "vid",
            {
                LABELLED,
                ("Gaussian likelihood", "teacher/stage2", "student/stage1"),
                ("Gaussian likelihood", "teacher/stage3", "student/stage2"),
            },
        ),
        (
            "at",
            {
                LABELLED,
                ("distance of normalised energies", "teacher/stage2", "student/stage1"),
                ("distance of normalised energies", "teacher/stage3", "student/stage2"),
            },
        ),
    ],
)
def test_simkd_has_no_labels_fitnet_one_stage_and_crd_vid_and_at_no_squared_gap(name, expected):
    assert drawn_to(name) == expected


@pytest.mark.parametrize(
    ("name", "hyperparameters", "gone"),
    [
        ("rab-kd", {"beta": 0}, {"channel_attention", "spatial_attention"}),
        ("kd", {"alpha": 1}, {"distillation"}),
        ("kd", {"alpha": 0}, {"cross_entropy"}),
        ("dml", {"to_teacher": 0}, {"to_teacher"}),
        pytest.param(
            "hmkd",
            {"output": 0, "to_teacher": 0},
            {"to_student", "to_teacher", "feature_to_teacher"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_term_of_weight_0_teaches_nothing(name, hyperparameters, gone):
    terms = traced(name, *CASES[name][1], hyperparameters)
    assert {term.name for term in terms if not term.arrows} == gone


def test_a_new_method_cannot_lie():
    """A method that says one thing and does another is drawn as it does."""

    def objective(batch, student, teacher, hyperparameters, aux_params):
        return {"labels": ce(batch, student["stage1"]), "teacher": 0.0 * ce(Batch(*batch), teacher["logits"])}

    liar = replace(METHODS["kd"], name="liar", objective=objective, terms={"teacher": "everything"}, hyperparameters={})
    shapes = {"logits": (3,), "stage1": (3,)}
    terms = trace_terms(liar, shapes, {"logits": (3,)}, {})
    assert [(term.name, term.kind, term.arrows) for term in terms] == [
        ("teacher", "everything", ()),
        ("labels", "labels", (("labels", "student/stage1"),)),
    ]
