from pathlib import Path

import pytest
from toy import config, done, failed

from tunewright.errors import ToolError
from tunewright.health import check_healthy, to_start_again


def test_a_crash_of_trial_0_shows_its_log() -> None:
    broken = failed(
        0,
        config(),
        "crashed",
        source="default",
        detail="exit code 1\nImportError: no module named train",
        fault="config",
    )
    with pytest.raises(ToolError, match=r"first trial crashed[\s\S]*ImportError"):
        check_healthy([broken], broken)
    assert to_start_again([broken]) == [broken]


def test_what_other_workers_had_begun_starts_again_with_a_crashed_trial_0() -> None:
    broken, also, cut = (failed(i, config(), status) for i, status in enumerate(("crashed", "crashed", "cancelled")))
    assert to_start_again([broken, also, cut]) == [broken, also]
    assert to_start_again([broken, also, done(2, config(), 1.0)]) == []  # the program runs


def test_an_out_of_memory_of_trial_0_is_the_configurations_fault() -> None:
    trial = failed(0, config(), "oom")
    check_healthy([trial], trial)
    assert to_start_again([trial]) == []


def test_a_crash_of_trial_0_says_nothing_against_a_program_that_has_run() -> None:
    crashed = failed(0, config(), "crashed", source="default")
    check_healthy([crashed, done(1, config(), 1.0)], crashed)


def test_without_a_default_one_crash_may_be_the_configurations_and_three_are_the_programs() -> None:
    crashed = [failed(i, config(), "crashed", source="sobol", detail="exit code 1") for i in range(3)]
    for n in (1, 2):
        check_healthy(crashed[:n], crashed[n - 1])
    check_healthy([crashed[0], failed(1, config()), *crashed[2:]], crashed[2])
    with pytest.raises(ToolError, match=r"first 3 trials crashed[\s\S]*exit code 1") as error:
        check_healthy(crashed, crashed[2])
    assert "the values of trial 2" in error.value.hint
    mistake = failed(0, config(), "crashed", source="sobol", fault="person", detail="No module named train")
    with pytest.raises(ToolError, match=r"first trial crashed[\s\S]*No module"):
        check_healthy([mistake], mistake)


def test_three_outer_failures_in_a_row_stop_the_study() -> None:
    trials = [done(0, config(), 1.0)] + [
        failed(i, config(), "crashed", fault="host", detail="disk full") for i in (1, 2, 3)
    ]
    check_healthy(trials[:3], trials[2])
    with pytest.raises(ToolError, match=r"3 trials in a row[\s\S]*disk full") as error:
        check_healthy(trials, trials[3], Path("/project"))
    assert "relative paths count from /project" in error.value.hint


def test_a_trial_that_ended_well_here_is_not_stopped_by_the_row_of_another_process() -> None:
    row = [failed(i, config(), "crashed", fault="host", detail="disk full") for i in (2, 3, 4)]
    for status in ("done", "oom"):
        earlier = done(1, config(), 1.0) if status == "done" else failed(1, config(), status)
        check_healthy([done(0, config(), 1.0), earlier, *row], earlier)


def test_lost_trials_say_nothing_of_the_machine() -> None:
    lost = [failed(i, config(), "lost", fault="host", detail="process 7 ended without an outcome") for i in (2, 3, 4)]
    crashed = failed(1, config(), "crashed", fault="host", detail="disk full")
    check_healthy([done(0, config(), 1.0), crashed, *lost], crashed)
    check_healthy([done(0, config(), 1.0), crashed, *lost], lost[-1])


def test_failures_of_configurations_never_stop_it() -> None:
    trials = [done(0, config(), 1.0)] + [failed(i, config(), "crashed", fault="config") for i in range(1, 9)]
    check_healthy(trials, trials[-1])
