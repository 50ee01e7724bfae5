import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import make_archive

import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import fetch, load
from stillmotion.signals.catalog import find_folder
from stillmotion.signals.fetching.checksums import RECORD, known_sums
from stillmotion.signals.sets import spar
from tests.conftest import unavailable
from tests.publishers.measures import between_subjects
from tests.publishers.write_spar import contents, write_spar

MIRROR = np.array([-1, 1, 1, 1, -1, -1])


@pytest.fixture(scope="module")
def packaged():
    """The folder of the real file, in the installed package."""
    if find_spec("seglearn") is None:
        unavailable(f"{spar.CARD.package}, which carries the real recordings, is not installed")
    return find_folder("spar")


@pytest.mark.real
def test_recordings_equal_the_package_row_for_row_and_the_card(packaged):
    data = load("spar")
    source = np.load(packaged / "watch_dataset.npy", allow_pickle=True).item()
    assert len(data) == len(source["X"])
    for number, recording in enumerate(data.recordings):
        np.testing.assert_array_equal(recording.samples, source["X"][number].astype(np.float32))
        assert recording.subject == str(source["subject"][number])
        assert recording.session == ("right" if source["side"][number] == 1 else "left")
        assert set(recording.labels) == {source["y"][number]}
    assert data.spec.classes == tuple(source["y_labels"])
    assert spar.counts(packaged, data) == spar.CARD.counts
    assert data.notes == ()
    assert len({(each.subject, each.session, int(each.labels[0])) for each in data.recordings}) == 140


@pytest.mark.real
def test_the_installed_package_is_the_one_that_the_card_names(packaged, tmp_path):
    try:
        assert f"seglearn=={version('seglearn')}" == spar.CARD.package
    except PackageNotFoundError:
        pytest.fail("seglearn is importable but not installed")
    copied = fetch("spar", to=tmp_path)
    assert (copied.verified, copied.remarks) == (1, ())
    assert load("spar", data=tmp_path).fingerprint == load("spar").fingerprint


@pytest.mark.real
def test_magnitudes_are_those_of_g_with_gravity_and_of_rad_per_second(packaged):
    data = load("spar")
    acc, gyr = (np.linalg.norm(data.samples[:, part], axis=1) for part in (slice(0, 3), slice(3, 6)))
    assert np.median(acc[gyr < 0.15]) == pytest.approx(1, abs=0.02)
    low, high = between_subjects([np.linalg.norm(r.samples[:, 3:], axis=1) for r in data.recordings])
    assert 0.3 < low < high < 6
    assert 20 < gyr.max() < np.radians(2000)


@pytest.mark.real
def test_one_arm_is_the_mirror_image_of_the_other(packaged):
    """Of all 64 changes of signs, the reflection of x brings the classes' means and covariances closest."""
    data = load("spar")
    scale = data.samples.std(0)

    def moments(side):
        for label in range(7):
            arm = [r.samples / scale for r in data.recordings if r.session == side and r.labels[0] == label]
            yield np.concatenate(arm).mean(0), np.cov(np.concatenate(arm).T)

    left, right = list(moments("left")), list(moments("right"))
    distance = {}
    for signs in np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1).T:
        distance[tuple(signs.tolist())] = sum(
            ((mean * signs - other) ** 2).sum() + ((covariance * np.outer(signs, signs) - others) ** 2).sum()
            for (mean, covariance), (other, others) in zip(left, right, strict=True)
        )
    assert min(distance, key=distance.get) == tuple(MIRROR.tolist())
    assert distance[tuple(MIRROR.tolist())] < 0.1 * distance[(1,) * 6]


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_recordings_are_what_was_written(tmp_path):
    written = write_spar(tmp_path / "spar", subjects=2)
    data = load("spar", data=tmp_path)
    assert data.spec == spar.CARD.spec
    assert data.index == written.index
    np.testing.assert_array_equal(data.samples, written.samples)
    np.testing.assert_array_equal(data.labels, written.labels)
    assert data.subjects == ("1", "2")
    assert {each.session for each in data.recordings} == {"left", "right"}
    counted = spar.counts(tmp_path, data)
    assert counted == {
        "subjects": 2,
        "recordings": 28,
        "samples": len(written.samples),
        **dict.fromkeys(spar.CLASSES, 4),
    }


def test_part_of_the_set_is_noted(tmp_path):
    write_spar(tmp_path / "spar", subjects=1)
    with pytest.warns(DataWarning, match="part of the set: 14 of 140 recordings, 1 of 10 subjects"):
        load("spar", data=tmp_path)


