"""Initial weights depend only on seed and place in the model, and have the distributions of Keras."""

import random

import keras
import numpy as np
import pytest
from keras import initializers, layers

from stillmotion.errors import UserError
from stillmotion.networks import build_network, draw_initial_weights, initialise
from stillmotion.networks.draws import draw


def values(model):
    return [np.asarray(variable) for variable in model.variables]


def equal(first, second):
    return [np.array_equal(a, b) for a, b in zip(first, second, strict=True)]


def test_a_seed_gives_the_same_weights_whatever_ran_before():
    first = values(build_network("tinierhar", (32, 3, 5), seed=11))
    keras.utils.set_random_seed(123)
    for width in (3, 4):
        keras.Sequential([keras.Input((4,)), layers.Dense(width), layers.BatchNormalization(), layers.Dropout(0.1)])
    build_network("mlp-small", (32, 3, 5), seed=11)
    random.seed(99)
    assert all(equal(first, values(build_network("tinierhar", (32, 3, 5), seed=11))))


def test_building_leaves_pythons_and_numpys_random_numbers_alone():
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002
    build_network("deepconvlstm-lm", (32, 3, 5), seed=1)
    here = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(4)
    np.random.seed(4)  # noqa: NPY002
    assert here == (random.random(), np.random.rand())  # noqa: NPY002


def test_keras_draws_for_itself_again_after_a_build():
    before = initializers.GlorotUniform.__call__
    build_network("mlp-small", (32, 3, 5))
    assert initializers.GlorotUniform.__call__ is before
    np.testing.assert_array_equal(
        initializers.GlorotUniform(seed=3)((2, 2)), initializers.GlorotUniform(seed=3)((2, 2))
    )


def test_seeds_differ_in_every_random_weight(built):
    model = built("tinierhar")
    kernels = [place for place, variable in enumerate(model.variables) if "kernel" in variable.name]
    same = equal(draw_initial_weights(model, 1), draw_initial_weights(model, 2))
    assert kernels
    assert not any(same[place] for place in kernels)


def test_layers_of_the_same_shape_get_different_weights(built):
    model = built("motion-net-m")
    kernels = [np.asarray(model.get_layer(f"pointwise{number}").kernel) for number in (3, 4, 5, 6)]
    assert len({kernel.shape for kernel in kernels}) == 1
    assert len({kernel.tobytes() for kernel in kernels}) == 4
    gru = built("tinierhar").get_layer("bidirectional")
    assert not np.array_equal(gru.forward_layer.cell.kernel, gru.backward_layer.cell.kernel)


def test_drawing_for_another_seed_leaves_the_model_alone(built):
    model = built("mlp")
    before = values(model)
    drawn = draw_initial_weights(model, 77)
    assert all(equal(before, values(model)))
    other = build_network("mlp", (32, 3, 5), seed=77)
    assert all(equal(drawn, values(other)))


def test_dropout_draws_its_own_numbers_per_seed(built):
    model = built("mlp")
    states = [place for place, variable in enumerate(model.variables) if variable.dtype == "uint32"]
    one, two = draw_initial_weights(model, 1), draw_initial_weights(model, 2)
    assert len(states) == 4
    assert len({tuple(weights[place]) for weights in (one, two) for place in states}) == 8


def test_unnamed_layers_are_known_by_their_rank_not_by_keras_count():
    def user_model():
        inputs = keras.Input((6, 2))
        x = layers.Conv1D(3, 2)(inputs)
        return keras.Model(inputs, layers.Conv1D(3, 2)(x))

    first, second = user_model(), user_model()
    assert first.layers[1].name != second.layers[1].name
    initialise(first, 8)
    initialise(second, 8)
    assert all(equal(values(first), values(second)))
    assert not np.array_equal(first.layers[2].kernel[:, :2], first.layers[1].kernel)


def test_biases_start_as_keras_starts_them(built):
    lstm = built("deepconvlstm-lm").get_layer("lstm1")
    np.testing.assert_array_equal(lstm.cell.bias, np.repeat([0, 1, 0, 0], 8))
    assert not np.asarray(built("deepconvlstm-lm").get_layer("logits").bias).any()


def test_statistics_of_the_data_are_left_alone():
    model = keras.Sequential([keras.Input((4, 2)), layers.Normalization(), layers.Dense(2)])
    model.layers[0].adapt_mean.assign([3.0, 4.0])
    initialise(model, 1)
    np.testing.assert_array_equal(model.layers[0].adapt_mean, [3, 4])


def test_convolutions_of_deepconvlstm_are_orthogonal(built):
    kernel = np.asarray(built("deepconvlstm-om").get_layer("conv2").kernel, np.float64).reshape(-1, 64)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(64), atol=1e-5)


@pytest.mark.parametrize(
    "initialiser",
    [
        initializers.GlorotUniform(seed=7),
        initializers.HeNormal(seed=7),
        initializers.LecunNormal(seed=7),
        initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=7),
        initializers.RandomNormal(1.0, 0.5, seed=7),
        initializers.TruncatedNormal(1.0, 0.5, seed=7),
        initializers.RandomUniform(-1.0, 3.0, seed=7),
        initializers.Orthogonal(1.5, seed=7),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("shape", [(5, 3, 40, 30), (200, 30)], ids=str)
def test_draws_are_spread_as_keras_own_of_a_given_seed(initialiser, shape):
    """Mean, deviation and range of 6,000 to 18,000 draws, against Keras' initialiser itself."""
    ours, keras_own = draw(initialiser, shape, "float32", 5), np.asarray(initialiser(shape))
    assert ours.dtype == np.float32
    ours, keras_own = ours.astype(float), keras_own.astype(float)
    deviation = keras_own.std()
    assert ours.mean() == pytest.approx(keras_own.mean(), abs=0.06 * deviation)
    assert ours.std() == pytest.approx(deviation, rel=0.04)
    assert abs(ours).max() == pytest.approx(abs(keras_own).max(), rel=0.25)
    if isinstance(initialiser, initializers.Orthogonal):
        flat = ours.reshape(-1, shape[-1])
        np.testing.assert_allclose(flat.T @ flat, 1.5**2 * np.eye(shape[-1]), atol=1e-5)


def test_a_weight_without_an_initialiser_to_be_found_is_an_error_that_says_where():
    class Gate(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")

        def call(self, x):
            return x * self.scale

    model = keras.Sequential([keras.Input((3,)), Gate(name="gate")])
    with pytest.raises(UserError, match="'scale' of layer 'gate'.*scale_initializer of Gate"):
        draw_initial_weights(model, 1)
