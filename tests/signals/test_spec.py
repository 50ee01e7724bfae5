import json

import pytest

from stillmotion.errors import ContractError, UserError
from stillmotion.signals import Channel, SignalSpec

WATCH = SignalSpec(
    rate=50.0,
    channels=tuple(Channel("acc", axis, "g", "wrist") for axis in "xyz"),
    classes=("walk", "sit"),
    window=128,
    hop=64,
)


def test_names_are_position_sensor_axis_and_leave_out_what_is_not_known():
    assert WATCH.channel_names == ("wrist.acc.x", "wrist.acc.y", "wrist.acc.z")
    assert Channel("acc", "x").name == "acc.x"
    assert WATCH.groups == ("wrist.acc",)
    assert WATCH.seconds == 2.56


def test_a_contract_survives_json():
    assert SignalSpec.from_dict(json.loads(json.dumps(WATCH.to_dict()))) == WATCH


def test_another_window_keeps_the_share_of_the_hop():
    assert (WATCH.with_window(50).window, WATCH.with_window(50).hop) == (50, 25)
    assert WATCH.with_window(50, 50).hop == 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 100.0}, "rate 50 Hz against 100 Hz"),
        ({"channels": (Channel("acc", "x", "g", "wrist"),)}, "against [wrist.acc.x]"),
        ({"channels": tuple(Channel("acc", a, "m/s2", "wrist") for a in "xyz")}, "wrist.acc.x in g against m/s2"),
        ({"channels": tuple(Channel("acc", a, "", "wrist") for a in "xyz")}, "g against unknown unit"),
        ({"window": 64}, "window 128 against 64 samples"),
        ({"classes": ("sit", "walk")}, "classes [walk, sit] against [sit, walk]"),
    ],
)
def test_data_that_does_not_fit_is_refused_with_both_sides_named(change, message):
    other = SignalSpec(**{**WATCH.__dict__, **change})
    with pytest.raises(ContractError) as refusal:
        WATCH.require_fit(other)
    assert message in str(refusal.value)


def test_a_clock_within_one_percent_fits():
    WATCH.require_fit(SignalSpec(**{**WATCH.__dict__, "rate": 50.4}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0.0}, "above 0 Hz"),
        ({"channels": ()}, "at least one channel"),
        ({"window": 0}, "at least 1 sample"),
        ({"label_policy": "best"}, "majority, first, all-equal"),
        ({"label_share": 1.5}, "between 0 and 1"),
        ({"classes": ("walk", "walk")}, "Duplicate class name .*: walk"),
    ],
)
def test_a_senseless_contract_is_refused_in_one_sentence(change, message):
    with pytest.raises(UserError, match=message):
        SignalSpec(**{**WATCH.__dict__, **change})


def test_unknown_and_missing_keys_are_named():
    with pytest.raises(UserError, match="lacks hop"):
        SignalSpec.from_dict({key: value for key, value in WATCH.to_dict().items() if key != "hop"})
    with pytest.raises(UserError, match="Unknown key in a signal contract: rte"):
        SignalSpec.from_dict({**WATCH.to_dict(), "rte": 3})
