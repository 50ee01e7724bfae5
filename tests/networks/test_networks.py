"""Every network in the list passes the same tests; one without a page or an entry fails."""

import importlib
import pkgutil
from pathlib import Path
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax import lax

import stillmotion.networks
from stillmotion.errors import UnknownName, UserError
from stillmotion.features import WindowFeatures
from stillmotion.networks import (
    Network,
    Shape,
    add_cbam,
    build_network,
    find_statistics,
    get_network,
    initialise,
    list_networks,
    network_cost,
    with_taps,
)
from stillmotion.networks.gru import build_gru
from stillmotion.networks.layers import Conv2D
from stillmotion.networks.network import begin, finish
from stillmotion.networks.recurrent import LSTM
from stillmotion.networks.resnet_lstman import IDLE

from .conftest import CHANNELS, CLASSES, SHAPE, VARIANTS, WINDOW

NAMES = [entry.name for entry in list_networks()]
#: Published sizes at (128, 6, 5) in thousands, as WHAR Arena prints them; the rest is our own design.
ARENA = {"cnn-har": 63.2, "tinyhar": 159, "tinierhar": 7.3}
OWN = {"mlp-small": 26, "motion-net-xs": 1.6, "motion-net-s": 6, "motion-net-m": 15, "motion-net-l": 61}
#: Parameters of small recurrences by hand: of all gates' matrices and biases, and of the classifier of 6 classes.
RECURRENT = {
    **{f"gru-{n}": 3 * n * (6 + n + 2) + 6 * (n + 1) for n in (4, 8, 12)},
    **{f"fastgrnn-{n}": n * (6 + n + 2) + 2 + 6 * (n + 1) for n in (8, 12)},
}
#: Parameters at HAPT's shape, 134 features of which 12 classes are told: 134 · 12 + 12; hidden units add their own.
WITH_FEATURES = {
    "feature-net-xs": 134 * 12 + 12,
    **{f"feature-net-{size}": 135 * h + (h + 1) * 12 for size, h in (("s", 16), ("m", 48), ("l", 256), ("xl", 512))},
    "hybrid-net-s": 4_252,
    "hybrid-net-m": 7_548,
    "hybrid-net-l": 23_068,
}

each_network = pytest.mark.parametrize("name", NAMES)
each_variant = pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=lambda value: value if isinstance(value, str) else "+".join(value) or "plain"
)


def test_every_file_with_networks_is_in_the_list():
    folder = stillmotion.networks.__path__
    files = [importlib.import_module(f"stillmotion.networks.{module.name}") for module in pkgutil.iter_modules(folder)]
    declared = {entry.name for file in files for entry in getattr(file, "NETWORKS", ())}
    assert declared == set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_the_list_holds_what_is_promised():
    published = {"deepconvlstm-lm", "deepconvlstm-mm", "deepconvlstm-om", "resnet-lstman", "mlp", *ARENA}
    assert published | set(OWN) | set(RECURRENT) | set(WITH_FEATURES) == set(NAMES)


@each_network
def test_network_has_a_page_with_diagram_source_and_cost(name):
    folder = Path(__file__).parents[2] / "docs" / "networks"
    text = (folder / f"{name}.md").read_text(encoding="utf-8")
    assert f"](figures/{name}.svg)" in text
    drawn = ElementTree.parse(folder / "figures" / f"{name}.svg").getroot()
    words = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"signal", "normaliser", "12"} <= set(words)  # from the input to the logits of 12 classes
    assert get_network(name).source in text
    shape = (128, 6, 12)
    counted = network_cost(build_network(name, shape))
    assert f"| {', '.join(map(str, shape))} | HAPT | {counted.params:,} | – | {counted.flops:,} |" in text


@each_network
def test_a_name_is_a_lower_case_word_with_hyphens_and_looks_itself_up(name):
    assert name == name.lower()
    assert "_" not in name
    assert get_network(name) is get_network(get_network(name))
    assert isinstance(get_network(name), Network)


@each_variant
def test_logits_have_one_number_a_class_for_every_window(name, options, studied, signal):
    logits = studied(name, options).taps["logits"]
    assert logits.shape == (len(signal), CLASSES)
    assert np.isfinite(logits).all()
    assert np.ptp(np.asarray(logits), axis=0).min() > 0  # every class hears the signal


