"""The device of a trainer: chosen by name, with the memory cap that the tuner gives to the run."""

import os
from typing import TYPE_CHECKING

from .torch_errors import TrainingError

if TYPE_CHECKING:
    import torch

GPU_MEMORY = "TUNEWRIGHT_GPU_MEMORY_BYTES"


def open_device(name: str) -> "torch.device":
    """The device named `cpu`, `cuda` or `auto` (a GPU where there is one).

    On a GPU this process may then hold at most TUNEWRIGHT_GPU_MEMORY_BYTES there, where that is set: what asks for
    more gets torch's own out-of-memory error.

    Raises:
        TrainingError: `cuda` where torch can use no GPU.
    """
    import torch

    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise TrainingError(f"--device cuda, but torch {torch.__version__} finds no CUDA GPU here; auto takes the CPU")
    device = torch.device("cuda" if found and name != "cpu" else "cpu")
    cap = os.environ.get(GPU_MEMORY)
    if device.type == "cuda" and cap is not None:
        index = torch.cuda.current_device()
        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, int(cap) / total), index)
    return device


def half_precision(choice: str, device: "torch.device") -> bool:
    """Whether to compute in bfloat16: as chosen, and for `auto` on a GPU that has it (not merely emulates it)."""
    import torch

    if choice != "auto":
        return choice == "bfloat16"
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
