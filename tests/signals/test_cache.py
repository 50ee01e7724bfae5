import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest

from stillmotion.signals import Note, cache

from ..damage import flips, full_disk, listing
from .subjects import dataset, recording


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in ("a.txt", "b.txt")]
    for path in paths:
        path.write_text(f"content of {path.name}")
    return paths


class Reader:
    """Counts how often it is asked, and gives other data each time."""

    def __init__(self, **more):
        self.calls, self.more = 0, more

    def __call__(self):
        self.calls += 1
        return dataset(recording(seed=self.calls), **self.more)


def test_what_was_converted_once_is_mapped_and_equal_in_everything(files):
    reader = Reader(notes=[Note("gaps", 2, "2 gaps")], official_test=("1",), same_subjects_as=("hapt",))
    first = cache.load_cached("made-up", 1, files, reader)
    second = cache.load_cached("made-up", 1, files, reader)
    assert reader.calls == 1
    assert isinstance(second.samples, np.memmap)
    np.testing.assert_array_equal(first.samples, second.samples)
    np.testing.assert_array_equal(first.labels, second.labels)
    empty = np.zeros(0)
    assert (
        replace(first, samples=empty, labels=empty).__dict__.items()
        >= {key: value for key, value in second.__dict__.items() if key not in ("samples", "labels")}.items()
    )


def test_timestamps_survive(files):
    times = np.arange(500) / 50 + 1e6
    cache.load_cached("made-up", 1, files, lambda: dataset(recording(times=times)))
    np.testing.assert_array_equal(cache.load_cached("made-up", 1, files, Reader()).times, times)


def test_changed_bytes_another_loader_and_another_set_are_read_anew(files):
    reader = Reader()
    cache.load_cached("made-up", 1, files, reader)
    files[1].write_text("content of c.txt")  # as long as before
    cache.load_cached("made-up", 1, files, reader)
    cache.load_cached("made-up", 2, files, reader)
    cache.load_cached("other", 2, files, reader)
    assert reader.calls == 4
    files[1].write_text("content of b.txt")
    cache.load_cached("made-up", 1, files, reader)
    assert reader.calls == 4, "the first bytes are back, and so is their entry"


def test_a_file_changed_within_a_tick_of_its_clock_is_noticed(files, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED_SECONDS", 3600.0)  # However slow the machine is.
    stamp = time.time_ns()
    reader = Reader()
    for number in range(5):
        files[0].write_text(f"number {number}")
        os.utime(files[0], ns=(stamp, stamp))
        cache.load_cached("made-up", 1, files, reader)
    assert reader.calls == 5


def test_an_old_file_is_hashed_once_and_its_touch_is_noticed(files, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -1.0)
    hashed = []
    original = cache._sha256
    monkeypatch.setattr(cache, "_sha256", lambda path: hashed.append(path) or original(path))
    reader = Reader()
    cache.load_cached("made-up", 1, files, reader)
    assert len(hashed) == 2
    cache.load_cached("made-up", 1, files, reader)
    assert len(hashed) == 2
    files[0].write_text("something else")
    cache.load_cached("made-up", 1, files, reader)
    assert (len(hashed), reader.calls) == (3, 2)


@pytest.mark.parametrize("column", ["samples.npy", "labels.npy", "manifest.json"])
def test_a_torn_entry_is_never_served(files, own_cache, column):
    reader = Reader()
    good = cache.load_cached("made-up", 1, files, reader)
    (entry,) = (own_cache / "recordings").glob("made-up-*")
    torn = bytearray((entry / column).read_bytes())
    torn[-1] ^= 1
    (entry / column).write_bytes(torn)
    cache.load_cached("made-up", 1, files, reader)
    assert reader.calls == 2
    assert len(cache.load_cached("made-up", 1, files, reader).samples) == len(good.samples)
    assert reader.calls == 2, "the entry was written again"


def test_a_source_that_changes_while_it_is_read_is_not_kept(files, own_cache):
    def read():
        files[0].write_text("changed under the reader")
        return dataset()

    cache.load_cached("made-up", 1, files, read)
    assert not list((own_cache / "recordings").glob("*"))


def test_a_cache_that_cannot_be_written_costs_only_time(files, tmp_path):
    (tmp_path / "blocked").write_text("a file where the cache should be")
    reader = Reader()
    for _ in range(2):
        assert len(cache.load_cached("made-up", 1, files, reader, root=tmp_path / "blocked").samples) == 500
    assert reader.calls == 2


CONVERT = """
import numpy as np
from pathlib import Path
from stillmotion.signals import cache
from tests.signals.subjects import dataset, recording

def read():
    print("reading", flush=True)
    return dataset(*[recording(str(n), 40_000, seed=n) for n in range(10)])

data = cache.load_cached("made-up", 1, [Path(PATH)], read)
print("whole", int(np.asarray(data.samples).view(np.uint32).sum(dtype=np.uint64)), flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_during_conversion_it_never_serves_torn_data(files, own_cache, kills):
    code = textwrap.dedent(CONVERT).replace("PATH", repr(str(files[0])))
    root = __file__.rsplit("/tests/", 1)[0]

    def start():
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)

    random = np.random.default_rng(0)
    for _ in range(kills):
        process = start()
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n", "no killed conversion may count as one"
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        process.stdout.close()
        if not killed or list((own_cache / "recordings").glob("made-up-*")):
            # It was done before the blow: the entry must be whole, which the end of this test proves; begin anew.
            whole = start().communicate()[0].split()
            assert whole[0] == "whole"
            for entry in (own_cache / "recordings").glob("made-up-*"):
                for path in entry.iterdir():
                    path.unlink()
                entry.rmdir()
    first, second = start().communicate()[0].split(), start().communicate()[0].split()
    assert first[:2] == ["reading", "whole"]
    assert second == first[1:], "what is mapped equals what was read"
    assert [path.name[:7] for path in (own_cache / "recordings").iterdir()] == ["made-up"], "no rubbish is left"


@pytest.mark.parametrize("count", [10, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["manifest.json", "samples.npy", "labels.npy", "contents.json"])
def test_no_flipped_bit_of_the_cache_gives_other_recordings(files, own_cache, monkeypatch, name, count):
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -1.0)

    def read():
        return dataset(recording(seed=1), notes=[Note("gaps", 2, "2 gaps")], official_test=("1",))

    def plain(data):
        values = {key: value for key, value in data.__dict__.items() if key not in cache.COLUMNS}
        return values, *(None if each is None else np.asarray(each).tobytes() for each in (data.samples, data.labels))

    whole = plain(cache.load_cached("made-up", 1, files, read))
    assert plain(cache.load_cached("made-up", 1, files, read)) == whole
    (path,) = own_cache.rglob(name)
    for bit in flips(path, count):
        assert plain(cache.load_cached("made-up", 1, files, read)) == whole, bit


def test_a_full_disk_leaves_nothing_half_written_in_the_cache(files, own_cache):
    reader = Reader()
    with full_disk(500):
        assert len(cache.load_cached("made-up", 1, files, reader).samples) == 500
    assert listing(own_cache) <= {"recordings", "contents.json"}