@each_variant
def test_taps_are_what_the_entry_says(name, options, studied, signal):
    taps = studied(name, options).taps
    plain = [tap for tap in taps if "attention" not in tap]
    assert sorted(plain) == sorted(get_network(name).taps)
    maps = set(taps) - set(plain)
    kinds = ("channel", "spatial", "sensor") if "attention" in options else ()
    assert maps == {f"{kind}_attention_{number}" for number in (1, 3) for kind in kinds}
    assert all(len(value) == len(signal) for value in taps.values())
    assert taps["embedding"].ndim == 2


@each_variant
def test_gradient_reaches_every_weight(name, options, studied):
    slopes = studied(name, options).slopes
    assert all(np.isfinite(slope) for slope in slopes.values())
    idle = IDLE if name == "resnet-lstman" else ()
    assert {path for path, slope in slopes.items() if slope == 0} == set(idle)


@each_network
def test_logits_read_the_embedding(name, built):
    model = built(name)
    classifier = model.get_layer("logits")
    assert classifier.kernel.shape == (model.get_layer("embedding").output.shape[-1], CLASSES)


def training(model, windows, targets, steps):
    """A function of (weights, states) that trains ``steps`` steps inside a scan and returns the losses."""

    def step(carry, _):
        def loss(weights):
            outputs, after = model.stateless_call(weights, carry[1], windows, training=True)
            logits = outputs["logits"] if isinstance(outputs, dict) else outputs
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[:, None], axis=1)
            return -picked.mean(), after

        (value, after), slopes = jax.value_and_grad(loss, has_aux=True)(carry[0])
        return ([weight - 0.1 * slope for weight, slope in zip(carry[0], slopes, strict=True)], after), value

    return lambda weights, states: lax.scan(step, (weights, states), None, length=steps)


