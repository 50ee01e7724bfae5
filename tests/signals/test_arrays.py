"""Arrays become a data set: windows come back as they went in, and what does not fit is one sentence."""

import numpy as np
import pytest

import stillmotion as sm
from stillmotion.errors import UserError
from stillmotion.features import extract_array_features, extract_features
from stillmotion.signals import Channel

ACC = ["wrist.acc.x", "wrist.acc.y", "wrist.acc.z"]


def arrays(count=12, length=40, width=3, subjects=3, seed=0):
    """Windows that share nothing, text labels, three subjects in a row."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(count, length, width)).astype(np.float32)
    return X, np.array(["walk", "sit"])[np.arange(count) % 2], np.repeat(np.arange(subjects), count // subjects)


def overlapping(hop, length=40, count=30, width=3, seed=0):
    """Windows of one stream, ``hop`` apart."""
    stream = np.random.default_rng(seed).normal(size=(hop * (count - 1) + length, width)).astype(np.float32)
    return np.stack([stream[at * hop : at * hop + length] for at in range(count)])


def given_back(X, y, subjects, **more):
    data = sm.from_arrays(X, y, subjects, rate=50, channels=[f"c{at}" for at in range(X.shape[2])], **more)
    windows = sm.cut(data, null="keep")
    np.testing.assert_array_equal(windows.values(), X)
    assert [windows.subjects[at] for at in windows.subject_codes] == [str(subject) for subject in subjects]
    return data, windows


def test_windows_come_back_exactly_in_their_order():
    X, y, subjects = arrays()
    data, windows = given_back(X, y, subjects)
    assert [data.spec.classes[at] for at in windows.labels] == y.tolist()
    assert (data.spec.window, data.spec.hop, len(data)) == (40, 40, 12)
    assert not data.notes


def test_windows_of_shuffled_subjects_come_back_exactly():
    X, y, subjects = arrays()
    order = np.random.default_rng(1).permutation(12)
    given_back(X[order], y[order], subjects[order])


def test_no_window_straddles_two_at_any_hop():
    X, y, subjects = arrays(length=20)
    data = sm.from_arrays(X, y, subjects, rate=50, channels=ACC)
    windows = sm.cut(data, spec=data.spec.with_window(8, 4))
    by_hand = np.concatenate([[window[at : at + 8] for at in (0, 4, 8, 12)] for window in X])
    np.testing.assert_array_equal(windows.values(), by_hand)


def test_overlapping_windows_are_joined_and_come_back_exactly():
    X = overlapping(hop=10)
    y = np.repeat([0, 1, 0], 10)
    data, windows = given_back(X, y, ["ann"] * 30)
    assert (data.spec.hop, len(data)) == (10, 3), "a recording ends where the label changes"
    assert len(data.samples) == 3 * (9 * 10 + 40)
    assert [note.count for note in data.notes] == [29]
    assert {row["source"] for row in data.index} == {"arrays:0"}
    assert windows.labels.tolist() == y.tolist()


def test_windows_of_two_subjects_are_never_joined():
    X = overlapping(hop=20)
    data, _ = given_back(X, [0, 1] * 15, np.repeat(["ann", "bob"], 15))
    assert {row["source"] for row in data.index if row["subject"] == "bob"} == {"arrays:15"}
    data, _ = given_back(X, [0, 1] * 15, ["ann"] * 30, sessions=np.repeat([1, 2], 15))
    assert {row["source"] for row in data.index if row["session"] == "2"} == {"arrays:15"}


def test_the_audit_of_a_random_split_counts_the_samples_that_overlapping_windows_share():
    X = np.concatenate([overlapping(hop=20, length=40, count=40, seed=seed) for seed in range(3)])
    data = sm.from_arrays(X, np.arange(120) % 2, np.repeat([1, 2, 3], 40), rate=50, channels=ACC)
    windows = sm.cut(data)
    split = sm.make_splits(windows, "published")
    train, test = set(split.folds[0].train.tolist()), split.folds[0].test.tolist()
    # Window k holds samples of windows k - 1 and k + 1 of the same subject.
    sharing = sum(
        any(near in train and near // 40 == window // 40 for near in (window - 1, window + 1)) for window in test
    )
    counts = [finding.count for finding in sm.audit_splits(windows, split).findings if finding.kind == "samples"]
    assert sharing > 0
    assert counts[0] == sharing
    assert sm.audit_splits(windows, sm.make_splits(windows, "loso")).clean


def test_everything_after_it_works_on_windows():
    X, y, subjects = arrays(count=60, subjects=6)
    channels = [Channel("acc", axis, "g", "wrist") for axis in "xyz"]
    data = sm.from_arrays(0.1 * X + [0, 0, 1], y, subjects, rate=20, channels=channels, name="own")
    quality = sm.inspect(data)
    assert [(subject.subject, subject.seconds) for subject in quality.subjects] == [(str(n), 20.0) for n in range(6)]
    assert quality.usable
    windows = sm.cut(data)
    split = sm.make_splits(windows, "subjects:3")
    assert sm.audit_splits(windows, split, statistics=[sm.fit_statistics(windows, f.train) for f in split.folds]).clean
    by_hand = extract_array_features((0.1 * X + [0, 0, 1]).astype(np.float32), rate=20, sensors=["wrist.acc"] * 3)
    np.testing.assert_array_equal(extract_features(windows).values, by_hand.values)
    assert len(sm.cut(sm.resample(data, 10))) == 60
    assert sm.signals.select_sensors(data, "wrist.acc.y").samples.shape == (2400, 1)


def test_recordings_are_cut_inside_each_with_labels_of_their_samples():
    random = np.random.default_rng(0)
    lengths = [130, 77, 90]
    recordings = [random.normal(size=(length, 2)) for length in lengths]
    labels = [["sit"] * 60 + ["walk"] * 70, "walk", np.array(["sit"] * 90)]
    data = sm.from_arrays(recordings, labels, ["ann", "bob", "ann"], rate=10, channels=["pulse", "skin.gsr"])
    assert (data.spec.window, data.spec.hop) == (26, 13)
    assert [(row["start"], row["stop"]) for row in data.index] == [(0, 130), (130, 207), (207, 297)]
    windows = sm.cut(data, spec=data.spec.with_window(30, 30))
    by_hand = [part[at : at + 30] for part in recordings for at in range(0, len(part) - 29, 30)]
    np.testing.assert_array_equal(windows.values(), np.float32(by_hand))
    assert [data.spec.classes[at] for at in windows.labels] == ["sit"] * 2 + ["walk"] * 2 + ["walk"] * 2 + ["sit"] * 3


@pytest.mark.parametrize(
    ("y", "classes", "known", "codes"),
    [
        (["b", "a", "b", "a"], None, ("a", "b"), [1, 0, 1, 0]),
        (["10", "9", "9", "10"], None, ("9", "10"), [1, 0, 0, 1]),
        ([3, 7, 7, 3], None, ("3", "7"), [0, 1, 1, 0]),
        ([2, -1, 10, 2], None, ("2", "10"), [0, -1, 1, 0]),
        ([1, 0, -1, 1], ["sit", "walk", "run"], ("sit", "walk", "run"), [1, 0, -1, 1]),
        (["run", "sit", "run", "sit"], ["sit", "walk", "run"], ("sit", "walk", "run"), [2, 0, 2, 0]),
        (np.array(["a", None, "b", float("nan")], object), None, ("a", "b"), [0, -1, 1, -1]),
        (["a", "None", "", "b"], None, ("a", "b"), [0, -1, -1, 1]),
        (["none", "a", "none", "a"], ["a", "none"], ("a", "none"), [1, 0, 1, 0]),
        (np.array([0, 1, 1, 0], np.uint8), None, ("0", "1"), [0, 1, 1, 0]),
        (["a", "a", "a", "a"], ["a", "b"], ("a", "b"), [0, 0, 0, 0]),
    ],
)
def test_labels_are_text_or_whole_numbers(y, classes, known, codes):
    X = arrays(count=4, subjects=2)[0]
    data = sm.from_arrays(X, y, [1, 1, 2, 2], rate=50, channels=ACC, classes=classes)
    assert data.spec.classes == known
    assert sm.cut(data, null="keep").labels.tolist() == codes


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("wrist.acc.x", Channel("acc", "x", "", "wrist")),
        ("acc.x", Channel("acc", "x")),
        ("q.1", Channel("q", "1")),
        ("wrist.pulse", Channel("pulse", "", "", "wrist")),
        ("pulse", Channel("pulse", "")),
        ("left.wrist.acc.norm", Channel("acc", "norm", "", "left.wrist")),
    ],
)
def test_a_channels_name_says_position_sensor_and_axis(name, channel):
    assert Channel.of(name) == channel
    assert channel.name == name


def with_value(at, value):
    X = arrays()[0]
    X[at] = value
    return X


BAD = [
    ({"X": np.zeros((12, 40))}, r"windows \(n, time, channel\) or a list.*\(12, 40\).*\[X\]"),
    ({"X": np.zeros(12)}, r"\(12,\)"),
    ({"X": np.zeros((12, 3, 40))}, r"40 channels, but 3 are named; .*transpose\(0, 2, 1\)"),
    ({"X": np.zeros((12, 40, 4))}, r"4 channels, but 3 are named"),
    ({"X": np.zeros((0, 40, 3))}, r"holds no samples"),
    ({"X": np.zeros((12, 40, 3), complex)}, r"numbers, not complex128"),
    ({"X": np.full((12, 40, 3), "a")}, r"numbers, not <U1"),
    ({"X": with_value((5, 7, 1), np.nan)}, r"1 values.*window 5, sample 7, channel wrist\.acc\.y"),
    ({"X": with_value((11, 39, 2), -np.inf)}, r"window 11, sample 39, channel wrist\.acc\.z"),
    ({"X": with_value((slice(None), slice(None), 2), 9.81)}, r"channel wrist\.acc\.z is constant"),
    ({"X": arrays()[0].astype(np.float64) * 1e300}, r"infinite \(as float32\)"),
    ({"X": []}, r"holds no recordings"),
    ({"X": [np.zeros((40, 2))]}, r"recording 0 is \(40, 2\); it must be \(samples, 3\)"),
    ({"X": [[[1, 2, 3], [1, 2]]]}, r"recording 0 is ragged"),
    ({"y": ["walk"] * 11}, r"y must be \(12,\), one for every window of X, not \(11,\)"),
    ({"y": np.eye(12)}, r"y\.argmax\(axis=1\)"),
    ({"y": np.eye(12, dtype=int)}, r"must be \(12,\).*\(12, 12\).*y\.argmax\(axis=1\)"),
    ({"y": np.arange(12.0)}, r"text or whole numbers, not float64"),
    ({"y": [True, False] * 6}, r"text or whole numbers, not bool"),
    ({"y": ["walk"] * 12}, r"two classes or more, not walk alone"),
    ({"y": [-1, 1] * 6}, r"two classes or more, not 1 alone"),
    ({"y": [-2, 1, 0] * 4}, r"label -2 is not a class"),
    ({"y": [1, 2] * 6, "classes": ["sit", "walk"]}, r"label 2 is not a class; .* from 0 to 1"),
    ({"y": ["wolk"] * 12, "classes": ["sit", "walk"]}, r"Unknown class 'wolk'\. Did you mean 'walk'"),
    ({"classes": "sit"}, r"classes must be a list of names"),
    ({"classes": 2}, r"classes must be a list of names"),
    ({"classes": ["walk", "sit", "walk"]}, r"Duplicate class name.*walk"),
    ({"subjects": [1] * 11}, r"subjects must be \(12,\), one for every window of X, not \(11,\)"),
    ({"subjects": "ann"}, r"subjects must be \(12,\)"),
    ({"subjects": ["ann", None] * 6}, r"subjects: window 1 has none"),
    ({"sessions": [1, 2]}, r"sessions must be \(12,\)"),
    ({"rate": 0}, r"number of Hz above 0, not 0"),
    ({"rate": np.inf}, r"number of Hz above 0, not inf"),
    ({"rate": "50"}, r"number of Hz above 0, not '50'"),
    ({"channels": "wrist.acc.x"}, r"channels must be a list of names"),
    ({"channels": 3}, r"channels must be a list of names"),
    ({"channels": ["acc.x", "acc..y", "acc.z"]}, r"'acc\.\.y' is not a channel name"),
    ({"channels": ["acc.x", "acc.y", "acc.y"]}, r"Duplicate channel name.*acc\.y"),
    ({"channels": [Channel("acc", axis, "m/s") for axis in "xyz"]}, r"acc\.x cannot be in 'm/s'\. Valid: g, m/s2"),
]


@pytest.mark.parametrize(("changed", "message"), BAD, ids=range(len(BAD)))
def test_arrays_that_do_not_fit_are_named_in_one_sentence(changed, message):
    X, y, subjects = arrays()
    values = {"X": X, "y": y, "subjects": subjects, "rate": 50, "channels": ACC} | changed
    with pytest.raises(UserError, match=message):
        sm.from_arrays(values.pop("X"), values.pop("y"), values.pop("subjects"), **values)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 0], r"X holds 2 recordings; y must be a list of the same length"),
        ("walk", r"y must be a list of the same length"),
        ([[0] * 49, 1], r"recording 0 has 50 samples and y of shape \(49,\)"),
        (["walk", 1], r"text for some recordings and numbers for others"),
    ],
)
def test_labels_that_do_not_fit_recordings_are_named(y, message):
    recordings = [np.random.default_rng(k).normal(size=(50, 1)) for k in range(2)]
    with pytest.raises(UserError, match=message):
        sm.from_arrays(recordings, y, ["ann", "bob"], rate=50, channels=["pulse"])


def test_nan_in_a_recording_is_named_by_its_recording_and_sample():
    recordings = [np.random.default_rng(k).normal(size=(300, 1)) for k in range(3)]
    recordings[1][255] = np.nan
    with pytest.raises(UserError, match="recording 1, sample 255, channel pulse"):
        sm.from_arrays(recordings, ["a", "b", "a"], [1, 2, 3], rate=50, channels=["pulse"])


def test_what_is_done_to_the_array_later_does_not_change_the_data():
    X, y, subjects = arrays()
    data = sm.from_arrays(X, y, subjects, rate=50, channels=ACC)
    before = data.samples.copy()
    X += 1
    np.testing.assert_array_equal(data.samples, before)


def coarse(seed):
    """Windows that repeat themselves: coarse, still for long, of subjects and labels in any order, at any overlap."""
    random = np.random.default_rng([11, seed])
    length, width = int(random.integers(1, 60)), int(random.integers(1, 4))
    hop, count = int(random.integers(1, length + 1)), int(random.integers(2, 50))
    stream = random.integers(0, random.integers(2, 5), size=(hop * (count - 1) + length, width)).astype(np.float32)
    stream[random.random(len(stream)) < random.choice([0.0, 0.9])] = 1.0
    stream[0], stream[-1] = 0.0, 2.0  # no channel is constant
    X = np.stack([stream[at * hop : at * hop + length] for at in range(count)])
    if random.random() < 0.3:
        X = X[random.permutation(count)]
    y = np.repeat(random.integers(-1, 3, count), random.integers(1, 6, count))[:count]
    subjects = np.sort(random.integers(0, 3, count)) if random.random() < 0.7 else random.integers(0, 3, count)
    return X, y, subjects


@pytest.mark.parametrize("seed", range(60))
def test_windows_that_repeat_themselves_come_back_exactly(seed):
    X, y, subjects = coarse(seed)
    _, windows = given_back(X, y, subjects, classes=["a", "b", "c"])
    assert windows.labels.tolist() == y.tolist()


JUNK = [
    None,
    0,
    -1,
    1.5,
    float("nan"),
    "",
    "x",
    b"x",
    [],
    [None],
    {},
    {"a": 1},
    object(),
    np.zeros(0),
    np.zeros((2, 0, 3)),
]


def refused_or_right(where, junk):
    X, y, subjects = arrays()
    values = {"X": X, "y": y, "subjects": subjects, "rate": 50, "channels": ACC, where: junk}
    try:
        data = sm.from_arrays(values.pop("X"), values.pop("y"), values.pop("subjects"), **values)
    except UserError as error:
        return "\n" not in str(error)
    return np.array_equal(sm.cut(data, null="keep").values(), X)


@pytest.mark.parametrize("where", ["X", "y", "subjects", "rate", "channels", "classes", "sessions"])
@pytest.mark.parametrize("at", range(len(JUNK)))
def test_junk_in_any_place_is_refused_in_a_sentence_or_means_what_it_says(where, at):
    assert refused_or_right(where, JUNK[at])


def test_names_with_digits_that_are_no_numbers_are_sorted_without_a_traceback():
    X = arrays()[0]
    data = sm.from_arrays(X, ["x²", "²"] * 6, ["²", "2", "10"] * 4, rate=50, channels=ACC)
    assert (data.subjects, data.spec.classes) == (("2", "10", "²"), ("x²", "²"))
