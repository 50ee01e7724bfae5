"""Data sets are fetched whole, checked before they appear, and verified ever after."""

import functools
import hashlib
import http.server
import json
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from stillmotion.cli import main
from stillmotion.errors import UserError
from stillmotion.files import DRAFT
from stillmotion.signals import fetch, load
from stillmotion.signals.catalog import get_reader
from stillmotion.signals.fetching import checksums
from stillmotion.signals.fetching.download import download
from stillmotion.signals.fetching.fetch import _archive_path
from stillmotion.signals.fetching.unpack import RAR
from stillmotion.signals.sets import hapt, wisdm
from tests.publishers.write import write_hapt
from tests.publishers.write_opportunity import write_opportunity

from ..damage import full_disk

pytestmark = pytest.mark.filterwarnings("ignore::stillmotion.errors.DataWarning")


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder with ranges; drops the connection after ``budget`` bytes of an answer."""

    budget: list[int] = []  # noqa: RUF012 (set anew by every test)
    asked: list[str] = []  # noqa: RUF012
    mark = '"one"'

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        self.asked.append(self.headers.get("Range", ""))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        start = 0
        if (ranged := self.headers.get("Range")) and self.headers.get("If-Range") == self.mark:
            start = int(ranged.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", self.mark)
        self.end_headers()
        most = self.budget.pop(0) if self.budget else len(content)
        self.wfile.write(content[start : start + most])

    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    Server.budget, Server.asked, Server.mark = [], [], '"one"'
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def made(tmp_path):
    """HAPT of one simulated subject in the publisher's layout."""
    write_hapt(tmp_path / "made", subjects=1, minutes=2.0)
    return tmp_path / "made"


def packed(folder, path):
    """A zip in a zip, as the archive serves them."""
    inner = shutil.make_archive(str(path.with_suffix("")) + "-inner", "zip", folder)
    with zipfile.ZipFile(path, "w") as outer:
        outer.write(inner, "HAPT Data Set.zip")
        outer.writestr("README.txt", "about")
    Path(inner).unlink()
    return path


def test_a_download_goes_on_where_the_connection_broke(served, tmp_path):
    folder, address = served
    content = bytes(range(256)) * 8000
    (folder / "big").write_bytes(content)
    Server.budget = [500_000, 700_000]
    told = []
    path = download(f"{address}/big", tmp_path / "to" / "big", progress=lambda done, total: told.append((done, total)))
    assert path.read_bytes() == content
    assert Server.asked == ["", "bytes=500000-", "bytes=1200000-"]
    assert told[-1] == (len(content), len(content))
    assert [entry.name for entry in path.parent.iterdir()] == ["big"]


def test_a_file_that_changed_on_the_server_is_begun_anew(served, tmp_path):
    folder, address = served
    (folder / "big").write_bytes(b"a" * 1000)
    Server.budget = [400, 0, 0, 0]
    with pytest.raises(UserError, match="400 bytes are kept, and the next attempt resumes"):
        download(f"{address}/big", tmp_path / "big")
    (folder / "big").write_bytes(b"b" * 1000)
    Server.mark = '"two"'
    assert download(f"{address}/big", tmp_path / "big").read_bytes() == b"b" * 1000


def test_an_address_that_is_not_there_says_what_to_do(served, tmp_path):
    _, address = served
    with pytest.raises(UserError, match=r"returned HTTP 404 .* name the file with --from"):
        download(f"{address}/none", tmp_path / "none")
    with pytest.raises(UserError, match=r"cannot be downloaded .*Without a network"):
        download("http://127.0.0.1:1/none", tmp_path / "none")


def test_fetched_from_an_address_verified_and_there(served, made, tmp_path):
    folder, address = served
    packed(made, folder / "hapt.zip")
    to = tmp_path / "data"
    source = f"{address}/hapt.zip"
    with pytest.raises(UserError, match=r"subjects 1 here, 30 expected; .*samples [\d,]+ here, 1,122,772 expected"):
        fetch("hapt", source=source, to=to)
    assert [entry.name for entry in to.iterdir()] == [".downloads"], "nothing half-written, nothing fetched twice"
    asked = len(Server.asked)
    steps = []
    found = fetch("hapt", source=source, to=to, accept=True, say=steps.append)
    assert steps == ["unpacking hapt.zip", "verifying", "converting"]
    assert len(Server.asked) == asked, "the archive was kept"
    assert not list((to / ".downloads").iterdir())
    assert (found.files, found.counts["subjects"]) == (5, 1)
    assert any(remark.startswith("accepted: subjects 1 here, 30 expected") for remark in found.remarks)
    assert len(load("hapt", data=to)) == 2
    again = fetch("hapt", to=to)
    assert again.counts == found.counts, "what was accepted holds from then on"
    assert {entry.name for entry in to.iterdir()} == {".downloads", "hapt"}


