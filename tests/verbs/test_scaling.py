import inspect

import pytest

from tunewright.chat.slash import parse
from tunewright.verbs import VERBS, Session, WrongCall, call
from tunewright.verbs.scaling import RULES
from tunewright_tools import scaling


def test_a_model_is_told_what_a_rule_gives_with_source_units_and_range(toy: Session) -> None:
    given = {"non_embedding_parameters": 1e9, "training_tokens": 2e10, "sequence_tokens": 2048}
    answer = call(toy, "scaling_rule", {"rule": "step_law", "given": given}, by="model")
    advice = scaling.step_law(**given)
    assert answer.data["values"] == {v.name: v.value for v in advice.values}
    assert answer.data["units"]["batch_tokens"] == "tokens"
    assert answer.data["warnings"] == []
    assert "2503.04715" in answer.data["source"]
    assert "2503.04715" in answer.text
    assert "peak_learning_rate" in answer.text


def test_a_use_beyond_the_range_says_so(toy: Session) -> None:
    given = {"batch_examples": 65536, "base_batch_examples": 256, "learning_rate": 0.1}
    answer = call(toy, "scaling_rule", {"rule": "linear_batch_scaling", "given": given}, by="model")
    assert any("8192" in text for text in answer.data["warnings"])
    assert "outside of where it was tried: batch_examples is 65536" in answer.text


def test_a_wrong_call_names_each_number(toy: Session) -> None:
    given = {"with": 512, "base_width": 256, "learning_rate": 0.01}
    with pytest.raises(WrongCall) as e:
        call(toy, "scaling_rule", {"rule": "mup_width_transfer", "given": given}, by="model")
    assert {f.argument for f in e.value.faults} == {"given.with", "given.width", "given.hidden_init_std"}
    assert "did you mean 'width'" in str(e.value)
    given = {"batch_examples": "512", "base_batch_examples": 256, "learning_rate": 0.1}
    with pytest.raises(WrongCall, match=r"^given\.batch_examples is '512'; accepted: a number\n"):
        call(toy, "scaling_rule", {"rule": "linear_batch_scaling", "given": given}, by="model")
    with pytest.raises(WrongCall, match="one of step_law, mup_width_transfer"):
        call(toy, "scaling_rule", {"rule": "chinchilla", "given": {}}, by="model")


@pytest.mark.parametrize(
    ("rule", "given", "message"),
    [
        ("step_law", {"non_embedding_parameters": -1, "training_tokens": 1e9}, "finite number above 0"),
        (
            "linear_batch_scaling",
            {"batch_examples": 1e308, "base_batch_examples": 1e-300, "learning_rate": 0.1},
            "results are finite",
        ),
        (
            "mup_width_transfer",
            {"width": 1e-200, "base_width": 1e200, "learning_rate": 0.01, "hidden_init_std": 0.02},
            "results are finite",
        ),
        (
            "mup_width_transfer",
            {"width": 512, "base_width": 256, "learning_rate": 0.01, "hidden_init_std": 0.02, "head_width": 64},
            "base_head_width",
        ),
    ],
)
def test_numbers_that_cannot_be_are_faults_of_the_call(rule: str, given: dict[str, float], message: str) -> None:
    with pytest.raises(WrongCall, match=message):
        VERBS["scaling_rule"].run(None, VERBS["scaling_rule"].arguments(rule=rule, given=given))  # type: ignore[arg-type]


def test_the_description_names_every_rule_and_number() -> None:
    about = VERBS["scaling_rule"].about
    for name, rule in RULES.items():
        assert name in about
        assert all(argument in about for argument in inspect.signature(rule).parameters)


def test_a_person_gives_the_numbers_by_name() -> None:
    line = "/scale linear_batch_scaling batch_examples=512 base_batch_examples=256 learning_rate=0.1"
    given = {"batch_examples": 512, "base_batch_examples": 256, "learning_rate": 0.1}
    assert parse(line) == ("scaling_rule", {"rule": "linear_batch_scaling", "given": given})
