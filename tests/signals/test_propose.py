"""A look at a table proposes how to read it, and says what it does not know."""

import json

import numpy as np
import pytest

from stillmotion.cli import main
from stillmotion.errors import ProposedMappingWarning, UserError
from stillmotion.signals import TableMap, load, propose_mapping

from .test_tables import lines, signal, write


def table(path, heading, count=100, step=0.02, **columns):
    """A table with the columns of a heading; those not given are standing about, in g."""
    random = np.random.default_rng(0)
    rows = []
    for n in range(count):
        cells = []
        for name in heading.split(","):
            if name in columns:
                cells.append(str(columns[name](n)))
            else:
                cells.append(f"{random.normal(1.0 if name.lower().endswith('z') else 0.0, 0.02):.4f}")
        rows.append(",".join(cells))
    return write(path, rows, heading)


USUAL = {"subject": lambda n: "ab"[n // 50], "activity": lambda n: "walk", "t": lambda n: f"{n * 0.02:.2f}"}


def test_usual_names_are_understood(tmp_path):
    path = table(tmp_path / "own.csv", "subject,t,activity,wrist_acc_x,wrist_acc_y,wrist_acc_z,gx,gy,gz,pulse", **USUAL)
    found = propose_mapping(path)
    assert found.complete
    assert dict(found.values) == {
        "files": "own.csv",
        "subject": "subject",
        "label": "activity",
        "time": "t",
        "unit_of_time": "s",
        "sensors": {
            "wrist.acc": {"columns": ["wrist_acc_x", "wrist_acc_y", "wrist_acc_z"], "unit": "g"},
            "gyr": {"columns": ["gx", "gy", "gz"]},
            "pulse": {"columns": ["pulse"]},
        },
    }
    assert any("unit of gyr is not known" in remark for remark in found.remarks)
    assert load(path, mapping=found.mapping()).spec.groups == ("wrist.acc", "gyr", "pulse")


@pytest.mark.parametrize(
    ("heading", "group", "unit"),
    [
        ("AccX,AccY,AccZ", "acc", "g"),
        ("Accelerometer X (m/s²),Accelerometer Y (m/s²),Accelerometer Z (m/s²)", "acc", "m/s2"),
        ("left-ankle gyro x [deg/s],left-ankle gyro y [deg/s],left-ankle gyro z [deg/s]", "left-ankle.gyr", "deg/s"),
        ("gyro_x_dps,gyro_y_dps,gyro_z_dps", "gyr", "deg/s"),
        ("chest.mag.x,chest.mag.y,chest.mag.z", "chest.mag", ""),
        ("x,y,z", "xyz", ""),
    ],
)
def test_names_of_sensors_in_many_spellings(tmp_path, heading, group, unit):
    found = propose_mapping(table(tmp_path / "own.csv", f"subject,t,{heading}", **USUAL))
    assert {name: what.get("unit", "") for name, what in found.values["sensors"].items()} == {group: unit}


@pytest.mark.parametrize(
    ("time", "unit"),
    [
        (lambda n: f"{1000 + n * 0.02:.2f}", "s"),
        (lambda n: n * 20, "ms"),
        (lambda n: 1_760_000_000_000_000 + n * 20_000, "us"),
        (lambda n: n * 20_000_000, "ns"),
        (lambda n: f"2026-03-01 10:00:{n * 0.02:05.2f}", "iso"),
    ],
)
def test_the_unit_of_the_clock_is_the_one_that_gives_a_rate(tmp_path, time, unit):
    found = propose_mapping(
        table(tmp_path / "own.csv", "subject,timestamp,ax,ay,az", timestamp=time, subject=USUAL["subject"])
    )
    assert found.values["unit_of_time"] == unit
    assert load(found.path, mapping=found.mapping()).spec.rate == 50


def test_what_is_missing_is_said_and_can_be_given(tmp_path):
    path = table(tmp_path / "own.csv", "n,ax,ay,az,remark", n=lambda n: n, remark=lambda n: "fine")
    found = propose_mapping(path)
    assert not found.complete
    assert "no column looks like a time" in found.missing[0]
    assert any("count as one subject" in remark for remark in found.remarks)
    assert any("looks like a label" in remark for remark in found.remarks)
    assert any("hold text or nothing: remark" in remark for remark in found.remarks)
    with pytest.raises(UserError, match="own.csv: no column looks like a time"):
        found.mapping()
    assert propose_mapping(path, {"rate": 50, "sensors": {"acc": ["ax", "ay", "az"]}}).complete
    counter = propose_mapping(path, {"time": "n"})
    assert "counts 1, 2, 3" in counter.missing[0]


def test_the_text_of_a_proposal_is_a_mapping_also_from_another_folder(tmp_path):
    (tmp_path / "data").mkdir()
    path = table(tmp_path / "data" / "own.csv", "subject,t,activity,ax,ay,az", **USUAL)
    (tmp_path / "own.toml").write_text(propose_mapping(path).to_toml(tmp_path))
    mapping = TableMap.from_toml(tmp_path / "own.toml")
    assert mapping.devices[0].files == "data/own.csv"
    assert len(load(tmp_path / "own.toml").samples) == 100


def test_a_table_without_a_mapping_is_read_by_the_proposed_one_which_is_named(tmp_path):
    path = table(tmp_path / "walks.csv", "subject,t,activity,ax,ay,az,gx,gy,gz", **USUAL)
    with pytest.warns(ProposedMappingWarning, match="walks.csv has no mapping") as caught:
        data = load(path)
    message = str(caught[0].message)
    for part in ("subject = subject", "label = activity", "time = t", "unit_of_time = s", "acc = ax ay az in g"):
        assert part in message
    assert "the unit of gyr is not known" in message
    assert "still inspect" in message
    assert "subject = subject" in next(note.text for note in data.notes if note.kind == "proposed mapping")
    given = load(path, mapping=propose_mapping(path).mapping())
    np.testing.assert_array_equal(data.samples, given.samples)
    assert (data.spec, data.index, given.notes) == (given.spec, given.index, ())


def test_a_given_mapping_is_never_replaced_by_a_proposed_one(tmp_path):
    path = table(tmp_path / "walks.csv", "subject,t,activity,ax,ay,az", **USUAL)
    (tmp_path / "other.toml").write_text(
        'files = "walks.csv"\nrate = 25\n[sensors.acc]\ncolumns = ["ax", "ay", "az"]\nunit = "m/s2"\n'
    )
    for mapping in (tmp_path / "other.toml", str(tmp_path / "other.toml"), TableMap.from_toml(tmp_path / "other.toml")):
        data = load(path, mapping=mapping)
        assert (data.spec.rate, data.subjects, data.spec.channels[0].unit) == (25, ("1",), "m/s2")
    (tmp_path / "other.toml").rename(tmp_path / "walks.toml")
    assert load(path).spec.rate == 25
    assert load("walks.csv", data=tmp_path).spec.rate == 25


def test_what_a_proposal_lacks_is_named_in_the_words_of_a_mapping(tmp_path):
    path = table(tmp_path / "walks.csv", "ax,ay,az")
    with pytest.raises(UserError, match=r"walks.csv: no column looks like a time: .*rate = 50.*mapping=") as caught:
        load(path)
    assert "--" not in str(caught.value)
    with pytest.warns(ProposedMappingWarning, match="rate = 50 Hz"):
        assert load(path, mapping=propose_mapping(path, {"rate": 50})).spec.rate == 50


def still(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_inspect_proposes_shows_what_is_wrong_and_saves(tmp_path, capsys):
    rows = [line for who in "abcd" for line in lines(who, *signal(400, seed=ord(who)))]
    path = write(tmp_path / "own.csv", rows)
    code, out, err = still(
        capsys, "inspect", path, "--subject", "who", "--label", "what", "--save", tmp_path / "own.toml"
    )
    assert (code, err) == (0, "")
    assert "has no mapping. Proposed" in out
    assert "1,600 samples, 4 subjects" in out
    code, out, _ = still(capsys, "inspect", path, "--json")
    assert json.loads(out)["name"] == "own", "the saved mapping is taken from beside the table"
    assert "proposal" not in json.loads(out)
    code, out, err = still(capsys, "inspect", path, "--save", tmp_path / "own.toml")
    assert code == 2
    assert "nothing to write" in err
    code, out, _ = still(capsys, "audit", path, "--protocol", "loso", "--window", "50")
    assert code == 0
    assert "Clean" in out


def test_inspect_of_a_table_that_cannot_be_read_yet_says_what_is_missing(tmp_path, capsys):
    path = table(tmp_path / "own.csv", "ax,ay,az")
    code, out, err = still(capsys, "inspect", path)
    assert code == 2
    assert "no column looks like a time" in err
    assert "Proposed" in out
    code, out, _ = still(capsys, "inspect", path, "--hz", "50", "--channel", "wrist.acc=ax,ay,az:g", "--json")
    quality = json.loads(out)
    assert code == 1, "two seconds are shorter than a window"
    assert [each["kind"] for each in quality["findings"] if each["consequence"] == "refused"] == ["short recordings"]
    assert quality["channels"] == ["wrist.acc.x", "wrist.acc.y", "wrist.acc.z"]
    assert quality["proposal"]["mapping"]["rate"] == 50


def test_audit_of_a_table_proposes_what_flags_leave_open_and_says_so(tmp_path, capsys):
    path = write(tmp_path / "own.csv", [line for who in "abcd" for line in lines(who, *signal(400, seed=ord(who)))])
    code, out, err = still(
        capsys, "audit", path, "--subject", "who", "--label", "what", "--protocol", "loso", "--window", "50"
    )
    assert code == 0
    assert "Clean" in out
    assert "note: " in err
    assert "subject = who, label = what, time = t" in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--channel", "ax,ay"], "is not a sensor; expected such as"),
        (["--rename", "walk"], "--rename takes OLD=NEW"),
        (["--save", "/nowhere/own.toml"], "folder /nowhere does not exist"),
    ],
)
def test_flags_with_a_mistake_say_so(tmp_path, capsys, flags, message):
    path = write(tmp_path / "own.csv", lines("a", *signal()))
    code, _, err = still(capsys, "inspect", path, *flags)
    assert code == 2
    assert message in err
