"""Pickles are read as data: whatever a file names or asks for, nothing runs and every fault is one sentence."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillmotion.errors import UserError
from stillmotion.signals import pickled
from stillmotion.signals.pickled import read_pickled
from tests.publishers.write_spar import write_pickle

WORDS = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(69) + b"\n"
HEADER = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(WORDS)) + WORDS
PLAIN = {
    "by columns": np.arange(12.0).reshape(4, 3).T,
    "narrow": np.array([[1, -2]], ">i2"),
    "yes": np.array([True, False]),
    "objects": np.array(["a", 3, None], object),
    "list": [1, 2.5, "ö", None, True, 70_000, -5, [np.float32([1, 2])]],
    "dict": {"inner": [{}]},
}


def equal(read, written):
    if isinstance(written, np.ndarray) and written.dtype != object:
        return read.dtype == written.dtype and np.array_equal(read, written)
    if isinstance(written, dict):
        return list(read) == list(written) and all(equal(read[key], written[key]) for key in written)
    if isinstance(written, list | np.ndarray):
        return len(read) == len(written) and all(equal(a, b) for a, b in zip(read, written, strict=True))
    return read == written and type(read) is type(written)


def test_plain_data_come_back_as_they_were_from_files_old_and_new(tmp_path):
    write_pickle(tmp_path / "old.npy", PLAIN)
    np.save(tmp_path / "new.npy", PLAIN, allow_pickle=True)
    for name in ("old.npy", "new.npy"):
        read = read_pickled(tmp_path / name)
        assert equal(read, PLAIN)
        assert not read["by columns"].flags.writeable


def text(content):
    return b"X" + struct.pack("<I", len(content)) + content


def name(module, attribute):
    return b"c" + module + b"\n" + attribute + b"\n"


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def dtype(code):
    return call(name(b"numpy", b"dtype"), text(code), b"K\x00", b"K\x01")


def array(shape, kind, content):
    empty = call(name(b"numpy.core.multiarray", b"_reconstruct"), name(b"numpy", b"ndarray"), b"K\x00\x85", text(b"b"))
    return empty + b"(K\x01" + shape + kind + b"\x89" + content + b"tb"


def write(path, part):
    """Write a file whose one object is a part of a pickle."""
    path.write_bytes(HEADER + b"\x80\x02" + array(b")", dtype(b"O8"), b"]" + part + b"a") + b".")


ONE, MOST, EIGHT = b"K\x01", b"J\xff\xff\xff\x7f", b"C\x08AAAAAAAA"
SHELL = name(b"os", b"system")
ENCODE = name(b"_codecs", b"encode")
#: A part of a pickle, and what the error says of it. None may run, hang, crash or fill the memory.
HOSTILE = {
    "a shell": (call(SHELL, text(b"touch PROOF")), "calls 'os.system'"),
    "eval": (call(name(b"builtins", b"eval"), text(b"open('PROOF', 'w')")), "calls 'builtins.eval'"),
    "a file of an array": (call(name(b"numpy", b"memmap"), text(b"PROOF"), text(b"u1"), text(b"w+")), "numpy.memmap"),
    "a pickle in a pickle": (call(name(b"pickle", b"loads"), EIGHT), "calls 'pickle.loads'"),
    "a dotted name": (text(b"os") + text(b"path.join") + b"\x93)R", "calls 'os.path.join'"),
    "a name from a call": (call(name(b"builtins", b"getattr"), name(b"os", b""), text(b"system")), "builtins.getattr"),
    "an instance": (b"(ios\nsystem\n", "instruction INST"),
    "an object": (b"(" + SHELL + text(b"touch PROOF") + b"o", "instruction OBJ"),
    "a new object": (SHELL + b")\x81", "instruction NEWOBJ"),
    "an extension": (b"\x82\x01", "instruction EXT1"),
    "an object elsewhere": (text(b"a") + b"Q", "instruction BINPERSID"),
    "a state of a list": (b"]}b", "changes a value of type list"),
    "a state of a name": (ENCODE + b"}b", "changes a value of type name"),
    "another encoding": (call(ENCODE, text(b"b"), text(b"zip")), "calls '_codecs.encode'"),
    "an array of another class": (call(name(b"numpy.core.multiarray", b"_reconstruct"), SHELL, b")", b"N"), "calls"),
    "a dtype of text": (dtype(b"U8"), "of type 'U8'"),
    "a dtype of several": (dtype(b"f8,O8"), "of type 'f8,O8'"),
    "a dtype of records": (dtype(b"f8") + b"(K\x03" + text(b"<") + b"N" + text(b"a") + b"NNNNtb", "records"),
    "an array of pointers": (array(b"K\x01\x85", dtype(b"O8"), EIGHT), "objects that is not a list"),
    "an array beyond its bytes": (array(MOST + b"\x85", dtype(b"f8"), EIGHT), "cannot reshape"),
    "an array of a negative length": (array(b"J\xff\xff\xff\xff\x85", dtype(b"f8"), EIGHT), "whole numbers"),
    "an array of part of a number": (array(b"K\x01\x85", dtype(b"f8"), b"C\x03abc"), "multiple of element size"),
    "a shape of many": (array(b"(" + 100_000 * MOST + b"t", dtype(b"f8"), EIGHT), "without a type or a shape"),
    "an array without content": (array(b")", dtype(b"f8"), EIGHT).partition(b"(K\x01)")[0], "values"),
    "a text that grows": (text(b"a" * 50_000) + b"q\x00" + 2000 * call(ENCODE, b"h\x00", text(b"latin1")), "more than"),
    "a text of four billion": (b"X\xff\xff\xff\xffab", "expected 4294967295 bytes"),
    "a whole number of a gigabyte": (b"\x8b\xff\xff\xff\x3fab", "not enough data"),
    "a decimal of a million digits": (b"I" + b"1" * 1_000_000 + b"\n", "limit"),
    "a key of nested tuples": (b"}" + b")" + 100_000 * b"\x85" + b"Ns", "type tuple where str was expected"),
    "nested lists": (100_000 * b"]" + 99_999 * b"a", "recursion"),
    "a list in itself": (b"]q\x00h\x00a", "holds itself"),
    "a dict in itself": (b"}q\x00" + text(b"a") + b"h\x00s", "holds itself"),
    "values that are not there": (b"a" * 1000, "where list was expected"),
    "a mark that is not there": (b"]eeeee", "where list was expected"),
    "a value that was not kept": (b"h\x07", "7"),
    "half a dict": (b"}(" + text(b"a") + b"u", "shorter"),
    "an end in the middle": (b".", "it does not hold one object|it holds a"),
    "a tuple": (b")", "holds a value of type tuple"),
    "a name": (SHELL, "holds a value of type name"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pickle_ends_in_one_sentence_and_runs_nothing(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    part, message = HOSTILE[kind]
    write(tmp_path / "hostile.npy", part)
    with pytest.raises(UserError, match=message) as refusal:
        read_pickled(tmp_path / "hostile.npy")
    assert str(refusal.value).startswith(f"{tmp_path / 'hostile.npy'} cannot be read: ")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600
    assert [entry.name for entry in tmp_path.iterdir()] == ["hostile.npy"]


def test_a_list_that_is_shared_a_hundredfold_at_every_level_costs_nothing(tmp_path):
    levels = b"".join(b"](" + b"h%c" % (level - 1) * 100 + b"eq%ca" % level for level in range(1, 40))
    write(tmp_path / "shared.npy", b"]" + b"]q\x00a" + levels)
    *_, last = read_pickled(tmp_path / "shared.npy")
    assert len(last) == 100
    assert all(part is last[0] for part in last)


def test_a_number_to_keep_a_value_under_takes_no_memory(tmp_path):
    write(tmp_path / "kept.npy", text(b"a") + b"r\xff\xff\xff\x7f")
    assert read_pickled(tmp_path / "kept.npy") == "a"


def test_a_file_that_is_no_such_pickle_says_what_was_expected(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    with pytest.raises(UserError, match="is not there"):
        read_pickled(path)
    np.save(path, np.arange(3))
    with pytest.raises(UserError, match=r"array of int64 with shape \(3,\), not one object"):
        read_pickled(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="Expected a .npy file"):
        read_pickled(path)
    monkeypatch.setattr(pickled, "MOST_BYTES", 3)
    with pytest.raises(UserError, match="has 4 bytes; at most 3"):
        read_pickled(path)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    write_pickle(path, {"x": [np.arange(3.0)], "y": ["a", "b"], "n": np.arange(2)})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(UserError):
        read_pickled(path)
