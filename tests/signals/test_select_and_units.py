import numpy as np
import pytest

from stillmotion.errors import UnknownName, UserError
from stillmotion.signals import convert_units, select_classes, select_sensors

from .subjects import SPEC, dataset, recording


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        ("wrist.gyr,wrist.acc", [3, 4, 5, 0, 1, 2]),
        ("wrist.acc.z", [2]),
        ("acc", [0, 1, 2]),
        ("wrist", [0, 1, 2, 3, 4, 5]),
        (["acc.x", "wrist.gyr"], None),
        ("wrist.acc, wrist.acc.x", [0, 1, 2]),
    ],
)
def test_sensors_are_chosen_by_name_in_the_order_asked_for(asked, columns):
    data = dataset()
    if columns is None:
        with pytest.raises(UnknownName, match=r"Unknown sensor 'acc.x'.*Valid: wrist.acc, wrist.gyr, wrist"):
            select_sensors(data, asked)
        return
    chosen = select_sensors(data, asked)
    np.testing.assert_array_equal(chosen.samples, data.samples[:, columns])
    assert chosen.spec.channel_names == tuple(SPEC.channel_names[column] for column in columns)
    np.testing.assert_array_equal(chosen.recordings[1].samples, data.recordings[1].samples[:, columns])


def test_no_sensor_is_an_error_and_a_near_miss_is_proposed():
    with pytest.raises(UserError, match="No sensor was named"):
        select_sensors(dataset(), " , ")
    with pytest.raises(UnknownName, match="Did you mean 'wrist.acc'"):
        select_sensors(dataset(), "wrist.ac")


def test_dropped_classes_leave_samples_without_one():
    data = dataset(recording(labels=[0] * 100 + [1] * 300 + [-1] * 100))
    kept = select_classes(data, ["sit"])
    assert kept.spec.classes == ("sit",)
    assert np.bincount(kept.labels + 1).tolist() == [200, 300]
    assert select_classes(dataset(recording(labels=[1] * 500))).spec.classes == ("sit",)
    assert select_classes(data) is data
    swapped = select_classes(data, ["sit", "walk"])
    assert np.bincount(swapped.labels + 1).tolist() == [100, 300, 100]
    with pytest.raises(UnknownName, match="Unknown class 'run'"):
        select_classes(data, ["run"])
    with pytest.raises(UserError, match="no labelled sample"):
        select_classes(dataset(recording(labels=[-1] * 500)))


def test_units_convert_there_and_back():
    data = dataset()
    other = convert_units(data, acc="m/s2", gyr="deg/s")
    np.testing.assert_allclose(other.samples[:, :3], data.samples[:, :3] * 9.80665, rtol=1e-6)
    np.testing.assert_allclose(other.samples[:, 3:], np.degrees(data.samples[:, 3:]), rtol=1e-6)
    assert [channel.unit for channel in other.spec.channels] == ["m/s2"] * 3 + ["deg/s"] * 3
    np.testing.assert_allclose(convert_units(other, acc="g", gyr="rad/s").samples, data.samples, rtol=1e-5)
    assert convert_units(data, acc="g") is data


def test_units_are_never_guessed():
    with pytest.raises(UserError, match="acc cannot be given in 'rad/s'. Valid: g, m/s2"):
        convert_units(dataset(), acc="rad/s")
    with pytest.raises(UserError, match="Unknown sensor 'ecg'"):
        convert_units(dataset(), ecg="mV")
    spec = type(SPEC)(
        **{**SPEC.__dict__, "channels": tuple(type(c)(c.sensor, c.axis, "", c.position) for c in SPEC.channels)}
    )
    with pytest.raises(UserError, match="unit of wrist.acc.x is not known"):
        convert_units(dataset(spec=spec), acc="g")
