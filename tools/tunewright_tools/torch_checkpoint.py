"""The file of a training's state: whole or not there, and of this very run."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .diagnosis import shortened
from .torch_errors import TrainingError


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state; the old file stays until the new one is whole."""
    import torch

    half_written = path.with_name(path.name + ".part")
    try:
        with open(half_written, "wb") as file:  # Python says that a disk is full; torch's own writer does not
            torch.save(state, file)
    except BaseException:
        half_written.unlink(missing_ok=True)
        raise
    half_written.replace(path)


def read(path: str, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state in the file, its tensors on the CPU; None where there is no file yet.

    Args:
        identity: what must be the same for a state to be this run's; it stands in the state under this name.

    Raises:
        TrainingError: it is another run's, or cannot be read, or its folder can hold none.
    """
    import torch

    folder = Path(path).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:  # said now, and not at the first evaluation
        raise TrainingError(f"the folder {folder} of --checkpoint cannot be written to; name another file")
    if not Path(path).exists():
        return None
    try:
        # To the CPU: on the GPU all of it would be there twice, and AdamW's counters of steps belong on the CPU.
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        then = state["identity"]
    except Exception as error:  # what torch raises for a file that is none of its own differs from file to file
        reason = shortened(f"{type(error).__name__}: {''.join(str(error).splitlines()[:1])}", 200)
        raise TrainingError(
            f"the checkpoint {path} cannot be read ({reason}); delete it, or name another file"
        ) from None
    if other := [key for key in identity if identity[key] != then.get(key)]:
        said = ", ".join(f"{key} {then.get(key)} (now {identity[key]})" for key in other)
        raise TrainingError(f"the checkpoint {path} is of another run: {said}; name another file")
    return state
