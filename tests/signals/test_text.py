import numpy as np
import pytest

from stillmotion.errors import UserError
from stillmotion.signals.text import read_columns, read_integers, read_matrix


def written(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.txt").write_bytes(text.encode())
    return [folder / f"{name}.txt" for name in texts]


def test_many_files_read_as_numpy_reads_each(tmp_path):
    random = np.random.default_rng(0)
    tables = [random.normal(0, 10.0**scale, (100 + 7 * scale, 3)).astype(np.float32) for scale in range(-6, 7)]
    paths = []
    for number, table in enumerate(tables):
        paths.append(tmp_path / f"{number}.txt")
        np.savetxt(paths[-1], table, fmt="%.9g")
    matrix, rows = read_matrix(paths, 3)
    assert rows.tolist() == [len(table) for table in tables]
    np.testing.assert_array_equal(matrix, np.concatenate(tables))
    np.testing.assert_array_equal(matrix, np.concatenate([np.loadtxt(path, dtype=np.float32) for path in paths]))


@pytest.mark.parametrize(
    "text",
    ["1 2.5\n-3e-2 4\n", "  1  2.5\n   -3e-2   4 \n", "1 2.5\r\n-3e-2 4\r\n", "1\t2.5\n-3e-2\t4", "1 2.5\n -3e-2  4\n"],
    ids=["plain", "padded", "windows line ends", "tabs, no last line break", "padded later only"],
)
def test_blanks_and_line_ends_do_not_matter(tmp_path, text):
    matrix, rows = read_matrix(written(tmp_path, a=text, b="5 6\n"), 2)
    np.testing.assert_allclose(matrix, [[1, 2.5], [-0.03, 4], [5, 6]])
    assert rows.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3 x\n", "b.txt, row 2: c1 is 'x', not a number"),
        ("1 2\n3\n", "b.txt, row 2: 1 cells where 2 .* may have been cut"),
        ("1 2\n\n3 4\n", "b.txt, row 2: 0 cells where 2"),
        ("1 2 3\n", "b.txt, row 1: 3 cells where 2"),
        ("", "b.txt is empty"),
    ],
)
def test_a_cell_at_fault_is_named_with_file_and_row(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_matrix(written(tmp_path, a="1 2\n" * 50, b=text), 2)


def test_a_missing_file_and_a_folder_in_its_place_are_told_apart(tmp_path):
    with pytest.raises(UserError, match="none.txt is not there"):
        read_matrix([tmp_path / "none.txt"], 2)
    with pytest.raises(UserError, match="is a folder; a file was expected"):
        read_matrix([tmp_path], 2)


def test_rows_with_an_end_mark_and_words(tmp_path):
    kinds = {"id": "int", "code": "str", "x": "float"}
    table, rows = read_columns(written(tmp_path, a="1,A,-0.5;\n2,B,3;\n"), kinds, delimiter=",", end=";")
    assert table.to_pydict() == {"id": [1, 2], "code": ["A", "B"], "x": [-0.5, 3.0]}
    assert rows.tolist() == [2]
    with pytest.raises(UserError, match=r"b.txt, row 2: id is '2.5', not a whole number"):
        read_columns(written(tmp_path, b="1,A,1;\n2.5,B,3;\n"), kinds, delimiter=",", end=";")


def test_whole_numbers(tmp_path):
    (path,) = written(tmp_path, a="1 -2\n3 4\n")
    np.testing.assert_array_equal(read_integers(path, 2), [[1, -2], [3, 4]])
    with pytest.raises(UserError, match="not a whole number"):
        read_integers(written(tmp_path, b="1 2.5\n")[0], 2)
