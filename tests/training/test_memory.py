"""Free memory on machines without /proc, and within a container's limit."""

from __future__ import annotations

import os

import pytest

from stillmotion.training.memory import UNKNOWN, free_bytes

GB = 1 << 30


def write(root, **files):
    """Files by path, ``__`` for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


@pytest.fixture
def machine(tmp_path):
    """A machine with 64 GB free."""
    write(tmp_path, proc__meminfo=f"MemTotal: 99 kB\nMemFree: 1 kB\nMemAvailable: {64 * GB // 1024} kB")
    return tmp_path


def test_a_machine_without_proc_is_asked_through_sysconf(tmp_path, monkeypatch):
    pages = {"SC_PHYS_PAGES": 4_000_000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert free_bytes(tmp_path) == 8_000_000 * 1024
    monkeypatch.delattr(os, "sysconf")
    assert free_bytes(tmp_path) == UNKNOWN


def test_sysconf_that_knows_nothing_is_no_error(tmp_path, monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "sysconf", unknown)
    assert free_bytes(tmp_path) == UNKNOWN


def test_without_a_limit_the_machine_counts(machine):
    assert free_bytes(machine) == 64 * GB
    write(machine, proc__self__cgroup="0::/", sys__fs__cgroup__memory=".")
    assert free_bytes(machine) == 64 * GB


def test_the_limit_of_a_control_group_counts_in_version_2(machine):
    write(machine, proc__self__cgroup="0::/user.slice/job")
    group = machine / "sys/fs/cgroup/user.slice"
    write(group / "job", **{"memory.max": "max", "memory.current": 1 * GB})
    assert free_bytes(machine) == 64 * GB
    # What holds for the group around it holds for it.
    write(group, **{"memory.max": 4 * GB, "memory.current": 3 * GB, "memory.stat": f"anon 5\ninactive_file {GB // 2}"})
    assert free_bytes(machine) == 1.5 * GB
    write(group / "job", **{"memory.max": 2 * GB, "memory.current": 1.5 * GB})
    assert free_bytes(machine) == 1.5 * GB  # a number that is not whole is not one of the kernel's
    write(group / "job", **{"memory.current": 3 * GB // 2})
    assert free_bytes(machine) == GB // 2


def test_the_limit_of_a_control_group_counts_in_version_1(machine):
    write(machine, proc__self__cgroup="5:cpu:/\n4:memory,hugetlb:/docker/1f\n0::/")
    top = machine / "sys/fs/cgroup/memory"
    # In a container the host's path is not there, and the top is the container's own.
    write(
        top,
        **{
            "memory.limit_in_bytes": 3 * GB,
            "memory.usage_in_bytes": 2 * GB,
            "memory.stat": f"inactive_file 7\ntotal_inactive_file {GB}",
        },
    )
    assert free_bytes(machine) == 2 * GB
    write(top, **{"memory.limit_in_bytes": 9223372036854771712})
    assert free_bytes(machine) == 64 * GB


def test_a_group_over_its_limit_leaves_nothing_and_broken_files_say_nothing(machine):
    write(machine, proc__self__cgroup="0::/\nnonsense\n7:memory")
    group = machine / "sys/fs/cgroup"
    write(group, **{"memory.max": GB, "memory.current": 2 * GB})
    assert free_bytes(machine) == 0
    write(group, **{"memory.max": "?", "memory.current": ""})
    assert free_bytes(machine) == 64 * GB
    (group / "memory.max").write_bytes(b"\xff\xfe\x00")
    (machine / "proc/meminfo").write_bytes(b"\xff\xfe\x00")
    assert free_bytes(machine) > 0
