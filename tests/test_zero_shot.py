import importlib.util
import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from openai_server import KEY, Answer, OpenAIServer
from test_cli import tunewright as command
from toy import card, config, space

from tunewright import Tuner, warmstart
from tunewright.brief import brief
from tunewright.card import TaskCard
from tunewright.errors import CardError, ModelError, SpaceError, TunerError
from tunewright.llm.base import Reply, Request
from tunewright.llm.local import LocalChat
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


@pytest.mark.parametrize("second", [replies(*GOOD), replies(config(8.0)), "nothing"], ids=["good", "bad", "text"])
def test_two_requests_over_http_when_the_first_reply_holds_nothing_usable_and_never_three(second: Any) -> None:
    answers = [Answer(text=json.dumps(r), tokens=(900, 120)) for r in (replies(config(7.0)), second)]
    with OpenAIServer(answers) as server:
        points = warmstart(card(), n=4, model=OpenAIChat("toy", base_url=server.url, api_key=KEY))
        assert len(server.chats) == 2
    assert (points.calls, points.tokens_in, points.tokens_out) == (2, 1800, 240)
    assert len(points) == 4
    assert "model: 2 requests, 1800 tokens in, 240 out" in points.remarks()[-1]


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
    assert warmstart(card(), n=1, model=Scripted([reply])).items[0].rationale == "one two ^[[31mred"
    points = warmstart(card(), n=1, model=Scripted([replies({**GOOD[0], "\x1b[2J\n\x9b": 1})]))
    assert "not in the space" in points.remarks()[0]
    assert points.remarks()[0].isprintable()


def test_derived_quantities_of_the_model_are_kept_where_the_card_could_hold_them() -> None:
    stated = {"cost": {"width": 2, "lr": -1}, "size": {"depth": 1}, "loss": {"width": 1}}
    points = warmstart(card(), n=4, model=Scripted([replies(*GOOD, derived=stated)]))
    assert points.derived == {"cost": {"width": 2.0, "lr": -1.0}}
    assert points.to_json()["derived"] == points.derived
    assert card(derived=points.derived).derived == points.derived
    assert [note for note in points.notes if note.startswith("left out: derived quantity")] == [
        "left out: derived quantity 'size': 'depth' is not in the space (lr, optimizer, momentum, width)",
        "left out: derived quantity 'loss' has a name already taken",
    ]
    assert "derived, says the model: cost = width^2 * lr^-1" in points.remarks()


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
    with pytest.raises(TunerError, match="give a whole number of 1 or more"):
        warmstart(card(), n=n, model=None)
    with pytest.raises(TunerError, match="seed is -1"):
        warmstart(card(), model=None, seed=-1)


def test_a_path_in_place_of_a_card_is_refused_with_the_way_to_read_it() -> None:
    for made in (lambda: warmstart("tune.yaml", model=None), lambda: Tuner("tune.yaml", model=None)):
        with pytest.raises(CardError) as caught:
            made()
        assert caught.value.message == "the card is 'tune.yaml'"
        assert "TaskCard.load" in caught.value.hint


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


@pytest.mark.parametrize("given", [None, [], [GOOD[0]]])
def test_without_the_textbook_nothing_of_it_is_told_or_used(given: list[dict[str, Any]] | None) -> None:
    wanted = card(goal="a network trained with AdamW")
    model = None if given is None else Scripted([replies(*given)], repeat_last=True)
    points = warmstart(wanted, n=5, model=model, textbook=False)
    assert_sound(points, wanted)
    first = "llm" if given else "default"
    assert points.items[0].source == first
    assert {p.source for p in points.items} == {first, "default", "sobol"}
    assert points.prior == points.prior_from == {}
    assert "textbook" not in "\n".join([points.text(), *points.remarks()])
    for request in model.requests if model else ():
        assert "sually" not in request.messages[1].content
    assert points.configs == warmstart(wanted, n=5, model=model, textbook=False).configs


# -- what the model is told --------------------------------------------------------------------------------------------


def test_the_textbook_is_shown_for_what_it_recognises() -> None:
    model = Scripted([replies(*GOOD)])
    warmstart(card(goal="a network trained with AdamW"), n=4, model=model)
    text = model.requests[0].messages[-1].content
    assert '"Usually" is what textbooks and library defaults say' in text
    assert "- `lr`: a number from 1e-05 to 0.1, log scale; default 0.001; usually 0.001 (0.0001 to 0.005)." in text
    assert "Nothing has run yet." in text
    assert not views(card(space=Space(Float("zork", 0.0, 1.0))))
    plain = Asker(space(), lean=False).ask("first_round", brief(card(), []), 4)
    assert "textbooks" not in plain.messages[-1].content


