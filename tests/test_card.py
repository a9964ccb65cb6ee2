"""Task cards: each mistake is a CardError with its place and a way on; short forms, constraints, JSON, derived."""

import inspect
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright import card_parts
from tunewright.card import Budget, Constraint, HardwareCard, Metric, Stop, TaskCard, ToolCard
from tunewright.card_parts import key_path
from tunewright.errors import CardError, SpaceError
from tunewright.hardware import Gpu, Hardware
from tunewright.space import Choice, Float, Int, Space

SPACE = Space(
    Float("lr", 1e-5, 0.1, log=True, default=1e-3),
    Int("width", 64, 512, step=64, default=128),
    Int("heads", 0, 16, default=4),
    Choice("batch", [16, 32, 64], default=32),
    Choice("opt", ["adamw", "sgd"], default="adamw"),
    Float("momentum", 0.5, 0.99, default=0.9, when={"opt": "sgd"}),
)


def card(**changes: Any) -> TaskCard:
    fields: dict[str, Any] = {"goal": "Digits", "metric": "val_loss", "direction": "minimize", "space": SPACE}
    return TaskCard(**{**fields, **changes})


def metrics(*rows: Any) -> dict[str, Any]:
    return {"metric": None, "direction": None, "metrics": list(rows)}


LOSS = {"name": "loss", "direction": "minimize"}

