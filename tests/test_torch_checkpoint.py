from pathlib import Path

import pytest
import torch

from tunewright_tools import torch_checkpoint
from tunewright_tools.torch_errors import TrainingError

STATE = {"identity": {"data": "numbers", "seed": 1}, "weights": torch.arange(3)}


def test_what_is_written_is_read_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    assert torch_checkpoint.read(str(path), STATE["identity"]) is None
    torch_checkpoint.write(path, STATE)
    state = torch_checkpoint.read(str(path), STATE["identity"])
    assert state is not None
    assert state["weights"].equal(torch.arange(3))
    assert [f.name for f in path.parent.iterdir()] == ["c"]


def test_another_runs_state_is_refused_with_what_differs(tmp_path: Path) -> None:
    torch_checkpoint.write(tmp_path / "c", STATE)
    with pytest.raises(TrainingError, match=r"of another run: seed 1 \(now 2\), width None \(now 64\); name another"):
        torch_checkpoint.read(str(tmp_path / "c"), {"data": "numbers", "seed": 2, "width": 64})


def test_a_full_disk_is_the_hosts_fault_and_the_last_checkpoint_stays(tmp_path: Path) -> None:
    torch_checkpoint.write(tmp_path / "c", STATE)
    (tmp_path / "c.part").symlink_to("/dev/full")  # takes nothing, as a full disk
    with pytest.raises(OSError, match="No space left on device"):
        torch_checkpoint.write(tmp_path / "c", {"weights": torch.zeros(3)})
    assert torch.load(tmp_path / "c", weights_only=True)["identity"] == STATE["identity"]
    assert not (tmp_path / "c.part").is_symlink()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_file_that_is_no_checkpoint(content: bytes | None, tmp_path: Path) -> None:
    if content is None:
        torch.save({"weights": torch.zeros(3)}, tmp_path / "c")
    else:
        (tmp_path / "c").write_bytes(content)
    with pytest.raises(TrainingError, match=r"cannot be read \(\w+Error: .*\); delete it, or name another file"):
        torch_checkpoint.read(str(tmp_path / "c"), {})
