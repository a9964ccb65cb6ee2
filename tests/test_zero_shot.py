import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from openai_server import KEY, Answer, OpenAIServer
from test_cli import tunewright as command
from toy import card, config, space

from tunewright import warmstart
from tunewright.brief import brief
from tunewright.card import TaskCard
from tunewright.errors import ModelError, SpaceError, TunerError
from tunewright.llm.base import Reply
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.llm.scripted import Scripted
from tunewright.questions import Asker
from tunewright.space import Choice, Float, Int, Parameter, Space
from tunewright.textbook import views
from tunewright.zero_shot import Points

EXAMPLES = Path(__file__).parent.parent / "examples" / "warmstart"
GOOD = [
    config(3e-3, 128),
    config(1e-2, 256),
    config(1e-4, 32),
    {**config(0.05, 16), "optimizer": "sgd", "momentum": 0.9},
]


def replies(*configs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"proposals": [{"config": c, "rationale": f"reason {i}"} for i, c in enumerate(configs)], **more}


def assert_sound(points: Points, asked: TaskCard) -> None:
    checked = [asked.space.check(c) for c in points.configs]
    assert not any(c.faults or c.ignored for c in checked)
    assert [c.config for c in checked] == points.configs
    assert len({asked.space.key(c) for c in points.configs}) == len(points)


# -- a model that answers ----------------------------------------------------------------------------------------------


def test_one_request_over_http_gives_checked_points_with_their_reasons_prior_and_cost() -> None:
    prior = {"lr": {"guess": 0.01, "low": 0.003, "high": 0.03}}
    with OpenAIServer([Answer(text=json.dumps(replies(*GOOD, prior=prior)), tokens=(900, 120))]) as server:
        chat = OpenAIChat("toy", base_url=server.url, api_key=KEY)
        points = warmstart(card(), n=4, model=chat)
        assert len(server.chats) == 1
    assert_sound(points, card())
    assert {p.source for p in points.items} == {"llm"}
    assert points.configs[0] == GOOD[0]  # the model's best guess stays first
    assert points.items[0].rationale == "reason 0"
    assert points.prior["lr"] == prior["lr"]
    assert points.prior_from["lr"] == "llm"
    assert (points.calls, points.tokens_in, points.tokens_out) == (1, 900, 120)
    assert points.seconds > 0
    assert points.cost_usd is None  # no price is known for this model
    assert points.notes == ()
    json.dumps(points.to_json(), allow_nan=False)


def test_after_a_reply_without_anything_usable_it_is_asked_once_more() -> None:
    model = Scripted([replies(config(7.0)), replies(*GOOD)])
    points = warmstart(card(), n=4, model=model)
    assert [r.purpose for r in model.requests] == ["first_round", "repair"]
    assert points.calls == 2
    assert len(points) == 4
    assert [r.verdict.reason for r in points.refused] == ["invalid: lr = 7.0 is outside 1e-05 to 0.1"]


def test_a_small_model_is_asked_for_one_at_a_time() -> None:
    model = Scripted([{"proposals": [{"config": c}]} for c in GOOD], trusted_tools=False)
    points = warmstart(card(), n=4, model=model)
    assert [r.n_expected for r in model.requests] == [1, 1, 1, 1]
    assert {p.source for p in points.items} == {"llm"}


def test_what_cannot_be_used_is_named_and_replaced_under_another_source_and_said() -> None:
    model = Scripted([replies(GOOD[0], config(3.00001e-3, 128), config(0.5), {**GOOD[1], "wings": 2})])
    points = warmstart(card(), n=4, model=model)
    assert_sound(points, card())
    assert points.configs[0] == GOOD[0]
    assert sorted(p.source for p in points.items) == ["llm", "llm", "textbook", "textbook"]
    assert [r.verdict.reason.partition(":")[0] for r in points.refused] == ["repeat", "invalid"]
    told = "\n".join(points.notes)
    assert "the model gave 2 usable points of 4" in told
    assert "2 points of 4 are from the textbook" in told
    assert "wings" in told


def test_more_than_asked_for_are_left_out_aloud() -> None:
    points = warmstart(card(), n=2, model=Scripted([replies(*GOOD)]))
    assert [p.config for p in points.items] == GOOD[:2]
    assert [r.verdict.reason for r in points.refused] == ["surplus: 2 were asked for"] * 2


def test_values_come_back_on_their_grids_and_inactive_ones_are_left_out() -> None:
    points = warmstart(card(), n=1, model=Scripted([replies({**config(1e-3, 100), "momentum": 0.9})]))
    assert points.configs == [config(1e-3, 128)]
    assert "momentum" in points.notes[0]


def test_a_model_that_breaks_off_leaves_the_textbook_and_a_word_about_it() -> None:
    points = warmstart(card(), n=3, model=Scripted([ModelError("the server is gone", "start it again")]))
    assert len(points) == 3
    assert "llm" not in {p.source for p in points.items}
    assert points.notes[0].startswith("the model gave no reply to request 1: the server is gone")