# (changes to a good card, where the error says it is, what the message says, what the hint says)
FAULTS: list[tuple[dict[str, Any], tuple[str | int, ...], str, str]] = [
    ({"goal": ""}, (), "no goal", "say in a sentence"),
    ({"goal": "  \n"}, (), "no goal", "say in a sentence"),
    ({"goal": None}, (), "no goal", "say in a sentence"),
    ({"goal": 3}, (), "no goal (goal is 3)", "say in a sentence"),
    ({"metrcs": [LOSS]}, ("metrcs",), "there is no key 'metrcs'", "did you mean 'metrics'?"),
    ({"Constraints": []}, ("Constraints",), "there is no key 'Constraints'", "did you mean 'constraints'?"),
    ({"zzz": 1}, ("zzz",), "there is no key 'zzz'", "the keys are goal, name, space"),
    ({"stated_hardware": {}}, ("stated_hardware",), "there is no key", "did you mean 'hardware'"),
    (metrics(), (), "no metric", "name what a run reports"),
    ({"metric": None, "direction": None}, (), "no metric", "name what a run reports"),
    ({"metrics": [LOSS]}, (), "metrics beside metric", "use metrics alone"),
    ({"direction": None}, (), "direction is None", "give both"),
    ({"metric": None}, (), "metric is None", "give both"),
    ({"direction": "max"}, ("direction",), "direction is 'max'", "did you mean 'maximize'?"),
    ({"direction": "lower"}, ("direction",), "direction is 'lower'", "use minimize or maximize"),
    ({"metric": "lr"}, ("metrics", 0), "'lr' has the name of a parameter", "another name"),
    ({"metric": "val loss"}, ("metric",), "name is 'val loss'", "letters, digits"),
    ({"metric": "step"}, ("metric",), "name is 'step'", "another meaning"),
    ({"metric": 3}, ("metric",), "name is 3", "give text"),
    (metrics(LOSS, LOSS), ("metrics", 1), "'loss' is there twice", "once"),
    (metrics({"name": "a"}), ("metrics", 0), "'direction' is missing", "add direction"),
    (metrics({"name": "a", "dir": "minimize"}), ("metrics", 0, "dir"), "no key 'dir'", "did you mean 'direction'?"),
    (metrics({"name": "a", "direction": "minimise"}), ("metrics", 0, "direction"), "'minimise'", "'minimize'?"),
    (metrics("loss"), ("metrics", 0), "'loss' is no mapping", "name, direction"),
    (metrics({1: 2}), ("metrics", 0, "1"), "no key 1", "name, direction"),
    ({**metrics(), "metrics": "loss"}, ("metrics",), "metrics is 'loss'", "give a list"),
    ({"constraints": "a <= 3"}, ("constraints",), "constraints is 'a <= 3'", "give a list"),
    ({"constraints": ["a <= 3", "a < 3"]}, ("constraints", 1), "'a < 3' cannot be read", "latency_ms <= 50"),
    ({"constraints": ["lr <= 3"]}, ("constraints", 0), "bounds a parameter", "relations"),
    ({"constraints": ["a <= 3", "a <= 4"]}, ("constraints", 1), "does not go with 'a <= 3'", "keep one"),
    ({"constraints": ["a <= 3", "a >= 4"]}, ("constraints", 1), "does not go with 'a <= 3'", "keep one"),
    ({"derived": {"a": {"heads": 1}}}, ("derived", "a", "heads"), "'heads' can be 0", "always above 0"),
    ({"derived": {"a": {"zz": 1}}}, ("derived", "a", "zz"), "'zz' is not in the space", "numeric parameters"),
    ({"derived": {"a": {"opt": 1}}}, ("derived", "a", "opt"), "'opt' is not numeric", "numeric parameters"),
    ({"derived": {"a": {"momentum": 1}}}, ("derived", "a", "momentum"), "only under a condition", "always there"),
    ({"derived": {"a": {"lr": 0}}}, ("derived", "a", "lr"), "its power is 0", "product of powers"),
    ({"derived": {"a": {"lr": "2"}}}, ("derived", "a", "lr"), "derived.a.lr is '2'", "give a number"),
    ({"derived": {"a": {"lr": True}}}, ("derived", "a", "lr"), "derived.a.lr is True", "give a number"),
    ({"derived": {"a": {"lr": math.nan}}}, ("derived", "a", "lr"), "derived.a.lr is nan", "finite"),
    ({"derived": {"a": {}}}, ("derived", "a"), "'a' is empty", "write"),
    ({"derived": {"a": "lr * 2"}}, ("derived", "a"), "derived.a is 'lr * 2'", "mapping"),
    ({"derived": {"lr": {"lr": 1}}}, ("derived", "lr"), "a name already taken", "of its own"),
    ({"derived": {"val_loss": {"lr": 1}}}, ("derived", "val_loss"), "a name already taken", "of its own"),
    ({"derived": {"a b": {"lr": 1}}}, ("derived", "a b"), "is no name", "letters"),
    ({"derived": ["a"]}, ("derived",), "derived is ['a']", "write"),
    ({"minutes_per_trial": 0}, ("minutes_per_trial",), "minutes_per_trial is 0", "above 0"),
    ({"model": 3}, ("model",), "model is 3", "give text"),
    ({"data": {"row": 3}}, ("data", "row"), "no key 'row'", "did you mean 'rows'?"),
    ({"budget": {"trial": 3}}, ("budget", "trial"), "no key 'trial'", "did you mean 'trials'?"),
    ({"budget": {"trials": 0}}, ("budget", "trials"), "trials is 0", "above 0"),
    ({"budget": {"trials": -3}}, ("budget", "trials"), "trials is -3", "above 0"),
    ({"budget": {"trials": 2.5}}, ("budget", "trials"), "trials is 2.5", "whole number"),
    ({"budget": {"trials": "12"}}, ("budget", "trials"), "trials is '12'", "whole number"),
    ({"budget": {"trials": True}}, ("budget", "trials"), "trials is True", "whole number"),
    ({"budget": {"hours": 0}}, ("budget", "hours"), "hours is 0", "above 0"),
    ({"budget": {"hours": math.inf}}, ("budget", "hours"), "hours is inf", "finite"),
    ({"budget": {"hours": 10**400}}, ("budget", "hours"), "hours is 1000", "number"),
    ({"budget": {"usd": -1}}, ("budget", "usd"), "usd is -1", "at least 0"),
    ({"budget": {"seconds_per_trial": 0}}, ("budget", "seconds_per_trial"), "is 0", "above 0"),
    ({"budget": {"memory_gb_per_trial": 1e300}}, ("budget", "memory_gb_per_trial"), "1e+300", "at most"),
    ({"budget": 12}, ("budget",), "12 is no mapping", "trials, hours"),
    ({"stop": {"trials": 0}}, ("stop", "trials"), "trials is 0", "above 0"),
    ({"stop": {"hours": -1.5}}, ("stop", "hours"), "hours is -1.5", "above 0"),
    ({"stop": {"no_gain": 0}}, ("stop", "no_gain"), "no_gain is 0", "above 0"),
    ({"stop": {"no_gain": 1}}, ("stop", "no_gain"), "no_gain is 1", "below 1"),
    ({"stop": {"target": math.nan}}, ("stop", "target"), "target is nan", "finite"),
    ({"start": "default_"}, ("start",), "start is 'default_'", "did you mean 'default'?"),
    ({"start": None}, ("start",), "start is None", "default or none"),
    ({"known": "a fact"}, ("known",), "known is 'a fact'", "give a list"),
    ({"known": ["a", 3]}, ("known", 1), "known[1] is 3", "give text"),
    ({"best_of_curve": "yes"}, ("best_of_curve",), "best_of_curve is 'yes'", "true or false"),
    ({"best_of_curve": 1}, ("best_of_curve",), "best_of_curve is 1", "true or false"),
    ({"tool": {}}, ("tool",), "neither command nor trainer", "give one of them"),
    ({"tool": {"command": ["a"], "trainer": "b"}}, ("tool",), "both command and trainer", "give one of them"),
    ({"tool": {"command": []}}, ("tool", "command"), "command is []", "program"),
    ({"tool": {"command": "python train.py"}}, ("tool", "command"), "'python train.py'", "give a list"),
    ({"tool": {"command": ["a", 3]}}, ("tool", "command", 1), "tool.command[1] is 3", '"quotes"'),
    ({"tool": {"trainer": " "}}, ("tool", "trainer"), "trainer is empty", "torch_digits"),
    ({"tool": {"trainer": "a", "env": {"A": 1}}}, ("tool", "env", "A"), "tool.env.A is 1", '"quotes"'),
    ({"tool": {"commando": ["a"]}}, ("tool", "commando"), "no key 'commando'", "did you mean 'command'?"),
    ({"tool": "torch_digits"}, ("tool",), "'torch_digits' is no mapping", "trainer"),
    ({"space": None}, ("space",), "no space", "list the parameters"),
    ({"space": []}, ("space",), "no space", "list the parameters"),
    ({"space": "lr"}, ("space",), "no space", "list the parameters"),
    ({"space": 3}, ("space",), "no space", "list the parameters"),
    ({"space": {"parameters": []}}, ("space",), "no parameters", "add at least one"),
    ({"space": [3]}, ("space", 0), "the parameter is 3", "name: lr"),
    ({"space": {"lr": None}}, ("space", "lr"), "the parameter is None", "name: lr"),
    ({"space": {"lr": {"name": "lr", "type": "float"}}}, ("space", "lr"), "its name twice", "inner"),
    ({"space": {"lr": {"low": 1, "high": 2}}}, ("space", "lr", "type"), "no type", "float, int, choice"),
    ({"space": [{"name": "a", "type": "flot"}]}, ("space", 0, "type"), "type 'flot'", "did you mean 'float'?"),
    (
        {"space": [{"name": "a", "type": "int", "low": 1, "high": 2, "stepp": 1}]},
        ("space", 0, "stepp"),
        "a key 'stepp'",
        "did you mean 'step'?",
    ),
    ({"space": {"parameters": [], "relation": []}}, ("space", "relation"), "no key 'relation'", "'relations'?"),
    ({"space": [Float("a", 0, 1), Float("a", 0, 1)]}, ("space", 1, "name"), "'a' is there twice", "own name"),
    ({"relations": "heads > 1"}, ("relations",), "relations is 'heads > 1'", "give a list"),
    ({"relations": ["heads > 1", "hedas > 1"]}, ("relations", 1), "names 'hedas'", "the parameters are"),
    ({"relations": ["heads"]}, ("relations", 0), "compares nothing", "it may hold"),
    ({"relations": [3]}, ("relations", 0), "relation 3", "it may hold"),
    ({"relations": ["width % heads == 1"]}, ("relations",), "trial 0 could not run: width % heads == 1", "start: none"),
    ({"hardware": 3}, ("hardware",), "3 is no mapping", "cpus, memory_gb, gpus"),
    ({"hardware": {"cpus": 0}}, ("hardware", "cpus"), "cpus is 0", "above 0"),
    ({"hardware": {"gpus": {}}}, ("hardware", "gpus"), "gpus is {}", "give a list"),
    ({"hardware": {"gpus": [{"name": "a"}]}}, ("hardware", "gpus", 0), "'memory_gb' is missing", "add memory_gb"),
    *(
        ({"name": n}, ("name",), "name is", "letters")
        for n in ("", "a/b", "..", ".a", "a.", "CON", "nul.txt", "a b", 3)
    ),
    ({"name": "x" * 65}, ("name",), "name is", "up to 64"),
]


