"""A machine's GPUs as NVML tells of them, for tests on machines that have none: the functions that `gpus.py` calls.

What is played here follows NVIDIA's documentation of NVML; only the tests marked gpu meet a real driver.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace


class NVMLError(Exception):
    """As pynvml has it."""


class NVMLLibraryMismatchError(Exception):
    """Likewise, for a function that the driver is too old for."""


@dataclass
class Card:
    uuid: str
    total: int = 80 << 20
    used: int = 1 << 20
    running: dict[int, int | None] = field(default_factory=dict)
    energy: float | None = 1_000_000.0
    watts: float = 100.0
    busy: int = 50
    slices: list["Card"] = field(default_factory=list)
    mig: bool = False


class Driver:
    NVMLError = NVMLError
    NVMLLibraryMismatchError = NVMLLibraryMismatchError
    NVML_DEVICE_MIG_ENABLE = 1

    def __init__(self, *cards: Card) -> None:
        self.cards = list(cards) or [Card("GPU-a")]
        self.is_open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.is_open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:  # noqa: N802
        return self._or_error(self.cards[index] if index < len(self.cards) else None)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:  # noqa: N802
        every = [card for gpu in self.cards for card in (gpu, *gpu.slices)]
        return self._or_error(next((card for card in every if card.uuid == uuid), None))

    def nvmlDeviceGetUUID(self, card: Card) -> str:  # noqa: N802
        return card.uuid

    def nvmlDeviceGetName(self, card: Card) -> str:  # noqa: N802
        return "NVIDIA Test"

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=card.total, used=card.used)

    def nvmlDeviceGetComputeRunningProcesses(self, card: Card) -> list[SimpleNamespace]:  # noqa: N802
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in card.running.items()]

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=self._of_a_whole_gpu(card).busy)

    def nvmlDeviceGetTotalEnergyConsumption(self, card: Card) -> float:  # noqa: N802
        energy = self._of_a_whole_gpu(card).energy
        if energy is None:
            raise NVMLError("not supported")
        return energy

    def nvmlDeviceGetPowerUsage(self, card: Card) -> float:  # noqa: N802
        return self._of_a_whole_gpu(card).watts * 1000

    def nvmlDeviceGetMigMode(self, card: Card) -> list[int]:  # noqa: N802
        return [int(card.mig), int(card.mig)]

    def nvmlDeviceGetMaxMigDeviceCount(self, card: Card) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: Card, index: int) -> Card:  # noqa: N802
        return self._or_error(card.slices[index] if index < len(card.slices) else None)

    def _or_error(self, card: Card | None) -> Card:
        if card is None:
            raise NVMLError("not found")
        return card

    def _of_a_whole_gpu(self, card: Card) -> Card:
        if card not in self.cards:
            raise NVMLError("not supported")
        return card
