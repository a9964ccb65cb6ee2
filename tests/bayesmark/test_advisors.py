"""Played models answer in the tuner's shape and do what their names say."""

import json

import pytest
from benchmarks.bayesmark import advisors, data
from benchmarks.bayesmark.tasks import TASKS
from benchmarks.bayesmark.truth import Truth

from tunewright.llm.base import Chat, Request
from tunewright.reply import parse


def ask(advisor, n=3, purpose="propose"):
    return advisor.complete(Request(messages=(), n_expected=n, purpose=purpose))


def depths(advisor, rounds, n=3):
    replies = [ask(advisor, n) for _ in range(rounds)]
    return [p["config"]["max_depth"] for r in replies for p in r.data["proposals"]]


def made(name, played, seed=3):
    return advisors.advisor(name, played.task, played, seed)


def test_the_table_knows_its_ends(played):
    assert {c["max_depth"] for c in played.best(0.02)} == {1}
    assert {c["max_depth"] for c in played.worst(0.02)} == {15}  # the failed ones
    lower_is_better = Truth(TASKS["diabetes/SVM"], ({"C": 1.0}, {"C": 2.0}, {"C": 3.0}), (0.5, None, 0.2))
    assert lower_is_better.best(0.1) == [{"C": 3.0}]
    assert lower_is_better.worst(0.1) == [{"C": 2.0}]


@pytest.mark.parametrize("name", advisors.NAMES)
def test_advisors_are_chats_with_json_replies(name, played):
    advisor = made(name, played)
    assert isinstance(advisor, Chat)
    for _ in range(6):
        reply = ask(advisor, purpose="first_round")
        if reply.data is not None:
            # NaN is what some models send; the text must still be the data
            assert json.dumps(json.loads(reply.text)) == json.dumps(reply.data)


@pytest.mark.parametrize("name", ["noisy-0.5", "late-good", "misleading"])
def test_honest_advisors_answer_as_many_runnable_configurations_as_asked(name, played):
    space = played.task.space
    advisor = made(name, played)
    for purpose, n in (("first_round", 5), ("propose", 3), ("propose", 1)):
        parsed = parse(ask(advisor, n, purpose).data, space)
        assert len(parsed.configs) == n
        for config, _ in parsed.configs:
            checked = space.check(config)
            assert not checked.faults
            assert not checked.ignored
        assert bool(parsed.prior) == (purpose == "first_round")
        if parsed.prior:
            assert set(parsed.prior) == set(space.names)


@pytest.mark.parametrize("name", advisors.NAMES)
def test_the_same_questions_get_the_same_answers(name, played):
    first, second = made(name, played), made(name, played)
    purposes = ["first_round"] + ["propose"] * 7
    assert [ask(first, 3, p).text for p in purposes] == [ask(second, 3, p).text for p in purposes]


def test_silent_says_nothing(played):
    assert ask(made("silent", played), 5, "first_round").data == {"proposals": []}


def test_recorded_gives_the_reply_once(played):
    advisor = made("recorded", played)
    data_ = ask(advisor, 5, "first_round").data
    assert [p["config"] for p in data_["proposals"]] == data.recorded_reply(played.task)["configs"]
    assert set(data_["prior"]) == set(played.task.space.names)
    assert ask(advisor).data == {"proposals": []}
    assert ask(advisor, 5, "first_round").data == {"proposals": []}


def test_noise_is_the_share_of_bad_answers(played):
    assert max(depths(made("noisy-1", played), 10)) <= 5  # a step of 0.05 is below one depth of 15, three times over
    right = sum(d <= 3 for d in depths(made("noisy-0.8", played), 40))
    wrong = sum(d <= 3 for d in depths(made("noisy-0.2", played), 40))
    assert right > 1.5 * wrong


def test_late_good_and_misleading_turn_round(played):
    late = depths(made("late-good", played), 8)
    assert min(late[:12]) > 9
    assert max(late[12:]) < 6
    misleading = depths(made("misleading", played), 5, n=5)
    assert max(misleading[:5]) < 6
    assert min(misleading[5:]) > 9


def test_adversarial_tries_every_trick(played):
    space = played.task.space
    advisor = made("adversarial", played)
    corners, repeats, out, garbage, constant = (ask(advisor, 3) for _ in range(5))
    for p in corners.data["proposals"]:
        assert not space.check(p["config"]).faults
        assert all(u < 0.1 or u > 0.9 for u in space.to_unit([p["config"]])[0])
    said = [p["config"] for p in corners.data["proposals"]]
    assert all(p["config"] in said for p in repeats.data["proposals"])
    for config, _ in parse(out.data, space).configs:
        assert space.check(config).faults
    assert garbage.data is None
    assert garbage.text
    assert len({json.dumps(p["config"]) for p in constant.data["proposals"]}) == 1


@pytest.mark.parametrize("name", ["noisy", "noisy-2", "noisy-x", "oracle", "late"])
def test_an_unknown_advisor_is_named_with_what_there_is(name, played):
    with pytest.raises(ValueError, match=f"'{name}' is no advisor; there are silent, recorded"):
        made(name, played)


def test_an_advisor_without_its_table_says_so(played):
    advisor = advisors.advisor("noisy-1", played.task, None, 0)
    with pytest.raises(ValueError, match="noisy-1 looks at a truth table and was made without one"):
        ask(advisor)
