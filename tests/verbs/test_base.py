import json
from typing import Any

import pytest

from tunewright.verbs import VERBS, ArgumentFault, Ask, Denied, Never, Session, WrongCall, call, tool_specs
from tunewright.verbs.base import checked, lookup

from .conftest import best


def faults(verb: str, arguments: Any) -> dict[str, ArgumentFault]:
    with pytest.raises(WrongCall) as e:
        checked(lookup(verb), arguments)
    return {f.argument: f for f in e.value.faults}


def test_every_verb_of_the_design_is_there() -> None:
    wanted = """look_at_script set_up_study estimate_cost run_trials stop_run pin unpin widen narrow add_constraint
    drop_constraint show_study show_best show_trial show_curve show_log why_trial compare_trials parameter_importance
    warmstart export list_studies use_study rename_study delete_study extend_budget rerun_trial wait_for_run
    enqueue_trial scaling_rule"""
    assert set(VERBS) == set(wanted.split())


@pytest.mark.parametrize("spec", tool_specs(), ids=lambda s: s.name)
def test_a_tool_definition_says_what_each_argument_is(spec: Any) -> None:
    json.dumps(spec.parameters, allow_nan=False)
    assert spec.description.endswith(".")
    assert spec.parameters["type"] == "object"
    assert spec.parameters["additionalProperties"] is False
    inner = [d["properties"] for d in spec.parameters.get("$defs", {}).values()]
    for properties in (spec.parameters["properties"], *inner):
        for name, field in properties.items():
            assert len(field.get("description", "")) > 10, name
    for name, field in spec.parameters["properties"].items():
        for word in ("hours", "usd", "seconds"):
            if word in name:
                assert word in field["description"].lower()


@pytest.mark.parametrize("found", VERBS.values(), ids=lambda v: v.name)
def test_what_spends_or_deletes_asks_and_nothing_else_does(found: Any) -> None:
    assert (found.asks is not None) == (found.effect in ("spend", "delete"))


def test_each_fault_of_a_call_is_named_with_what_is_accepted() -> None:
    found = faults("run_trials", {"trials": "12", "workers": 0, "study": 3, "shell": "rm"})
    assert found["trials"].seen == "'12'"
    assert found["trials"].accepted.startswith("a whole number from 1 to 10000")
    assert "from 1 to 256" in found["workers"].accepted
    assert found["study"].accepted.startswith("text")
    assert "the arguments are study, trials, workers" in found["shell"].accepted
    assert str(faults("run_trials", {})["trials"]).startswith("trials is missing; accepted: a whole number")
    assert "did you mean 'trials'" in faults("run_trials", {"trails": 3})["trails"].accepted


def test_faults_inside_lists_are_placed() -> None:
    found = faults("set_up_study", {"parameters": [{"name": "lr", "low": "1e-5", "high": [1]}, {"scale": "cubic"}]})
    assert {"parameters[0].low", "parameters[0].high", "parameters[1].name", "parameters[1].scale"} == set(found)
    assert "one of linear, log, logit" in found["parameters[1].scale"].accepted


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "3", -1, True])
def test_a_number_is_a_finite_number_with_its_unit(value: Any) -> None:
    assert "Wall-clock hours" in faults("extend_budget", {"hours": value})["hours"].accepted


@pytest.mark.parametrize("arguments", [None, [], "trials=3", 3])
def test_arguments_are_a_mapping(arguments: Any) -> None:
    assert "mapping" in faults("run_trials", arguments)["arguments"].accepted


def test_an_unknown_verb_lists_those_that_are_there(toy: Session) -> None:
    with pytest.raises(WrongCall) as e:
        call(toy, "run_trial", {}, by="model")
    assert "did you mean" in e.value.hint
    assert "show_best" in e.value.faults[0].accepted


SPENDING: list[tuple[str, dict[str, Any]]] = [
    ("run_trials", {"trials": 2}),
    ("rerun_trial", {"trial": 1}),
    ("delete_study", {"study": "toy"}),
    ("extend_budget", {"trials": 5}),
]


@pytest.mark.parametrize(("verb", "arguments"), SPENDING)
def test_a_no_leaves_everything_as_it_was(toy: Session, verb: str, arguments: dict[str, Any]) -> None:
    study = toy.study()
    study.revise(study.card.from_json({**study.card.to_json(), "budget": {"trials": 20}}))
    before = (study.attributes(""), study.trials())
    toy.approver = Never()
    for by in ("person", "model"):
        with pytest.raises(Denied, match="not approved"):
            call(toy, verb, arguments, by=by)  # type: ignore[arg-type]
    assert (study.attributes(""), study.trials()) == before
    assert not toy.runs()


@pytest.mark.parametrize(("verb", "arguments"), SPENDING)
def test_a_model_that_is_not_trusted_is_not_even_asked_about(
    toy: Session, verb: str, arguments: dict[str, Any]
) -> None:
    asked: list[Any] = []
    toy.approver = Ask(lambda request: asked.append(request) is None)
    toy._trusted = False
    with pytest.raises(Denied, match="may not spend or delete"):
        call(toy, verb, arguments, by="model")
    assert asked == []
    assert call(toy, "show_best", {}, by="model").data["best"]["trial"] == best(toy)


def test_looking_never_asks(toy: Session) -> None:
    toy.approver = Ask(lambda request: pytest.fail("asked"))
    given: dict[str, dict[str, Any]] = {
        "estimate_cost": {"trials": 3},
        "look_at_script": {"script": "train.py"},
        "compare_trials": {"first": 0, "second": 1},
        "scaling_rule": {"rule": "step_law", "given": {"non_embedding_parameters": 1e8, "training_tokens": 1e10}},
    }
    for name, verb in VERBS.items():
        if verb.effect == "look":
            needs_trial = "trial" in verb.arguments.model_fields
            answer = call(toy, name, given.get(name, {"trial": 1} if needs_trial else {}), by="model")
            json.dumps(answer.data, allow_nan=False)
            assert answer.text


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_has_a_failed_path_without_a_study(name: str, root: Any, opened: Any) -> None:
    session = opened(root)
    if name == "list_studies":
        assert call(session, name, {}, by="model").data == {"studies": []}
        return
    required = VERBS[name].arguments.model_json_schema().get("required", [])
    values = {"trial": 1, "trials": 2, "first": 0, "second": 1, "value": 3, "script": "no.py", "target": "csv"}
    arguments = {key: values.get(key, "loss <= 3") for key in required}
    from tunewright.errors import TunerError

    with pytest.raises(TunerError) as e:
        call(session, name, arguments, by="model")
    assert e.value.hint
    assert not session.names()