def test_a_model_that_cannot_be_asked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ModelError):
        warmstart(card(), model="openai/toy")
    with OpenAIServer(models_status=200) as server, pytest.raises(ModelError):
        warmstart(card(), model=OpenAIChat("toy", base_url=server.url, api_key="sk-wrong-0123456789"))


def test_costs_add_up_and_a_free_model_costs_nothing() -> None:
    model = Scripted([Reply("", data=replies(*GOOD), tokens_in=5, tokens_out=6, seconds=0.5, cost_usd=0.0)])
    points = warmstart(card(), n=4, model=model)
    assert (points.tokens_in, points.tokens_out, points.seconds, points.cost_usd) == (5, 6, 0.5, 0.0)


def test_the_words_of_a_model_cannot_move_the_cursor() -> None:
    reply = {"proposals": [{"config": GOOD[0], "rationale": "one\ntwo \x1b[31mred"}]}
    assert warmstart(card(), n=1, model=Scripted([reply])).items[0].rationale == "one two [31mred"


# -- the textbook alone ------------------------------------------------------------------------------------------------


def test_without_a_model_the_textbook_gives_the_points() -> None:
    wanted = card(goal="a network trained with AdamW")
    points = warmstart(wanted, n=5, model=None)
    assert_sound(points, wanted)
    assert len(points) == 5
    assert {p.source for p in points.items} == {"textbook"}
    assert points.calls == 0
    assert points.cost_usd == 0.0
    assert points.configs == warmstart(wanted, n=5, model=None).configs
    assert set(points.prior_from.values()) == {"textbook"}
    assert set(points.prior) == set(points.prior_from)


def test_what_the_textbook_does_not_know_is_not_called_its() -> None:
    unknown = card(space=Space(Float("zork", 0.0, 1.0, default=0.25), Float("blarg", 0.0, 1.0, default=0.5)))
    points = warmstart(unknown, n=4, model=None)
    assert points.configs[0] == {"zork": 0.25, "blarg": 0.5}
    assert [p.source for p in points.items] == ["default", "sobol", "sobol", "sobol"]
    assert any("drawn evenly" in note for note in points.notes)


def test_a_space_that_holds_fewer_gives_all_and_says_so() -> None:
    tiny = card(space=Space(Choice("a", ["x", "y"]), Choice("b", [1, 2])))
    points = warmstart(tiny, n=9, model=None)
    assert len(points) == 4
    assert "only 4 different" in points.notes[-1]


def test_nothing_valid_is_an_error_but_the_models_points_survive_it() -> None:
    narrow = card(
        space=Space(Float("a", 0.0, 1.0), Float("b", 0.0, 1.0), relations=["a * 1000 == b * 7 + 1"]), start="none"
    )
    with pytest.raises(SpaceError):
        warmstart(narrow, model=None)
    hit = {"a": 0.001, "b": 0.0}
    points = warmstart(narrow, n=2, model=Scripted([replies(hit)]))
    assert points.configs == [hit]
    assert "nothing was added" in points.notes[-1]


def test_relations_hold() -> None:
    tied = card(space=Space(Int("width", 8, 64), Int("heads", 1, 8), relations=["width % heads == 0"]), start="none")
    assert_sound(warmstart(tied, n=6, model=None), tied)


@pytest.mark.parametrize("n", [0, -1])
def test_no_points_are_refused(n: int) -> None:
    with pytest.raises(TunerError, match="ask for 1 or more"):
        warmstart(card(), n=n, model=None)


def test_each_point_after_the_first_is_the_farthest_from_those_before_it() -> None:
    line = card(space=Space(Float("x", 0.0, 1.0)))
    given = [{"x": x} for x in (0.5, 0.55, 0.9, 0.0, 0.6)]
    points = warmstart(line, n=5, model=Scripted([replies(*given)]))
    assert [c["x"] for c in points.configs] == [0.5, 0.0, 0.9, 0.6, 0.55]


def test_the_values_of_an_unordered_choice_are_all_equally_far_apart() -> None:
    either = card(space=Space(Choice("kind", ["a", "b", "c"]), Float("x", 0.0, 1.0)))
    given = [{"kind": "a", "x": 0.0}, {"kind": "b", "x": 0.1}, {"kind": "c", "x": 0.0}]
    points = warmstart(either, n=3, model=Scripted([replies(*given)]))
    assert [c["kind"] for c in points.configs] == ["a", "b", "c"]  # by place in the list, c would come before b


# -- what the model is told --------------------------------------------------------------------------------------------


def test_the_textbook_is_shown_for_what_it_recognises() -> None:
    model = Scripted([replies(*GOOD)])
    warmstart(card(goal="a network trained with AdamW"), n=4, model=model)
    text = model.requests[0].messages[-1].content
    assert "# What textbooks and library defaults say\n" in text
    assert "- `lr`: usually " in text
    assert "Nothing has run yet." in text
    assert not views(card(space=Space(Float("zork", 0.0, 1.0))))
    plain = Asker(space(), lean=False).ask("first_round", brief(card(), []), 4)
    assert "textbooks" not in plain.messages[-1].content


