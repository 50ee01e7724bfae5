"""WISDM v1.1 from the publisher's defective text."""

import numpy as np
import pytest

from stillmotion.errors import DataWarning, UserError
from stillmotion.signals import load
from stillmotion.signals.sets import wisdm
from tests.publishers.write_wisdm import DEFECTS, write_wisdm


def noted(data):
    return {note.kind: note.count for note in data.notes if note.kind != "part of the set"}


def raw(folder, text):
    (folder / "wisdm").mkdir(exist_ok=True)
    (folder / "wisdm" / wisdm.FILE).write_bytes(text.encode())
    return folder


def read(folder):
    with pytest.warns(DataWarning, match="of 36 subjects"):
        return load("wisdm", data=folder)


def lines(count=100, *, user=33, activity="Jogging", first=49_105_962_326_000):
    return [f"{user},{activity},{first + n * 50_000_000},{n}.5,-1,9.75;\n" for n in range(count)]


def test_every_record_comes_back_row_for_row_and_every_defect_is_counted(tmp_path):
    written = write_wisdm(tmp_path, subjects=3, minutes=8.0)
    read = wisdm.read(tmp_path)
    assert noted(read) == noted(written)
    assert len(noted(read)) == len(DEFECTS) + 1, "each defect of the writer, and the second session's clock"
    assert read.spec == written.spec
    assert len(read) == len(written)
    for a, b in zip(read.recordings, written.recordings, strict=True):
        assert (a.subject, a.session, a.source, a.offset) == (b.subject, b.session, b.source, b.offset)
        assert a.samples.tobytes() == b.samples.tobytes()
        assert a.labels.tobytes() == b.labels.tobytes()
        assert a.times == pytest.approx(b.times, abs=1e-9)


def test_without_defects_there_is_nothing_to_count(tmp_path):
    written = write_wisdm(tmp_path, subjects=1, minutes=4.0, defects=())
    assert noted(wisdm.read(tmp_path)) == noted(written) == {"backward jumps of a clock, each a new session": 1}


def test_windows_line_ends_and_blanks_make_no_difference(tmp_path):
    text = "".join(lines())
    plain = read(raw(tmp_path, text))
    other = read(raw(tmp_path, text.replace("\n", "\r\n").replace("Jogging", " Jogging ")))
    assert plain.samples.tobytes() == other.samples.tobytes()
    assert noted(plain) == noted(other) == {}


def test_an_unmarked_record_at_the_end_and_a_blank_line_are_counted(tmp_path):
    rows = lines()
    rows[3] += " \n"
    rows[-1] = rows[-1].rstrip(";\n")
    rows[50] = "33,Jogging\n"
    data = read(raw(tmp_path, "\n" + "".join(rows)))
    assert noted(data) == {"empty lines": 2, "records without an end mark": 1, "cut records, dropped": 1}


def test_counts_of_the_card_are_counted_in_records_of_the_file(tmp_path):
    rows = lines(60) + lines(40, user=2, activity="Sitting")
    rows[10] = "33,Jogging,49105962326000,1,2,;\n"
    folder = raw(tmp_path, "".join(rows)) / "wisdm"
    found = wisdm.counts(folder, wisdm.read(folder))
    assert found["samples"] == 99
    assert (found["subjects"], found["Jogging"], found["Sitting"], found["Walking"]) == (2, 59, 40, 0)
    assert set(found) == set(wisdm.CARD.counts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [rows[0].replace("Jogging", "Hopping"), *rows[1:]], "row 1: activity 'Hopping' is not one of W"),
        (lambda rows: ["\n", "\n", rows[0].replace("Jogging", "Hopping"), *rows[1:]], "row 3: activity 'Hopping'"),
        (lambda rows: [row.replace(",", "\t") for row in rows], "row 1: 1 cells where 6"),
        (lambda rows: [row.replace(",", ", ,", 1) for row in rows], "row 1: 7 cells where 6 .* as in 100 records"),
        (lambda rows: [row.replace("-1", "-1,0") for row in rows], "row 1: 7 cells where 6"),
        (
            lambda rows: [row.replace("9.75", "up") for row in rows],
            "100 of 100 records have a cell that is not a number",
        ),
        (lambda rows: [], "is empty"),
    ],
    ids=["activity", "activity below empty lines", "delimiter", "columns", "decimal commas", "words", "empty"],
)
def test_another_file_is_refused_with_its_row(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        load("wisdm", data=raw(tmp_path, "".join(change(lines()))))


def test_the_file_may_lie_in_the_archives_own_folder_and_its_absence_is_an_error(tmp_path):
    inner = tmp_path / "wisdm" / "WISDM_ar_v1.1"
    inner.mkdir(parents=True)
    with pytest.raises(UserError, match="holds no WISDM_ar_v1.1_raw.txt"):
        load("wisdm", data=tmp_path)
    (inner / wisdm.FILE).write_text("".join(lines()))
    assert len(read(tmp_path).samples) == 100


def test_the_published_window_is_one_second_of_three_axes(tmp_path):
    assert (wisdm.CARD.spec.window, len(wisdm.CARD.spec.channels), len(wisdm.CARD.spec.classes)) == (20, 3, 6)
    data = read(raw(tmp_path, "".join(lines())))
    np.testing.assert_allclose(data.times, np.arange(100) * 0.05 + 49105.962326)