@pytest.mark.parametrize("kind", ["folder", "deep folder", "tar.gz", "zip"])
def test_fetched_from_what_is_here(made, tmp_path, kind):
    source = made
    if kind == "deep folder":
        source = tmp_path / "deep"
        shutil.copytree(made, source / "a" / "b")
    elif kind == "tar.gz":
        source = tmp_path / "made.tar.gz"
        with tarfile.open(source, "w:gz") as tar:
            tar.add(made, "HAPT")
    elif kind == "zip":
        source = packed(made, tmp_path / "made.zip")
    fetch("hapt", source=source, to=tmp_path / "data", accept=True)
    for path in hapt.files(made):
        assert (tmp_path / "data" / "hapt" / path.relative_to(made)).read_bytes() == path.read_bytes()
    assert source.exists(), "what was given stays"


def test_what_was_recorded_must_hold(made, tmp_path):
    fetch("hapt", source=made, to=tmp_path, accept=True)
    labels = tmp_path / "hapt" / "RawData" / "labels.txt"
    labels.write_text(labels.read_text().replace("1 1 5 ", "1 1 4 ", 1))
    with pytest.raises(UserError, match=r"labels.txt has changed since it was fetched"):
        fetch("hapt", to=tmp_path)
    fetch("hapt", to=tmp_path, accept=True)
    fetch("hapt", to=tmp_path)
    for path in (tmp_path / "hapt" / "RawData").glob("*_exp02*"):
        path.unlink()
    with pytest.raises(UserError, match=r"exp02_user01.txt is gone since it was fetched"):
        fetch("hapt", to=tmp_path)


def test_what_killed_processes_left_is_swept_at_the_next_fetch(served, made, tmp_path):
    folder, address = served
    packed(made, folder / "hapt.zip")
    to, source = tmp_path / "data", f"{address}/hapt.zip"
    left = to / f"{DRAFT}0123456789ab" / "unpacked"
    left.mkdir(parents=True)
    (left / "labels.txt").write_text("half")
    fetch("hapt", source=source, to=to, accept=True)
    assert {path.name for path in to.iterdir()} == {".downloads", "hapt"}
    left.mkdir(parents=True)
    (archive := _archive_path(to, source)).parent.mkdir()
    archive.write_bytes(b"killed after the files were in their place")
    fetch("hapt", to=to)
    assert {path.relative_to(to).parts[0] for path in to.rglob("*")} == {".downloads", "hapt"}
    assert not list((to / ".downloads").iterdir())


@pytest.mark.parametrize("content", ["[]", "{", "null", '{"source": 1, "files": [], "archives": {}, "accepted": {}}'])
def test_a_damaged_record_is_named_and_not_made_anew(made, tmp_path, content):
    fetch("hapt", source=made, to=tmp_path, accept=True)
    record = tmp_path / "hapt" / checksums.RECORD
    whole = record.read_text()
    for changed in (content, whole.replace('"subjects": 1', '"subjects": 2'), whole.replace("subjects", "qeople")):
        record.write_text(changed)
        with pytest.raises(UserError, match=r"\.stillmotion\.json is damaged .*fetch it again"):
            fetch("hapt", to=tmp_path)


def test_a_full_disk_during_a_download_is_no_fault_of_the_network(served, tmp_path):
    folder, address = served
    (folder / "big").write_bytes(b"a" * 100_000)
    with full_disk(30_000), pytest.raises(UserError, match=r"big\.part cannot be written .*make room"):
        download(f"{address}/big", tmp_path / "big")
    assert download(f"{address}/big", tmp_path / "big").read_bytes() == b"a" * 100_000