def package(root):
    """A package in site-packages that must not be imported, and that holds the file."""
    write_spar(root / "seglearn" / "data", subjects=1)
    (root / "seglearn" / "__init__.py").write_text("raise RuntimeError('imported')")
    return root


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that imports look into, in place of any installed seglearn."""
    folder = tmp_path / "site"
    folder.mkdir()
    elsewhere = [entry for entry in sys.path if not (Path(entry) / "seglearn").exists()]
    monkeypatch.setattr(sys, "path", [str(folder), *elsewhere])
    return folder


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_the_file_is_read_from_the_package_without_importing_it(site, tmp_path, monkeypatch):
    package(site)
    load("spar")
    (tmp_path / "data").mkdir()
    assert find_folder("spar", tmp_path / "data") == site / "seglearn" / "data"
    write_spar(tmp_path / "data" / "spar", subjects=2)
    assert len(load("spar", data=tmp_path / "data").subjects) == 2, "a folder of one's own goes first"
    monkeypatch.setenv("STILLMOTION_DATA", str(tmp_path / "data"))
    assert len(load("spar").subjects) == 2
    assert "seglearn" not in sys.modules


@pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")
def test_it_is_fetched_from_the_package_a_file_or_a_wheel(site, tmp_path):
    package(site)
    fetched = fetch("spar", to=tmp_path / "one", accept=True)
    assert fetched.folder == tmp_path / "one" / "spar"
    assert any("differs from the known public copies" in remark for remark in fetched.remarks)
    fetch("spar", source=site / "seglearn" / "data" / spar.FILE, to=tmp_path / "two", accept=True)
    wheel = make_archive(str(tmp_path / "seglearn-1.2.5-py3-none-any"), "zip", site)
    fetch("spar", source=wheel, to=tmp_path / "three", accept=True)
    for name in ("one", "two", "three"):
        assert {path.name for path in (tmp_path / name / "spar").iterdir()} == {spar.FILE, RECORD}
        assert len(load("spar", data=tmp_path / name)) == 14
    with pytest.raises(UserError, match="differs from the published data set: subjects 1 here, 10 expected"):
        fetch("spar", to=tmp_path / "four")


def test_without_package_and_folder_the_error_says_what_to_install(site, tmp_path):
    message = (
        r"seglearn==1\.2\.5 is not installed: run `python -m pip install --no-deps seglearn==1\.2\.5`, or .*--data"
    )
    for arguments in ({}, {"data": tmp_path}):
        with pytest.raises(UserError, match=message):
            load("spar", **arguments)
    with pytest.raises(UserError, match=message):
        fetch("spar", to=tmp_path)
    (site / "seglearn.py").write_text("raise RuntimeError")
    with pytest.raises(UserError, match=message):
        load("spar")
    assert known_sums("spar")["watch_dataset.npy"].size == 18_118_091


def changed(**values):
    return lambda content: content | {key: value(content[key]) for key, value in values.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: [content], "holds list, not a dict"),
        (lambda content: {key: content[key] for key in ("X", "y", "side")}, "has no X_labels, subject, y_labels"),
        (changed(X_labels=lambda names: names[::-1]), "X_labels .* ax, ay, az, wx, wy, wz was expected"),
        (changed(y_labels=lambda names: [*names, "NEW"]), "y_labels .*NEW"),
        (changed(X=lambda parts: []), "no list of recordings"),
        (changed(X=lambda parts: parts[:-1]), "different lengths .13, 14, 14, 14"),
        (changed(X=lambda parts: [parts[0][:, :5], *parts[1:]]), r"recording 0 has shape \(\d+, 5\)"),
        (changed(X=lambda parts: [*parts[:-1], parts[0][:0]]), r"recording 13 has shape \(0, 6\)"),
        (changed(X=lambda parts: [parts[0].tolist(), *parts[1:]]), "recording 0: its signal is no array of 2"),
        (changed(y=lambda labels: labels + 1), "has class 7; 0 to 6 were expected"),
        (changed(y=lambda labels: labels * np.nan), "has class nan"),
        (changed(y=lambda labels: labels[None]), "y is no array of 1 dimension"),
        (changed(side=lambda sides: sides + 0.5), "has side 0.5|has side 1.5"),
        (changed(subject=lambda subjects: subjects * np.inf), "has subject inf"),
        (changed(subject=lambda subjects: -subjects), "has subject -1"),
    ],
)
def test_a_file_of_other_content_is_one_sentence(tmp_path, own_cache, change, message):
    written = write_spar(tmp_path / "spar", subjects=1)
    whole = np.empty((), object)
    whole[()] = change(contents(list(written.recordings)))
    np.save(tmp_path / "spar" / spar.FILE, whole)
    with pytest.raises(UserError, match=message) as refusal:
        load("spar", data=tmp_path)
    assert "\n" not in str(refusal.value)
    assert not list((own_cache / "recordings").glob("*"))