@pytest.mark.parametrize(("changes", "path", "message", "hint"), FAULTS, ids=lambda v: str(v)[:50])
def test_a_fault_has_its_place_a_message_and_a_way_on(
    changes: dict[str, Any], path: tuple[str | int, ...], message: str, hint: str
) -> None:
    with pytest.raises(CardError) as caught:
        card(**changes)
    assert caught.value.path == path
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert len(str(caught.value)) < 700
    if path:  # the place is readable too
        assert caught.value.message.startswith(key_path(path)) or path[0] == "metric"
    if path[:1] in [("space",), ("relations",)] and "no key" not in message and "give a list" not in hint:
        assert isinstance(caught.value, SpaceError)


def test_parts_made_alone_give_card_errors() -> None:
    for made in (
        lambda: Metric(name="a", direction="up"),  # type: ignore[arg-type]
        lambda: Metric(name="a b", direction="minimize"),
        lambda: Metric(name="a"),  # type: ignore[call-arg]
        lambda: Budget(trials=0),
        lambda: Budget(trails=3),  # type: ignore[call-arg]
        lambda: Stop(no_gain=2),
        lambda: ToolCard(),
        lambda: HardwareCard(gpus=["H100"]),  # type: ignore[arg-type]
        lambda: Metric.model_validate({"name": "a", "direction": "up"}),
    ):
        with pytest.raises(CardError) as caught:
            made()
        assert caught.value.hint


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["goal", "name", "space", "metrics", "metric", "direction", "constraints", "relations", "derived", "tool"]
KEYS += ["budget", "stop", "start", "known", "best_of_curve", "hardware", "model", "data", "minutes_per_trial"]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), json_like, max_size=3))
def test_no_junk_escapes_as_another_error(changes: dict[str, Any]) -> None:
    try:
        made = card(**changes)
    except CardError:
        return
    assert TaskCard.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("record", [None, [], "goal", 3, {3: "x"}, {}])