@each_variant
def test_network_can_be_traced_under_vmap_inside_scan(name, options, built, signal):
    model = built(name, **options)
    train = jax.vmap(training(model, signal, jnp.arange(len(signal)) % CLASSES, steps=3))
    weights, states = (
        [jax.ShapeDtypeStruct((4, *variable.shape), variable.dtype) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    (trained, after), losses = jax.eval_shape(train, weights, states)
    assert losses.shape == (4, 3)
    assert [value.shape for value in (*trained, *after)] == [value.shape for value in (*weights, *states)]
    assert all(isinstance(variable.value, jax.Array) for variable in model.variables)  # no tracer left behind


def test_replicas_under_vmap_inside_scan_learn_as_one_does_alone():
    """Normaliser, CBAM, batch normalisation, dropout, GRU both ways and LSTM in one small network."""
    inputs, x = begin(Shape(10, 2, 3))
    x = Conv2D(2, (5, 1), activation="relu", name="conv1")(keras.layers.Reshape((10, 2, 1))(x))
    x = keras.layers.BatchNormalization()(add_cbam(x, channel=1, spatial=3))
    x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.Reshape((6, 4))(x))
    x = keras.layers.Bidirectional(keras.layers.GRU(2, return_sequences=True))(x)
    model = finish(inputs, LSTM(3)(x), Shape(10, 2, 3), "mixture")
    initialise(model, 5)
    windows = np.random.default_rng(2).normal(size=(9, 10, 2)).astype(np.float32)
    train = training(model, windows, jnp.arange(9) % 3, steps=30)

    weights, states = (
        [np.asarray(v.value) for v in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    seed = model.get_layer("dropout").seed_generator.state
    dropout = next(place for place, v in enumerate(model.non_trainable_variables) if v is seed)
    several = [np.stack([state] * 3) for state in states]
    several[dropout][1, 0] += 7
    several[find_statistics(model)[0]][2] += 1.0
    (trained, after), losses = jax.jit(jax.vmap(train))([np.stack([weight] * 3) for weight in weights], several)
    (_, after_alone), alone = jax.jit(train)(weights, states)

    trained, after, losses = jax.tree.map(np.asarray, (trained, after, losses))
    np.testing.assert_allclose(losses[0], alone, rtol=1e-3)
    for replica, value in zip(after, after_alone, strict=True):
        np.testing.assert_allclose(replica[0], value, rtol=1e-2, atol=1e-4)
    assert all((new[0] != old).any() for new, old in zip(trained, weights, strict=True))  # every weight learns
    assert abs(losses[1] - losses[0]).max() > 1e-3  # its own dropout
    assert abs(losses[2] - losses[0]).max() > 1e-4  # its own statistics
    assert (after[dropout][0] != states[dropout]).any()


@each_network
def test_the_shortest_window_and_one_channel(name):
    shape = (get_network(name).least_window, 1, 2)
    model = build_network(name, shape)
    logits = model.output["logits"] if isinstance(model.output, dict) else model.output
    assert logits.shape == (None, 2)
    if get_network(name).least_window > 1:
        with pytest.raises(UserError, match=f"too short for {name}.*at least {shape[0]} samples"):
            build_network(name, (shape[0] - 1, 1, 2))


@each_network
def test_cost_counts_what_keras_holds(name, built):
    model = built(name)
    counted = network_cost(model)
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert counted.params + counted.auxiliary_params == trainable
    assert counted.flops > 2 * counted.multiply_adds > 0
    assert counted.normaliser_flops == (0 if name.startswith("feature-net") else 2 * WINDOW * CHANNELS)
    assert counted.weight_bytes_int8 < counted.weight_bytes


@pytest.mark.parametrize("name", ARENA)
def test_sizes_are_the_published_ones(name, built):
    params = network_cost(built(name, (128, 6, 5))).params
    assert params == get_network(name).published[128, 6, 5]
    assert float(f"{params / 1000:.3g}" if params > 10_000 else f"{params / 1000:.2g}") == ARENA[name]


@pytest.mark.parametrize("name", OWN)
def test_sizes_of_our_own_networks(name):
    shape = (128, 6, 12) if name == "mlp-small" else (128, 6, 6)
    assert network_cost(build_network(name, shape)).params / 1000 == pytest.approx(OWN[name], rel=0.03)


@pytest.mark.parametrize("name", RECURRENT)
def test_sizes_of_small_recurrences_are_those_by_hand(name):
    assert network_cost(build_network(name, (128, 6, 6))).params == RECURRENT[name]


def test_ten_units_on_three_axes_are_the_published_516_parameters():
    assert network_cost(build_gru(Shape(128, 3, 6), units=10, name="gru-10")).params == 516


@pytest.mark.parametrize("name", WITH_FEATURES)
def test_sizes_of_networks_with_window_features(name):
    assert network_cost(build_network(name, (128, 6, 12))).params == WITH_FEATURES[name]


def test_motion_net_has_nothing_that_int8_runtimes_lack(built):
    kinds = {layer.kind for name in NAMES if name.startswith("motion") for layer in network_cost(built(name)).layers}
    assert kinds <= {
        *("InputLayer", "Conv1D", "DepthwiseConv1D", "BatchNormalization", "Activation", "Add", "Identity"),
        *("GlobalAveragePooling1D", "Dense"),
    }
    functions = {layer.activation.__name__ for layer in built("motion-net-s").layers if hasattr(layer, "activation")}
    assert functions <= {"relu6", "linear"}


def test_resnet_lstman_attention_equals_its_formula(built, signal):
    """softmax(q kᵀ) · v + Dense(x), q, k, v the last states of three LSTMs over D steps of T samples."""
    model = built("resnet-lstman")
    names = [f"lstman1_{part}" for part in ("query", "key", "value", "skip")]
    found = jax.jit(with_taps(model, [*names, "stage4"]))(signal)
    query, key, value, skip = (np.asarray(found[name], np.float64) for name in names)
    scores = query[:, :, None] * key[:, None, :]
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(found["stage4"], (weights * value[:, None]).sum(-1) + skip, atol=1e-5)
    assert model.get_layer("lstman1_query").input.shape == (None, CHANNELS, WINDOW)


def test_an_unknown_network_suggests_a_close_one():
    with pytest.raises(UnknownName, match="Unknown network 'tinyerhar'. Did you mean 'tinierhar'.*motion-net-l"):
        build_network("tinyerhar", SHAPE)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((0, 3, 5), "at least 1 samples in a window, not 0"),
        ((32, 0, 5), "1 channels, not 0"),
        ((32, 3, 1), "2 classes"),
    ],
)
def test_an_impossible_shape_is_one_sentence(shape, says):
    with pytest.raises(UserError, match=says):
        build_network("mlp", shape)


def test_an_option_that_a_network_lacks_names_those_it_has():
    with pytest.raises(UserError, match=r"mlp takes no option 'attention' \(options: none\)"):
        build_network("mlp", SHAPE, attention="channel,after=1")


def test_networks_are_plain_keras_models_on_the_signal(built):
    for name in NAMES:
        model = built(name)
        assert isinstance(model, keras.Model)
        first = WindowFeatures if name.startswith("feature-net") else keras.layers.Normalization
        assert isinstance(model.layers[1], first)
        assert model.input_shape == (None, WINDOW, CHANNELS)