def wide() -> TaskCard:
    """Fourteen parameters that the textbook knows, statistics of the data, hardware, times and limits."""
    parameters: list[Parameter] = [
        Float("learning_rate", 1e-5, 1e-1, log=True, default=1e-3, about="peak learning rate of AdamW"),
        Float("weight_decay", 1e-4, 1.0, log=True, default=0.01, about="decoupled, on matrices only"),
        Float("beta1", 0.5, 0.99, default=0.9, about="decay of the first moment"),
        Float("beta2", 0.8, 0.9999, default=0.99, about="decay of the second moment"),
        Float("dropout", 0.0, 0.6, default=0.1, about="after each block"),
        Float("label_smoothing", 0.0, 0.3, default=0.0),
        Int("batch_size", 16, 1024, rounding="power_of_two", default=64, unit="rows"),
        Int("epochs", 1, 100, default=20),
        Float("warmup_ratio", 0.0, 0.2, default=0.0, about="share of all steps"),
        Float("grad_clip", 0.1, 10.0, log=True, default=1.0, about="by global norm"),
        Choice("activation", ["relu", "gelu", "silu"], default="gelu"),
        Choice("optimizer", ["adamw", "sgd"], default="adamw"),
        Int("n_layers", 2, 24, default=6, about="residual blocks"),
        Int("width", 64, 2048, log=True, default=256, about="units of each block"),
    ]
    rng = np.random.default_rng(0)
    return card(
        goal="a multilayer perceptron trained with AdamW on census records, accuracy on a held-out fifth",
        model="a residual MLP with embeddings for the categories",
        metric="accuracy",
        direction="maximize",
        space=Space(*parameters),
        data=(rng.normal(size=(2000, 30)) ** 3, rng.integers(0, 3, size=2000)),
        budget={"trials": 40, "seconds_per_trial": 1800},
        minutes_per_trial=12,
        hardware={"cpus": 16, "memory_gb": 128, "gpus": [{"name": "NVIDIA H100 80GB HBM3", "memory_gb": 80}]},
    )


def first_request(asked: TaskCard) -> Request:
    model = Scripted([replies()], repeat_last=True)
    warmstart(asked, n=5, model=model)
    return model.requests[0]


def test_the_card_of_14_parameters_is_told_in_full() -> None:
    text = first_request(wide()).messages[-1].content
    assert len(views(wide())) >= 12
    assert text.count("usually ") >= 12
    for words in ("2000 rows", "3 classes", "correlations:", "H100", "residual MLP", "12 minutes", "1800 seconds"):
        assert words in text


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_14_parameters_stay_under_1500_tokens_with_the_schema(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiktoken = pytest.importorskip("tiktoken")
    litellm = importlib.util.find_spec("litellm")
    if litellm is None or not litellm.submodule_search_locations:
        pytest.skip("tiktoken has no files here: they come with the litellm extra")
    files = Path(litellm.submodule_search_locations[0]) / "litellm_core_utils" / "tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(files))
    request = first_request(wide())
    said = "\n".join(message.content for message in request.messages)
    sent = json.dumps(request.schema, separators=(",", ":"))  # providers differ in whether they count it
    assert len(tiktoken.get_encoding(encoding).encode(said + sent)) < 1500


@pytest.mark.slow
def test_14_parameters_stay_under_1500_tokens_of_the_local_model() -> None:
    chat = LocalChat()
    try:
        chat.check()
    except ModelError as e:
        pytest.skip(f"the local model is not set up: {e.message}")
    try:
        asked = replace(first_request(wide()), schema=None, max_tokens=1)
        assert 1000 < chat.complete(asked).tokens_in < 1500
    finally:
        chat.close()


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
    done = command(tmp_path, *base, "--to", "optuna", "--out", "start.py", "--no-textbook")
    assert done.stdout.strip() == ""
    study = runpy.run_path(str(tmp_path / "start.py"))["study"]
    bare = warmstart(TaskCard.load(tmp_path / "tune.yaml"), n=2, model=None, textbook=False)
    assert [p.source for p in bare] == ["default", "sobol"]
    assert [t.system_attrs["fixed_params"] for t in study.trials] == bare.configs
    assert {p["source"] for p in whole["points"]} == {"textbook"}


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--to", "rya"], 2, "the targets are json, optuna, sklearn"),
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


@pytest.mark.parametrize("name", ["optuna_warmstart.py", "sklearn_warmstart.py"])
def test_the_points_of_the_examples_come_out_first(name: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    names = runpy.run_path(str(EXAMPLES / name))
    if "study" in names:
        points = warmstart(names["card"], n=5, model=None)
        assert [t.params for t in names["study"].trials[:5]] == points.configs
    else:
        assert list(names["search"].cv_results_["params"]) == names["points"].configs
        assert np.isfinite(names["search"].best_score_)