def test_records_that_are_no_card(record: Any) -> None:
    with pytest.raises(CardError):
        TaskCard.from_json(record)


# -- what a good card says ---------------------------------------------------------------------------------------


def test_short_form_and_defaults() -> None:
    made = card()
    assert made.primary == Metric(name="val_loss", direction="minimize")
    assert made.metrics == (made.primary,)
    assert made.name == "digits"
    assert made.space is SPACE
    assert made.budget == Budget()
    assert made.stop == Stop()
    assert (made.start, made.known, made.tool, made.constraints, made.best_of_curve) == ("default", (), None, (), False)
    assert made.derived == {}
    assert made.feasible({"val_loss": 3.0})


def test_a_card_is_frozen() -> None:
    made = card()
    with pytest.raises(Exception, match="frozen"):
        made.goal = "other"  # type: ignore[misc]
    with pytest.raises(Exception, match="frozen"):
        made.primary.name = "other"  # type: ignore[misc]


def test_keys_without_a_value_are_keys_left_out() -> None:
    empty = dict.fromkeys(["constraints", "relations", "known", "derived", "tool", "budget", "stop", "hardware"])
    assert card(**empty) == card()


@pytest.mark.parametrize(
    ("goal", "name"),
    [
        ("ResNet-18 on CIFAR-10, 10 epochs", "resnet-18-on-cifar-10-10-epochs"),
        ("  Tune: LR!  ", "tune-lr"),
        ("a" * 48, "a" * 48),
    ],
)
def test_the_name_comes_from_the_goal(goal: str, name: str) -> None:
    assert card(goal=goal).name == name


def test_long_and_foreign_goals_get_names_of_their_own() -> None:
    names = [card(goal=g).name for g in ("a" * 80 + "b", "a" * 80 + "c", "数字を分類", "分類", "!!!", "con")]
    assert len(set(names)) == 6
    for name in names:
        assert re.fullmatch(r"[a-z0-9-]{1,64}", name)
        assert card(name=name).name == name  # and such a name may be given
    assert card(goal="数字を分類").name == names[2]