def test_14_parameters_with_textbook_lines_stay_under_1500_tokens() -> None:
    about = "what it does, as a person would say it"
    parameters: list[Parameter] = [
        Float("learning_rate", 1e-5, 1e-1, log=True, about="peak learning rate of AdamW"),
        Float("weight_decay", 1e-4, 1.0, log=True, about=about),
        Float("beta1", 0.5, 0.99, about=about),
        Float("beta2", 0.8, 0.9999, about=about),
        Float("dropout", 0.0, 0.6, about=about),
        Float("label_smoothing", 0.0, 0.3, about=about),
        Int("batch_size", 16, 1024, rounding="power_of_two", about=about),
        Int("epochs", 1, 100, about=about),
        Float("warmup_ratio", 0.0, 0.2, about=about),
        Float("grad_clip", 0.1, 10.0, log=True, about=about),
        Choice("activation", ["relu", "gelu", "silu"], about=about),
        Choice("optimizer", ["adamw", "sgd"], about=about),
        Int("n_layers", 2, 24, about=about),
        Int("width", 64, 2048, log=True, about=about),
    ]
    wide = card(goal="a small language model trained with AdamW", space=Space(*parameters))
    assert len(views(wide)) >= 12
    model = Scripted([replies()], repeat_last=True)
    warmstart(wide, n=5, model=model)
    assert sum(len(m.content) for m in model.requests[0].messages) / 4 < 1500


# -- the command and the examples --------------------------------------------------------------------------------------

CARD = """\
goal: gradient boosting with xgboost on a table of 2,000 rows
metric: auc
direction: maximize
space:
  - {name: learning_rate, type: float, low: 0.001, high: 1.0, log: true}
  - {name: max_depth, type: int, low: 2, high: 12}
"""


def test_the_command_asks_once_prints_points_and_says_what_it_took(tmp_path: Path) -> None:
    (tmp_path / "tune.yaml").write_text(CARD)
    reply = replies({"learning_rate": 0.05, "max_depth": 5}, {"learning_rate": 0.3, "max_depth": 99})
    with OpenAIServer([Answer(text=json.dumps(reply), tokens=(800, 90))]) as server:
        arguments = ["warmstart", "tune.yaml", "-n", "3", "--model", "openai/toy", "--base-url", server.url]
        done = command(tmp_path, *arguments, OPENAI_API_KEY=KEY)
        assert len(server.chats) == 1
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["1", "llm", "learning_rate=0.05", "max_depth=5"]
    assert done.stdout.count("textbook") == 2
    assert "the model gave 1 usable point of 3" in done.stderr
    assert "max_depth = 99 is outside 2 to 12" in done.stderr
    assert "800 tokens in, 90 out" in done.stderr
    assert not list(tmp_path.glob("*.db"))


def test_the_command_writes_for_other_programs(tmp_path: Path) -> None:
    (tmp_path / "tune.yaml").write_text(CARD)
    base = ["warmstart", "tune.yaml", "--model", "none", "-n", "2"]
    whole = json.loads(command(tmp_path, *base, "--json").stdout)
    record = json.loads(command(tmp_path, *base, "--to", "json").stdout)
    assert whole["points"] == record["points"]
    assert whole["calls"] == 0
    done = command(tmp_path, *base, "--to", "optuna", "--out", "start.py")
    assert done.stdout.strip() == ""
    study = runpy.run_path(str(tmp_path / "start.py"))["study"]
    assert [t.system_attrs["fixed_params"] for t in study.trials] == [p["config"] for p in whole["points"]]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--to", "rya"], 1, "the targets are json, optuna, sklearn"),
        (["--to", "json", "--json"], 2, "choose one of them"),
        (["--out", "x.json"], 2, "--out was given without a form"),
        (["--json", "--out", "no/such/x.json"], 2, "does not exist"),
        (["--base-url", "http://127.0.0.1:9/v1"], 4, "error: "),
    ],
)
def test_the_command_refuses_before_anything_is_asked(
    tmp_path: Path, arguments: list[str], code: int, text: str
) -> None:
    (tmp_path / "tune.yaml").write_text(CARD)
    done = command(tmp_path, "warmstart", "tune.yaml", "--model", "openai/toy", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert text in done.stderr


def test_a_card_without_a_goal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tune.yaml").write_text(CARD.split("\n", 1)[1])
    done = command(tmp_path, "warmstart", "tune.yaml", "--model", "none")
    assert done.returncode == 2
    assert "goal" in done.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_the_examples_are_short_and_run(path: Path) -> None:
    code = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(code) <= 15
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    names = runpy.run_path(str(path))
    if "study" in names:
        points = warmstart(names["card"], n=5, model=None)
        assert [t.params for t in names["study"].trials[:5]] == points.configs
    else:
        assert list(names["search"].cv_results_["params"]) == names["points"].configs
        assert np.isfinite(names["search"].best_score_)
