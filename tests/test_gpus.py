"""What is made of the driver's answers: several GPUs and slices told apart, and nothing claimed that is not known."""

import inspect
from types import SimpleNamespace

import pytest
import torch
from nvml_driver import Card, Driver

from tunewright_tools import gpus
from tunewright_tools.gpus import Gpus, visible

MB = 1 << 20


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    two = Card("GPU-b", mig=True, slices=[Card("MIG-1", total=10 * MB), Card("MIG-2", total=20 * MB)])
    driver = Driver(Card("GPU-a"), two)
    monkeypatch.setattr(gpus, "_open", lambda: driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return driver


def test_memory_by_process_on_two_gpus_and_the_slice_that_was_used(driver: Driver) -> None:
    watched = Gpus()
    driver.cards[0].running = {10: 30 * MB, 11: 5 * MB, 99: 40 * MB}
    driver.cards[1].slices[1].running = {11: 15 * MB}
    watched.measure({10, 11})
    driver.cards[0].running = {10: 1 * MB}
    driver.cards[0].energy = 1_002_500.0
    driver.cards[0].busy = 100
    watched.measure({10, 11})
    (whole, part), source = watched.uses()
    assert source == "processes"
    assert (whole.device, whole.peak_bytes, whole.utilization, whole.energy_j) == ("0", 35 * MB, 0.75, 2.5)
    assert (part.device, part.peak_bytes, part.total_bytes) == ("MIG-2", 15 * MB, 20 * MB)
    assert (part.utilization, part.energy_j) == (None, None)
    assert watched.peak_bytes() == 35 * MB
    watched.close()
    assert not driver.is_open


def test_in_a_container_only_the_runs_own_gpus_tell_its_memory(driver: Driver) -> None:
    own, shared = Gpus([0]), Gpus()
    driver.cards[0].running = {4_000_000: 30 * MB}  # as the host numbers it
    driver.cards[0].used = 31 * MB
    for watched in (own, shared):
        watched.measure({10})
    (use,), source = own.uses()
    assert (source, use.peak_bytes) == ("device", 30 * MB)
    assert shared.uses() == ((), None)


def test_own_gpus_that_were_left_idle_have_no_peak(driver: Driver) -> None:
    watched = Gpus(["GPU-a"])
    watched.measure({10})
    (use,), source = watched.uses()
    assert (source, use.peak_bytes, use.device, use.energy_j) == (None, None, "GPU-a", 0.0)


def test_the_beginning_of_a_uuid_names_the_one_gpu_that_has_it(driver: Driver) -> None:
    driver.cards = [Card("GPU-8932f937-d72c"), Card("GPU-8a4b")]
    watched = Gpus(["GPU-8932f937"])
    driver.cards[0].running = {10: 30 * MB}
    watched.measure({10})
    assert watched.peak_bytes() == 30 * MB
    assert [use.device for use in watched.uses()[0]] == ["GPU-8932f937"]
    assert Gpus(["GPU-8"]).uses() == ((), None)


def test_power_is_integrated_to_the_end_where_there_is_no_counter(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=50.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("tunewright_tools.gpus.time", clock)
    driver.cards[0].energy = None
    watched = Gpus([0])
    for now, watts in ((50.0, 100.0), (52.0, 300.0)):
        clock.now, driver.cards[0].watts = now, watts
        watched.measure({10})
    clock.now = 55.0
    assert watched.uses()[0][0].energy_j == 2 * 200 + 3 * 300


def test_a_counter_of_energy_that_began_anew_tells_nothing(driver: Driver) -> None:
    watched = Gpus([0])
    driver.cards[0].energy = 2_000.0
    watched.measure({10})
    assert watched.uses()[0][0].energy_j is None


def test_what_is_visible(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible() == (0, "MIG-1", "MIG-2")
    for given, seen in {"0": (0,), "1": ("MIG-1", "MIG-2"), "": (), "7,0": (), "MIG-2": ("MIG-2",)}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert visible() == seen
    for given, seen in {"-1": (), "0,-1,1": (0,), "NoDevFiles": (), "GPU-8932f937,0": ("GPU-8932f937", 0)}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert visible() == seen
    for given in ("0,-1,-1", "0,-1,0"):  # none is named twice: the second word is not read any more
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert visible() == (0,)
        assert torch.cuda._parse_visible_devices() == [0]
    for given in ("0,0", "0,1,0", "GPU-a,GPU-a", "MIG-1,MIG-1", "0,0,-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert visible() == ()
        assert torch.cuda._parse_visible_devices() == []


def test_the_driver_played_here_has_the_functions_of_pynvml() -> None:
    import pynvml

    for name, function in inspect.getmembers(Driver, inspect.isfunction):
        if name.startswith("nvml"):
            played = len(inspect.signature(function).parameters) - 1
            real = inspect.signature(getattr(pynvml, name)).parameters.values()
            assert played == sum(one.default is inspect.Parameter.empty for one in real), name
    assert issubclass(pynvml.NVMLError, Exception)
    assert not issubclass(pynvml.NVMLLibraryMismatchError, pynvml.NVMLError)
    assert pynvml.NVML_DEVICE_MIG_ENABLE == Driver.NVML_DEVICE_MIG_ENABLE


def test_without_a_driver_there_is_nothing() -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        watched = Gpus()
        watched.measure({1})
        assert watched.uses() == ((), None)
        assert visible() == ()
        watched.close()
    else:
        pynvml.nvmlShutdown()
        pytest.skip("there is a GPU here")


def test_a_driver_that_is_too_old_for_a_function_leaves_the_rest(driver: Driver) -> None:
    def too_old(card: Card) -> None:
        raise Driver.NVMLLibraryMismatchError

    driver.nvmlDeviceGetComputeRunningProcesses = too_old  # type: ignore[method-assign, assignment]
    watched = Gpus([0])
    driver.cards[0].used = 31 * MB
    watched.measure({10})
    (use,), source = watched.uses()
    assert (source, use.peak_bytes, use.utilization) == ("device", 30 * MB, 0.5)