@pytest.mark.parametrize("name", ["a", "run_1", "2024-01.b", "x" * 64, "A"])
def test_given_names(name: str) -> None:
    assert card(name=name).name == name


def test_direction_is_turned_in_one_place() -> None:
    low, high = Metric(name="a", direction="minimize"), Metric(name="a", direction="maximize")
    for value in (-2.5, 0.0, 7.0):
        assert low.loss(value) == value
        assert high.loss(value) == -value
        assert low.value(low.loss(value)) == value
        assert high.value(high.loss(value)) == value


@pytest.mark.parametrize(
    ("text", "metric", "op", "bound"),
    [
        ("latency_ms <= 50", "latency_ms", "<=", 50.0),
        ("val/acc>=0.9", "val/acc", ">=", 0.9),
        ("  f1@10   >=  -1e-3 ", "f1@10", ">=", -0.001),
    ],
)
def test_constraints_read(text: str, metric: str, op: str, bound: float) -> None:
    made = Constraint(text)
    assert (made.metric, made.op, made.bound, made.text) == (metric, op, bound, text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a <=", "<= 3", "a < 3", "a == 3", "3 >= a", "a <= b", "a <= nan", "a <= inf", "a <= 1e999"),
        *("a <= 50ms", "a <= 3 <= 4", "a <= 3; b <= 4", "a b <= 3", "a <= 3\nb <= 4", "a => 3", None, 3, ["a <= 3"]),
        "a <= " + "9" * 10**6,
    ],
    ids=lambda t: repr(t)[:20],
)
def test_constraints_refused(text: Any) -> None:
    with pytest.raises(CardError, match="cannot be read") as caught:
        Constraint(text)
    assert len(str(caught.value)) < 400


def test_constraints_hold_at_the_bound_and_not_without_a_number() -> None:
    upper, lower = Constraint("a <= 5"), Constraint("a >= 5")
    assert [upper.excess(v) for v in (4, 5, 7)] == [-1, 0, 2]
    assert [lower.excess(v) for v in (4, 5, 7)] == [1, 0, -2]
    assert [upper.holds({"a": v}) for v in (4, 5, 5.1, math.nan)] == [True, True, False, False]
    assert [lower.holds({"a": v}) for v in (4, 5, 5.1, math.nan)] == [False, True, True, False]
    assert not upper.holds({})
    made = card(constraints=["latency_ms <= 50", "latency_ms >= 10", "val_loss <= 3"])
    assert made.feasible({"latency_ms": 50, "val_loss": 1})
    assert not made.feasible({"latency_ms": 5, "val_loss": 1})
    assert not made.feasible({"val_loss": 1})


def test_relations_join_those_of_the_space() -> None:
    made = card(space=SPACE.with_relations(["heads > 1"]), relations=["width % heads == 0", "heads > 1"])
    assert [r.text for r in made.space.relations] == ["heads > 1", "width % heads == 0"]


def test_defaults_that_break_a_relation_are_named_and_may_be_skipped() -> None:
    space = [Int("width", 1, 10), Int("heads", 1, 10, default=4)]
    with pytest.raises(CardError) as caught:
        card(space=space, relations=["width % heads == 0"])
    assert "width % heads == 0 does not hold with heads = 4, width = 6" in caught.value.message
    assert "width stated no default" in caught.value.message
    assert card(space=space, relations=["width % heads == 0"], start="none").start == "none"


@pytest.mark.parametrize(
    "space",
    [
        SPACE.to_json()["parameters"],
        SPACE.to_json(),
        {p["name"]: {k: v for k, v in p.items() if k != "name"} for p in SPACE.to_json()["parameters"]},
        list(SPACE.parameters),
        tuple(SPACE.parameters),
    ],
    ids=["list", "json", "mapping", "parameters", "tuple"],
)
def test_ways_to_write_a_space(space: Any) -> None:
    assert card(space=space).space == SPACE


def test_a_parameter_may_be_called_parameters() -> None:
    made = card(space={"parameters": {"type": "int", "low": 1, "high": 4}})
    assert made.space.names == ("parameters",)


