"""Tables of one's own come in as they are, whatever their shape and clock."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillmotion.signals import TableMap, load, resample
from stillmotion.signals.tables import gather

ACC = {"wrist.acc": {"columns": ["ax", "ay", "az"], "unit": "g"}}
MAPPING = {"subject": "who", "label": "what", "time": "t", "sensors": ACC}
LABELS = ("walk", "sit")


def signal(count=300, seed=0, rate=50.0, start=0.0):
    random = np.random.default_rng(seed)
    return start + np.arange(count) / rate, random.normal(0, 1, (count, 3)).astype(np.float32)


def lines(who, times, values, labels=None):
    labels = [LABELS[n * 2 // len(times)] for n in range(len(times))] if labels is None else labels
    return [
        f"{who},{label},{t:.9g},{x:.9g},{y:.9g},{z:.9g}"
        for label, t, (x, y, z) in zip(labels, times.tolist(), values.tolist(), strict=True)
    ]


def write(path, rows, heading="who,what,t,ax,ay,az"):
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


def noted(data):
    return {note.kind: note.count for note in data.notes}


@pytest.fixture(params=["csv", "gz", "semicolons", "parquet", "utf-16"])
def table(request, tmp_path):
    """The same three subjects in every kind of file."""
    subjects = {who: signal(seed=number) for number, who in enumerate("abc")}
    rows = [line for who, (t, v) in subjects.items() for line in lines(who, t, v)]
    path = write(tmp_path / "own.csv", rows)
    text = path.read_text()
    if request.param == "gz":
        path = tmp_path / "own.csv.gz"
        path.write_bytes(gzip.compress(text.encode()))
    elif request.param == "semicolons":
        path.write_text(text.replace(",", ";").replace(".", ","))
    elif request.param == "utf-16":
        path.write_text(text, encoding="utf-16")
    elif request.param == "parquet":
        cells = [row.split(",") for row in rows]
        columns = dict(zip(("who", "what", "t", "ax", "ay", "az"), zip(*cells, strict=True), strict=True))
        made = {name: pa.array(cells) for name, cells in columns.items()}
        for name in ("t", "ax", "ay", "az"):
            made[name] = made[name].cast(pa.float64())
        path = tmp_path / "own.parquet"
        pq.write_table(pa.table(made), path, row_group_size=100)
    return path, subjects


def test_every_row_of_every_kind_of_file_comes_back(table):
    path, subjects = table
    for data in (load(path, mapping=MAPPING), load(path, mapping=MAPPING)):  # read, then mapped from the cache
        assert data.spec.rate == 50
        assert data.spec.classes == ("sit", "walk")
        assert data.spec.channel_names == ("wrist.acc.x", "wrist.acc.y", "wrist.acc.z")
        assert [(r.subject, r.session, r.offset) for r in data.recordings] == [
            (who, "1", 300 * n + (1 if path.suffix == ".parquet" else 2)) for n, who in enumerate("abc")
        ]
        for recording, (times, values) in zip(data.recordings, subjects.values(), strict=True):
            assert recording.samples.tobytes() == values.tobytes()
            np.testing.assert_allclose(recording.times, times, atol=1e-9)
            assert recording.labels.tolist() == [1] * 150 + [0] * 150


def test_one_file_per_recording_is_read_by_what_its_name_says(tmp_path):
    made = {}
    for who, take in (("2", "a"), ("10", "a"), ("10", "b")):
        times, values = signal(seed=len(made))
        rows = [line.split(",", 2)[2] for line in lines(who, times, values)]
        write(tmp_path / f"subject-{who}_{take}.csv", rows, "t,ax,ay,az")
        made[who, take] = values
    mapping = {"files": "subject-{subject}_{session}.csv", "time": "t", "sensors": ACC}
    data = load(tmp_path, mapping=mapping)
    assert [(r.subject, r.session) for r in data.recordings] == list(made)
    for recording, values in zip(data.recordings, made.values(), strict=True):
        assert recording.samples.tobytes() == values.tobytes()
    assert data.spec.classes == ()


def test_folders_may_name_the_subject_and_files_the_label_and_a_renamed_one_is_read_anew(tmp_path):
    for who in ("ann", "bob"):
        (tmp_path / who).mkdir()
        for label in LABELS:
            write(
                tmp_path / who / f"{label}.csv", [row.split(",", 2)[2] for row in lines(who, *signal())], "t,ax,ay,az"
            )
    mapping = {"files": "{subject}/{label}.csv", "time": "t", "sensors": ACC}
    data = load(tmp_path, mapping=mapping)
    assert [(r.subject, data.spec.classes[r.labels[0]]) for r in data.recordings] == [
        ("ann", "sit"), ("ann", "walk"), ("bob", "sit"), ("bob", "walk")
    ]  # fmt: skip
    assert len({r.source for r in data.recordings}) == 4
    (tmp_path / "bob").rename(tmp_path / "cat")
    assert load(tmp_path, mapping=mapping).subjects == ("ann", "cat")


def test_subjects_whose_rows_alternate_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("stillmotion.signals.tables.batches.BLOCK", 4096)
    subjects = {who: signal(seed=number) for number, who in enumerate("abc")}
    mixed = [line for group in zip(*(lines(who, *p) for who, p in subjects.items()), strict=True) for line in group]
    data = load(write(tmp_path / "own.csv", mixed), mapping=MAPPING)
    assert data.subjects == ("a", "b", "c")
    for recording in data.recordings:
        assert recording.samples.tobytes() == subjects[recording.subject][1].tobytes()


def test_blocks_of_any_size_give_the_same_recordings(tmp_path, monkeypatch):
    times, values = signal(2000)
    times[700:] += 1  # a gap
    times[900] = times[899]  # a repeat
    times[1000] -= 0.5  # a straggler
    times[1500:] -= 100  # a clock set back
    path = write(tmp_path / "own.csv", lines("a", times, values))
    whole = load(path, mapping=MAPPING, cache=False)
    assert noted(whole) == {
        "gaps in a clock, each ending a recording": 1,
        "repeated timestamps dropped": 1,
        "late samples dropped": 1,
        "backward jumps of a clock, each a new session": 1,
    }
    assert [(len(r), r.session, r.offset) for r in whole.recordings] == [
        (700, "1", 2),
        (798, "1", 702),
        (500, "1 (2)", 1502),
    ]
    for block in (500, 1700, 30_000):
        monkeypatch.setattr("stillmotion.signals.tables.batches.BLOCK", block)
        again = load(path, mapping=MAPPING, cache=False)
        assert again.index == whole.index
        assert again.samples.tobytes() == whole.samples.tobytes()
        assert noted(again) == noted(whole)


def test_a_subject_who_returns_without_a_clock_begins_a_new_recording(tmp_path):
    rows = [line for who in "aba" for line in lines(who, *signal(100))]
    mapping = {"subject": "who", "label": "what", "rate": 25, "sensors": ACC}
    data = load(write(tmp_path / "own.csv", rows), mapping=mapping)
    assert [(r.subject, len(r), r.offset) for r in data.recordings] == [("a", 100, 2), ("b", 100, 102), ("a", 100, 202)]
    assert data.times is None
    assert data.spec.rate == 25


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("ms", lambda t: f"{1000 * t:.0f}"),
        ("ns", lambda t: f"{1_760_000_000_000_000_000 + round(t * 1e9)}"),
        ("iso", lambda t: str(np.datetime64("2026-03-01T10:00:00.000") + np.timedelta64(round(t * 1000), "ms"))),
        ("iso", lambda t: f"{np.datetime64('2026-03-01T10:00:00.000') + np.timedelta64(round(t * 1000), 'ms')}Z"),
    ],
)
def test_clocks_count_in_any_unit_and_in_dates(tmp_path, unit, written):
    times, values = signal()
    rows = [f"{written(t)},{x:.9g},{y:.9g},{z:.9g}" for t, (x, y, z) in zip(times, values.tolist(), strict=True)]
    path = write(tmp_path / "own.csv", rows, "t,ax,ay,az")
    data = load(path, mapping={"time": "t", "unit_of_time": unit, "sensors": ACC})
    np.testing.assert_allclose(np.diff(data.times), 0.02, atol=1e-6)
    assert data.spec.rate == 50


def moving(times):
    return np.stack([np.sin(2 * np.pi * 1.5 * times + phase) for phase in (0, 1, 2)], axis=1).astype(np.float32)


def test_devices_with_uneven_clocks_of_their_own_are_joined_on_the_first_ones(tmp_path):
    random = np.random.default_rng(3)
    watch = np.sort(np.arange(600) * 0.02 + random.uniform(-0.004, 0.004, 600)) + 5
    phone = np.arange(500) * 0.025 + 5.1
    phone_written = np.insert(phone, 100, phone[100])  # a repeated sample
    phone_written[200] -= 0.2  # a late one
    for who in "ab":
        write(tmp_path / f"watch_{who}.csv", lines(who, watch, moving(watch)))
        rows = lines(who, phone_written - 3600, moving(phone_written))
        write(tmp_path / f"phone_{who}.csv", [row.split(",", 2)[2] for row in rows], "t,gx,gy,gz")
    mapping = {
        "files": "watch_{subject}.csv",
        "label": "what",
        "time": "t",
        "sensors": ACC,
        "devices": {
            "phone": {
                "files": "phone_{subject}.csv",
                "offset": 3600,
                "sensors": {"pocket.gyr": {"columns": ["gx", "gy", "gz"]}},
            }
        },
    }
    data = load(tmp_path, mapping=mapping)
    assert data.spec.groups == ("wrist.acc", "pocket.gyr")
    assert noted(data)["repeated timestamps dropped"] == 2
    assert noted(data)["late samples dropped"] == 2
    for recording in data.recordings:
        overlap = (watch >= 5.1) & (watch <= phone[-1])
        np.testing.assert_allclose(recording.times, watch[overlap], atol=1e-7)
        assert recording.samples[:, :3].tobytes() == moving(watch[overlap]).tobytes() or np.allclose(
            recording.samples[:, :3], moving(watch[overlap]), atol=1e-6
        )
        # local cubics at 40 Hz carry 1.5 Hz to within a hundredth
        np.testing.assert_allclose(recording.samples[:, 3:], moving(watch[overlap]), atol=0.02)
        assert set(recording.labels.tolist()) == {0, 1}
    assert resample(data, 25).spec.rate == 25


def test_devices_may_be_rows_of_one_table(tmp_path):
    times, values = signal()
    rows = []
    for line in lines("a", times, values):
        rows += [f"watch,{line}", f"ring,{line}"]
    path = write(tmp_path / "own.csv", rows, "device,who,what,t,ax,ay,az")
    mapping = MAPPING | {
        "where": {"device": "watch"},
        "devices": {"ring": {"where": {"device": "ring"}, "sensors": {"finger.acc": ["ax", "ay", "az"]}}},
    }
    data = load(path, mapping=mapping)
    np.testing.assert_array_equal(data.samples[:, :3], values)
    np.testing.assert_array_equal(data.samples[:, 3:], values)


def test_channels_need_neither_unit_nor_position_and_need_not_be_motion(tmp_path):
    rows = [f"a,{n},{60 + n % 5},{n % 7}" for n in range(200)]
    path = write(tmp_path / "own.csv", rows, "who,second,pulse,cadence")
    mapping = {"subject": "who", "time": "second", "sensors": {"pulse": "pulse", "cadence": "cadence"}, "window": 10}
    data = load(path, mapping=mapping)
    assert data.spec.channel_names == ("pulse", "cadence")
    assert {channel.unit for channel in data.spec.channels} == {""}
    assert (data.spec.rate, data.spec.window, data.spec.hop) == (1, 10, 5)


def test_short_losses_are_bridged_and_long_ones_end_a_recording(tmp_path):
    times, values = signal()
    rows = lines("a", times, values)
    for n in (*range(50, 53), *range(100, 120)):
        rows[n] = ",".join([*rows[n].split(",")[:4], "", "NaN"])
    data = load(write(tmp_path / "own.csv", rows), mapping=MAPPING)
    assert noted(data) == {"short losses bridged": 3, "samples without a number, dropped": 20}
    assert [(len(r), r.offset) for r in data.recordings] == [(100, 2), (180, 122)]
    assert data.recordings[1].samples.tobytes() == values[120:].tobytes()
    np.testing.assert_allclose(data.recordings[1].times, times[120:])


def test_empty_lines_above_and_a_file_without_a_heading_are_read(tmp_path):
    times, values = signal()
    path = write(tmp_path / "own.csv", lines("a", times, values))
    path.write_text("\n\n" + path.read_text())
    data = load(path, mapping=MAPPING)
    assert noted(data) == {}
    assert data.recordings[0].offset == 4
    bare = tmp_path / "bare.txt"
    bare.write_text("\n".join(lines("a", times, values)).replace(",", "\t"))
    data = load(bare, mapping=MAPPING | {"heading": ["who", "what", "t", "ax", "ay", "az"]})
    assert data.samples.tobytes() == values.tobytes()
    assert data.recordings[0].offset == 1


def test_a_mapping_is_a_file_beside_the_table_and_reads_back_as_it_was_written(tmp_path):
    times, values = signal()
    write(tmp_path / "own.csv", lines("a", times, values, ["Walkin"] * 300))
    values_given = MAPPING | {"files": "own.csv", "rename": {"Walkin": "walk"}, "no_label": ["idle"], "window": 1.0}
    text = TableMap.of(values_given, tmp_path).to_toml()
    (tmp_path / "own.toml").write_text(text)
    assert TableMap.from_toml(tmp_path / "own.toml") == TableMap.of(values_given, tmp_path)
    by_toml, by_table = load(tmp_path / "own.toml"), load(tmp_path / "own.csv")
    assert by_toml.name == by_table.name == "own"
    assert by_toml.spec.classes == ("walk",)
    assert noted(by_toml) == {"labels renamed": 300}
    assert load("own.csv", data=tmp_path).spec.window == 50


def test_nothing_is_left_of_a_table_that_was_being_read(tmp_path, own_cache):
    path = write(tmp_path / "own.csv", lines("a", *signal()))
    load(path, mapping=MAPPING)
    assert [entry.name[:6] for entry in (own_cache / "recordings").iterdir()] == ["table-"]
    assert {entry.name for entry in own_cache.iterdir()} <= {"recordings", "contents.json"}


def test_moving_rows_to_the_front_keeps_them_in_order():
    column = np.arange(gather.CHUNK * 2 + 10)
    gather._move(column, 7, 3, gather.CHUNK * 2)
    np.testing.assert_array_equal(column[3 : 3 + gather.CHUNK * 2], np.arange(7, 7 + gather.CHUNK * 2))
