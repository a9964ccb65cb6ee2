import pytest

from tunewright_tools.base import Telemetry, ToolSetupError
from tunewright_tools.measured import MEASURES, check_measured, measured

GIB = 2**30


def test_values_and_those_that_are_not_known() -> None:
    host = Telemetry(3.0, peak_bytes=2 * GIB, cpu_seconds=1.5)
    names = [*MEASURES, "val_loss"]
    assert measured(names, host) == {
        "telemetry.seconds": 3.0,
        "telemetry.peak_gb": 2.0,
        "telemetry.host_peak_gb": 2.0,
        "telemetry.cpu_seconds": 1.5,
    }
    on_gpu = Telemetry(3.0, peak_bytes=2 * GIB, peak_gpu_bytes=71 * GIB, energy_j=9.0)
    found = measured(names, on_gpu)
    assert (found["telemetry.peak_gb"], found["telemetry.host_peak_gb"], found["telemetry.energy_j"]) == (71, 2, 9)


def test_a_name_that_is_none() -> None:
    check_measured(["val_loss", "telemetry.seconds"])
    with pytest.raises(ToolSetupError, match=r"nothing is measured as 'telemetry\.peak'") as raised:
        check_measured(["telemetry.peak"])
    assert "did you mean telemetry.peak_gb?" in raised.value.hint