def test_derived_quantities_are_logarithms() -> None:
    made = card(derived={"activation": {"batch": 1, "width": 2}, "noise": {"lr": 1, "batch": -0.5}})
    configs = [{"batch": 16, "width": 64, "lr": 0.01}, {"batch": 64, "width": 512, "lr": 1e-5}]
    found = made.derive(configs)
    assert set(found) == {"activation", "noise"}
    np.testing.assert_allclose(np.exp(found["activation"]), [16 * 64**2, 64 * 512**2])
    np.testing.assert_allclose(np.exp(found["noise"]), [0.01 / 4, 1e-5 / 8])
    assert made.derive([])["noise"].shape == (0,)
    assert card().derive(configs) == {}


def test_a_product_of_what_ran_at_0_before_the_bounds_were_moved_is_a_number() -> None:
    made = card(space=Space(Int("layers", 2, 8)), derived={"cost": {"layers": 1}})
    assert made.derive([{"layers": 0}, {"layers": 4}])["cost"] == pytest.approx([math.log(2), math.log(4)])


# -- JSON, hardware, documentation -------------------------------------------------------------------------------

FULL = {
    "goal": "  Digits, small network ",
    "name": "digits-1",
    "metric": None,
    "direction": None,
    "metrics": [{"name": "acc", "direction": "maximize"}, {"name": "latency_ms", "direction": "minimize"}],
    "constraints": ["latency_ms <= 50"],
    "relations": ["width % heads == 0"],
    "derived": {"activation": {"batch": 1, "width": 2}},
    "tool": {"command": ["python", "train.py", "--lr", "{lr}"], "env": {"OMP_NUM_THREADS": "1"}, "cwd": "."},
    "budget": {"trials": 12, "hours": 2, "usd": 0, "seconds_per_trial": 60, "memory_gb_per_trial": 1.5},
    "stop": {"target": 0.99, "hours": 1, "trials": 10, "no_gain": 0.01},
    "start": "none",
    "known": ["SGD was worse last year."],
    "model": "a network with two hidden layers",
    "data": {"name": "digits", "rows": 1797, "features": 64, "classes": 10, "balance": [0.1, 0.1], "missing": 0},
    "minutes_per_trial": 0.1,
    "best_of_curve": True,
    "hardware": {"cpus": 8, "gpus": []},
}


@pytest.mark.parametrize("changes", [{}, FULL], ids=["short", "full"])
def test_json_gives_an_equal_card(changes: dict[str, Any]) -> None:
    made = card(**changes)
    record = json.loads(json.dumps(made.to_json()))
    again = TaskCard.from_json(record)
    assert again == made
    assert again.to_json() == record
    assert again != card(goal="another goal")


def test_json_leaves_defaults_out() -> None:
    assert set(card().to_json()) == {"goal", "name", "metrics", "space"}


def test_looking_at_the_hardware_does_not_change_the_card() -> None:
    made = card(hardware={"cpus": 3})
    assert made.hardware is made.hardware
    assert made == card(hardware={"cpus": 3})
    assert TaskCard.from_json(made.to_json()) == made


def test_stated_hardware_takes_the_place_of_what_is_seen() -> None:
    seen = card().hardware
    assert seen.cpus >= 1
    assert seen.memory_bytes > 2**28
    part = card(hardware={"memory_gb": 0.5}).hardware
    assert part == Hardware(seen.cpus, 2**29, seen.gpus)
    whole = card(hardware={"cpus": 96, "memory_gb": 1024, "gpus": [{"name": "H100", "memory_gb": 80}] * 2}).hardware
    assert whole == Hardware(96, 2**40, (Gpu(0, "H100", 80 * 2**30), Gpu(1, "H100", 80 * 2**30)))
    assert card(hardware={"gpus": []}).hardware.gpus == ()
    assert card(hardware=whole).hardware == whole
    assert card(hardware=HardwareCard(cpus=2)).hardware.cpus == 2
    picked = Hardware(2, 3**20, (Gpu(3, "H200", 143_771_000_832),))
    assert TaskCard.from_json(json.loads(json.dumps(card(hardware=picked).to_json()))).hardware == picked


def test_every_field_has_its_sentence() -> None:
    parts = [v for v in vars(card_parts).values() if inspect.isclass(v) and issubclass(v, card_parts.Part)]
    assert len(parts) >= 8
    for part in [TaskCard, *parts]:
        for name, field in part.model_fields.items():
            assert field.description, f"{part.__name__}.{name}"
            assert field.description.rstrip().endswith((".", ")")), f"{part.__name__}.{name}"
