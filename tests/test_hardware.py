"""What the hardware is seen as: container limits from real files, visible GPUs, honest absence."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tunewright import hardware
from tunewright.hardware import Gpu, Hardware, see


def test_this_machine() -> None:
    seen = see()
    assert isinstance(seen, Hardware)
    assert 1 <= seen.cpus <= (os.cpu_count() or 1)
    assert 2**28 < seen.memory_bytes <= psutil.virtual_memory().total
    assert [g.index for g in seen.gpus] == sorted({g.index for g in seen.gpus})
    assert all(isinstance(g, Gpu) and g.name and g.memory_bytes > 2**28 for g in seen.gpus)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to a core")
def test_cores_are_those_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert see().cpus == 1
    finally:
        os.sched_setaffinity(0, allowed)


def control_group(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text)


def test_limits_of_version_2_groups_and_those_above(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/pod/box\n")
    control_group(tmp_path / "fs", memory__stat="")
    control_group(tmp_path / "fs/pod", cpu__max="250000 100000\n", memory__max="max\n")
    control_group(tmp_path / "fs/pod/box", cpu__max="max 100000\n", memory__max="1073741824\n")
    folders = list(hardware._cgroup_folders(tmp_path / "membership", tmp_path / "fs"))
    assert folders == [tmp_path / "fs/pod/box", tmp_path / "fs/pod", tmp_path / "fs"]
    assert [hardware._cpu_quota(f) for f in folders] == [None, 2.5, None]
    assert [hardware._memory_limit(f) for f in folders] == [2**30, None, None]


def test_limits_of_version_1_groups(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/box\n")
    control_group(tmp_path / "fs/memory/box", memory__limit_in_bytes="536870912\n")
    control_group(tmp_path / "fs/cpu,cpuacct/box", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    control_group(tmp_path / "fs/cpu,cpuacct", cpu__cfs_quota_us="50000\n", cpu__cfs_period_us="100000\n")
    folders = list(hardware._cgroup_folders(tmp_path / "membership", tmp_path / "fs"))
    assert [m for f in folders if (m := hardware._memory_limit(f))] == [2**29]
    assert [q for f in folders if (q := hardware._cpu_quota(f))] == [0.5]


def test_a_path_from_outside_the_container_leaves_the_groups_above(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/host/pod/not-here\n")
    control_group(tmp_path / "fs", memory__max="2097152\n")
    folders = list(hardware._cgroup_folders(tmp_path / "membership", tmp_path / "fs"))
    assert folders == [tmp_path / "fs"]
    assert hardware._memory_limit(folders[0]) == 2**21


def test_no_control_groups_are_no_limits(tmp_path: Path) -> None:
    assert list(hardware._cgroup_folders(tmp_path / "none", tmp_path)) == []
    assert hardware._cpu_quota(tmp_path) is None
    assert hardware._memory_limit(tmp_path) is None


UUIDS = ["GPU-aa11", "GPU-aa22", "GPU-bb33"]


@pytest.mark.parametrize(
    ("wanted", "order"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("1", [1]),
        ("2,0", [2, 0]),
        (" 2 , 0 ", [2, 0]),
        ("-1", []),
        ("0,-1,1", [0]),
        ("0,7,1", [0]),
        ("0,0", [0]),
        ("NoDevFiles", []),
        ("GPU-bb33,GPU-aa22", [2, 1]),
        ("GPU-bb", [2]),
        ("GPU-aa", []),
        ("MIG-GPU-aa11/1/0", []),
    ],
)
def test_visible_gpus_are_counted_as_cuda_counts_them(wanted: str | None, order: list[int]) -> None:
    assert hardware._visible(wanted, UUIDS) == order


def _driver() -> bool:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    pynvml.nvmlShutdown()
    return True


def test_without_a_driver_there_is_no_gpu_and_no_error() -> None:
    if _driver():
        pytest.skip("this machine has an NVIDIA driver")
    assert see().gpus == ()


@pytest.mark.gpu
def test_gpus_as_the_driver_tool_reports_them(monkeypatch: pytest.MonkeyPatch) -> None:
    if not _driver():
        pytest.skip("no NVIDIA driver on this machine")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    ask = ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    told = [line.split(", ") for line in subprocess.check_output(ask, text=True).splitlines()]
    seen = see().gpus
    assert [(g.index, g.name) for g in seen] == [(int(i), name) for i, name, _ in told]
    for gpu, (_, _, mib) in zip(seen, told, strict=True):
        assert gpu.memory_bytes == pytest.approx(int(mib) * 2**20, rel=0.02)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert see().gpus == ()


def test_importing_it_is_light() -> None:
    code = "import sys, tunewright.hardware; print('pynvml' in sys.modules, 'psutil' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
