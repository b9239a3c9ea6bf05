"""The cores allotted to a process, not those of the machine."""

from __future__ import annotations

import os

import pytest

from imagestrata import cores
from imagestrata.cores import usable_cores


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 64 cores without any limit, and its files of groups."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    monkeypatch.setattr(cores, "_PROCESS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "_GROUPS", tmp_path / "groups")
    for names in cores._ALLOTTED:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_whole_machine(machine):
    assert usable_cores() == 64


def test_affinity(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    assert usable_cores() == 2


def test_without_affinity(machine, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 64), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1),
     ("nonsense", 64), ("", 64), ("100000 0", 64)],
)  # fmt: skip
def test_groups_of_version_2(machine, quota, expected):
    write(machine, cgroup="0::/user/job\n")
    write(machine / "groups" / "user" / "job", cpu__max=quota + "\n")
    assert usable_cores() == expected


def test_a_group_around_counts_as_well(machine):
    write(machine, cgroup="0::/user/job\n")
    write(machine / "groups" / "user" / "job", cpu__max="800000 100000\n")
    write(machine / "groups" / "user", cpu__max="300000 100000\n")
    assert usable_cores() == 3


def test_a_container_sees_its_group_as_the_root(machine):
    write(machine, cgroup="0::/\n")
    write(machine / "groups", cpu__max="400000 100000\n")
    assert usable_cores() == 4


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_groups_of_version_1(machine, folder):
    write(machine, cgroup="12:pids:/docker/abc\n4:cpu,cpuacct:/docker/abc\n")
    write(
        machine / "groups" / folder / "docker" / "abc",
        cpu__cfs_quota_us="500000\n",
        cpu__cfs_period_us="100000\n",
    )
    assert usable_cores() == 5
    write(machine / "groups" / folder / "docker" / "abc", cpu__cfs_quota_us="-1\n")
    assert usable_cores() == 64


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SLURM_CPUS_PER_TASK": "4"}, 4),
        ({"SLURM_CPUS_PER_TASK": "4", "SLURM_CPUS_ON_NODE": "32"}, 4),
        ({"SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"SLURM_CPUS_PER_TASK": "many"}, 64),
        ({"SLURM_CPUS_PER_TASK": "0"}, 64),
        ({"SLURM_CPUS_PER_TASK": "500"}, 64),
        ({"NSLOTS": "6"}, 6),
        ({"PBS_NCPUS": "3"}, 3),
        ({"LSB_DJOB_NUMPROC": "2"}, 2),
    ],
)
def test_batch_systems(machine, monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert usable_cores() == expected
