import pickle

import pytest

from tunewright.errors import CardError, ModelError, SpaceError, StudyError, ToolError, TunerError, did_you_mean


@pytest.mark.parametrize("kind", [TunerError, CardError, SpaceError, StudyError, ToolError])
def test_an_error_shows_what_is_wrong_and_what_next(kind: type[TunerError]) -> None:
    assert str(kind("lr is 7", "give 0 to 1")) == "lr is 7\n  -> give 0 to 1"


def test_a_hint_is_required() -> None:
    with pytest.raises(TypeError):
        TunerError("lr is 7")  # type: ignore[call-arg]


def test_each_kind_has_its_exit_code() -> None:
    codes = {kind: kind.exit_code for kind in (TunerError, CardError, StudyError, ModelError, ToolError)}
    assert len(set(codes.values())) == 5
    assert SpaceError.exit_code == CardError.exit_code


def test_errors_cross_processes_whole() -> None:
    error = pickle.loads(pickle.dumps(ModelError("busy", "wait", retryable=True)))
    assert (error.message, error.hint, error.retryable, str(error)) == ("busy", "wait", True, "busy\n  -> wait")
    assert type(error) is ModelError


def test_did_you_mean_names_a_near_word_or_nothing() -> None:
    assert "direction" in did_you_mean("direktion", ["direction", "name"])
    assert did_you_mean("xyz", ["direction", "name"]) == ""
