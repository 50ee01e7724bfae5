"""RAB-KD's terms equal loops over the published formulas, in value and in gradient, at unequal widths and sizes."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from stillmotion.errors import UnknownName, UserError
from stillmotion.methods import Batch, find_taps, get_method
from stillmotion.methods.alignment import align, interpolation_matrix

RAB = get_method("rab-kd")
BATCH, CLASSES = 3, 4


def taps(*, width, time, sensors, seed):
    rng = np.random.default_rng(seed)
    return {
        "logits": rng.normal(0, 2, (BATCH, CLASSES)),
        "channel_attention_2": rng.uniform(0, 1, (BATCH, width)),
        "spatial_attention_2": rng.uniform(0, 1, (BATCH, time, sensors, 1)),
    }


def shapes(given):
    return {name: values.shape[1:] for name, values in given.items()}


def hyperparameters(**changes):
    return {name: np.float32(changes.get(name, number.default)) for name, number in RAB.hyperparameters.items()}


def labels():
    rng = np.random.default_rng(5)
    targets = rng.dirichlet(np.ones(CLASSES), BATCH).astype(np.float32)
    return Batch(targets, np.ones(BATCH, np.float32), np.zeros(CLASSES, np.float32))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def by_loops(student, teacher, aux_params, *, alpha, temperature, beta, square, batch, weighted=1.0):
    """Every term as a loop over windows, in double precision."""
    ce = kl = ca = sa = 0.0
    for b in range(BATCH):
        weight = float(batch.weights[b]) if weighted else 1.0
        ce -= sum(batch.targets[b, c] * np.log(softmax(student["logits"][b])[c]) for c in range(CLASSES))
        p, q = (softmax(each["logits"][b] / temperature) for each in (teacher, student))
        kl += weight * sum(p[c] * np.log(p[c] / q[c]) for c in range(CLASSES))
        mine, theirs = student["channel_attention_2"][b], teacher["channel_attention_2"][b]
        for who, name in (("student", "mine"), ("teacher", "theirs")):
            kernel = aux_params.get(f"{who}/channel_attention_2/kernel")
            if kernel is not None:
                values = mine if name == "mine" else theirs
                bias = aux_params[f"{who}/channel_attention_2/bias"]
                through = np.array(
                    [sum(values[i] * kernel[i, o] for i in range(len(values))) + bias[o] for o in range(len(bias))]
                )
                mine, theirs = (through, theirs) if name == "mine" else (mine, through)
        ca += sum((mine[c] - theirs[c]) ** 2 for c in range(len(theirs))) / len(theirs)
        small, large = student["spatial_attention_2"][b, ..., 0], teacher["spatial_attention_2"][b, ..., 0]
        stretched = np.stack(
            [
                np.interp(np.linspace(0, len(small) - 1, len(large)), np.arange(len(small)), column)
                for column in small.T
            ],
            axis=1,
        )
        stretched = np.stack(
            [np.interp(np.linspace(0, len(row) - 1, large.shape[1]), np.arange(len(row)), row) for row in stretched]
        )
        sa += ((stretched - large) ** 2).sum() / large.size
    factor = temperature**2 if square else 1.0
    return {
        "cross_entropy": alpha * ce / BATCH,
        "distillation": (1 - alpha) * factor * kl / BATCH,
        "channel_attention": beta * ca / BATCH,
        "spatial_attention": beta * sa / BATCH,
    }


def single(tree):
    return {name: np.asarray(values, np.float32) for name, values in tree.items()}


@pytest.mark.parametrize("project", ["student", "teacher"])
@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"width": 4, "time": 5, "sensors": 3}, {"width": 6, "time": 5, "sensors": 3}),
        ({"width": 4, "time": 4, "sensors": 2}, {"width": 4, "time": 7, "sensors": 5}),
        ({"width": 5, "time": 9, "sensors": 4}, {"width": 2, "time": 3, "sensors": 2}),
    ],
)
def test_every_term_is_that_of_the_formulas(mine, theirs, square, project):
    student, teacher = taps(**mine, seed=1), taps(**theirs, seed=2)
    way = get_method("rab-kd", project=project)
    aux_params = way.init_aux_params(shapes(student), shapes(teacher), 3)
    assert bool(aux_params) == (mine["width"] != theirs["width"])
    aux_params = {name: values + 0.1 if name.endswith("bias") else values for name, values in aux_params.items()}
    given = {"alpha": 0.3, "temperature": 2.5, "beta": 1.7, "square": float(square)}
    ours = way.objective(labels(), single(student), single(teacher), hyperparameters(**given), aux_params)
    expected = by_loops(student, teacher, aux_params, **given, batch=labels())
    assert set(ours) == set(expected)
    for name, value in expected.items():
        assert float(ours[name]) == pytest.approx(value, rel=2e-4), name


def test_gradients_of_student_and_projector_are_those_of_the_formulas():
    student, teacher = taps(width=3, time=4, sensors=2, seed=1), taps(width=5, time=6, sensors=3, seed=2)
    aux_params = RAB.init_aux_params(shapes(student), shapes(teacher), 3)
    given = {"alpha": 0.4, "temperature": 3.0, "beta": 2.0, "square": 1.0}

    def ours(tree):
        return sum(RAB.objective(labels(), tree[0], single(teacher), hyperparameters(**given), tree[1]).values())

    def loops(tree):
        return sum(by_loops(tree[0], teacher, tree[1], **given, batch=labels()).values())

    by_jax = jax.jit(jax.grad(ours))((single(student), aux_params))
    double = (student, {name: values.astype(np.float64) for name, values in aux_params.items()})
    for part, tree in enumerate(double):
        for name, values in tree.items():
            slope = np.zeros_like(values)
            for at in np.ndindex(values.shape):
                kept = values[at]
                values[at] = kept + 1e-5
                up = loops(double)
                values[at] = kept - 1e-5
                slope[at] = (up - loops(double)) / 2e-5
                values[at] = kept
            np.testing.assert_allclose(by_jax[part][name], slope, atol=3e-5, err_msg=name)


def test_the_teachers_map_is_the_target_and_gets_no_gradient_from_a_projector_of_the_students():
    student, teacher = taps(width=3, time=4, sensors=2, seed=1), taps(width=5, time=4, sensors=2, seed=2)
    assert set(RAB.init_aux_params(shapes(student), shapes(teacher), 0)) == {
        "student/channel_attention_2/kernel",
        "student/channel_attention_2/bias",
    }
    turned = get_method("rab-kd", project="teacher").init_aux_params(shapes(student), shapes(teacher), 0)
    assert {name: values.shape for name, values in turned.items()} == {
        "teacher/channel_attention_2/kernel": (5, 3),
        "teacher/channel_attention_2/bias": (3,),
    }


def test_projectors_are_drawn_from_the_seed():
    one, again, other = (
        RAB.init_aux_params({"channel_attention_1": (4,)}, {"channel_attention_1": (64,)}, seed) for seed in (1, 1, 2)
    )
    name = "student/channel_attention_1/kernel"
    np.testing.assert_array_equal(one[name], again[name])
    assert np.abs(one[name] - other[name]).max() > 0.1
    assert np.abs(one[name]).max() <= np.sqrt(6 / 68)


def test_several_blocks_are_paired_in_the_order_of_their_convolutions():
    rng = np.random.default_rng(0)
    mine = {f"channel_attention_{n}": rng.uniform(size=(2, 3)).astype(np.float32) for n in (2, 10)}
    theirs = {f"channel_attention_{n}": rng.uniform(size=(2, 3)).astype(np.float32) for n in (10, 2)}
    logits = {"logits": np.zeros((2, CLASSES), np.float32)}
    batch = Batch(np.eye(CLASSES, dtype=np.float32)[:2], np.ones(2), np.zeros(CLASSES))
    terms = RAB.objective(batch, mine | logits, theirs | logits, hyperparameters(beta=1), {})
    expected = sum(np.mean((mine[name] - theirs[name]) ** 2) for name in mine)
    assert float(terms["channel_attention"]) == pytest.approx(expected, rel=1e-5)


def test_unequal_numbers_of_maps_are_refused():
    with pytest.raises(UserError, match="2 maps of channel attention and the teacher 1"):
        RAB.init_aux_params(
            {"channel_attention_1": (4,), "channel_attention_2": (4,)}, {"channel_attention_1": (4,)}, seed=0
        )


@pytest.mark.parametrize(("source", "target"), [(2, 7), (7, 2), (5, 5), (1, 4), (6, 1)])
def test_interpolation_is_numpys_along_one_axis(source, target):
    values = np.random.default_rng(0).normal(size=source)
    weights = interpolation_matrix(source, target)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-6)
    expected = (
        [values.mean()] if target == 1 else np.interp(np.linspace(0, source - 1, target), np.arange(source), values)
    )
    np.testing.assert_allclose(weights @ values, expected, atol=1e-6)


def test_a_map_over_time_alone_is_compared_with_one_over_time_and_sensors():
    flat = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    wide = np.asarray(align(flat, (4, 3)))
    np.testing.assert_allclose(wide, np.repeat(flat[:, :, None], 3, axis=2), rtol=1e-6)
    np.testing.assert_allclose(align(wide, (4,)), flat, rtol=1e-6)


def test_taps_are_found_by_pattern_and_what_is_missing_is_named():
    there = ["stage1", "channel_attention_2", "spatial_attention_2", "logits"]
    found = find_taps(("logits", "*_attention_*"), there, method="rab-kd", network="net")
    assert found == ("logits", "channel_attention_2", "spatial_attention_2")
    with pytest.raises(UserError, match=r"rab-kd needs \*_attention_\* of net, which has logits: give it attention"):
        find_taps(("logits", "*_attention_*"), ["logits"], method="rab-kd", network="net")


def test_an_unknown_option_or_choice_is_named_with_the_valid_ones():
    with pytest.raises(UnknownName, match="project"):
        get_method("rab-kd", direction="student")
    with pytest.raises(UnknownName, match="student"):
        get_method("rab-kd", project="both")
    assert get_method("rab-kd").chosen == {"project": "student"}
    assert get_method("rab-kd", project="teacher").chosen == {"project": "teacher"}