def test_what_lay_there_before_is_recorded_at_first_sight(made, tmp_path):
    made.rename(tmp_path / "hapt")
    with pytest.raises(UserError, match="subjects 1 here, 30 expected"):
        fetch("hapt", to=tmp_path)
    fetch("hapt", to=tmp_path, accept=True)
    record = json.loads((tmp_path / "hapt" / checksums.RECORD).read_text())
    labels = tmp_path / "hapt" / "RawData" / "labels.txt"
    assert record["files"]["RawData/labels.txt"] == {
        "size": labels.stat().st_size,
        "sha256": hashlib.sha256(labels.read_bytes()).hexdigest(),
    }
    assert record["accepted"]["subjects"] == 1


def test_a_difference_from_public_copies_is_shown_and_not_fatal(tmp_path):
    write_opportunity(tmp_path / "made", subjects=1, minutes=2.0)
    found = fetch("opportunity", source=tmp_path / "made", to=tmp_path / "data", accept=True)
    assert found.verified == 0
    (shown,) = [remark for remark in found.remarks if "S1-ADL1.dat" in remark]
    assert "51,803,164 bytes and 2b247432acbe… there" in shown
    assert fetch("opportunity-locomotion", to=tmp_path / "data").counts == {"subjects": 1, "files": 2}


def test_known_sums_are_those_of_the_sets_files():
    assert len(checksums.known_sums("opportunity")) == 24
    assert len(checksums.known_sums("wisdm-2019")) == 204
    assert checksums.known_sums("uci-har")["UCI HAR Dataset.zip"].size == 61_000_453
    assert checksums.known_sums("hapt") == {}


@pytest.mark.real
@pytest.mark.parametrize("name", [pytest.param("hapt", marks=pytest.mark.slow), "uci-har"])
def test_the_real_sets_count_as_published(real, name):
    module = get_reader(name)
    folder = real(name) / name
    assert module.counts(folder, load(name, data=real(name))) == dict(module.CARD.counts)


def test_a_single_file_may_be_given(tmp_path):
    text = "".join(f"33,Jogging,{49_105_962_326_000 + n * 50_000_000},1,2,3;\n" for n in range(50))
    (tmp_path / wisdm.FILE).write_text(text)
    found = fetch("wisdm", source=tmp_path / wisdm.FILE, to=tmp_path / "data", accept=True)
    assert (found.counts["samples"], found.counts["Jogging"]) == (50, 50)
    assert fetch("wisdm", to=tmp_path / "data").size == len(text)


def test_archives_cut_short_or_of_another_kind_are_named(made, tmp_path, monkeypatch):
    whole = packed(made, tmp_path / "made.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut.zip cannot be unpacked: it is cut short or damaged"):
        fetch("hapt", source=tmp_path / "cut.zip", to=tmp_path / "data")
    with tarfile.open(tmp_path / "made.tar.gz", "w:gz") as tar:
        tar.add(made, "HAPT")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "made.tar.gz").read_bytes()[:20_000])
    with pytest.raises(UserError, match=r"cut.tar.gz cannot be unpacked"):
        fetch("hapt", source=tmp_path / "cut.tar.gz", to=tmp_path / "data")
    monkeypatch.setenv("PATH", "")
    (tmp_path / "made.rar").write_bytes(b"Rar!")
    with pytest.raises(UserError, match=f"none of {', '.join(RAR)} is installed"):
        fetch("shoaib", source=tmp_path / "made.rar", to=tmp_path / "data")
    assert not list((tmp_path / "data").iterdir()), "nothing half-written"


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("simulated", {}, "is built in"),
        ("hpat", {}, "Did you mean 'hapt'"),
        ("hapt", {"source": "nowhere"}, "nowhere is not there"),
        ("hapt", {"source": "."}, "does not hold hapt: no RawData"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, name, more, message):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError, match=message):
        fetch(name, to=tmp_path / "data", **more)


def test_the_command_fetches_and_says_what_it_found(made, tmp_path, capsys):
    arguments = ["fetch", "hapt", "--from", str(made), "--to", str(tmp_path / "data")]
    assert main(arguments) == 2
    assert "or accept it with --accept" in capsys.readouterr().err
    assert main([*arguments, "--accept"]) == 0
    assert "hapt: 5 files" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "is there already; remove it first" in capsys.readouterr().err
    assert main(["fetch", "hapt", "--to", str(tmp_path / "data"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 5
    assert main(["fetch", "hapt"]) == 2
    assert "STILLMOTION_DATA" in capsys.readouterr().err
