"""The device of a trainer: chosen by name, with the memory cap that the tuner gives to the run."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

GPU_MEMORY = "TUNEWRIGHT_GPU_MEMORY_BYTES"


def open_device(name: str) -> "torch.device":
    """The device named `cpu`, `cuda` or `auto` (a GPU where there is one).

    On a GPU this process may then hold at most TUNEWRIGHT_GPU_MEMORY_BYTES there, where that is set: what asks for
    more gets torch's own out-of-memory error.
    """
    import torch

    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
    cap = os.environ.get(GPU_MEMORY)
    if device.type == "cuda" and cap is not None:
        index = torch.cuda.current_device()
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, int(cap) / total), index)
    return device
