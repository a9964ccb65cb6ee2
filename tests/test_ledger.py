import sqlite3
from dataclasses import replace

import pytest
from record_worker import card, config

from tunewright.ledger import Call, Contribution, Fate, contributions
from tunewright.study import Study
from tunewright.trial import Interval, Proposal, Refusal, Trial, Verdict
from tunewright_tools.base import Outcome


def call(id_="0001-propose-0", **changes):
    number = int(id_[:4])
    proposals = tuple(Proposal(config(10 * number + i), "llm", f"idea {i}", None, id_, i) for i in range(3))
    fields = {
        "id": id_,
        "number": number,
        "purpose": "propose",
        "model": "openai/some-model",
        "template": "propose.md.j2",
        "template_hash": "abc",
        "prompt": "Propose three.",
        "reply": '{"configs": []}',
        "proposals": proposals,
        "tokens_in": 100,
        "tokens_out": 20,
        "seconds": 1.5,
        "cost_usd": 0.01,
        "finish": "stop",
        "started": 1000.0,
    }
    return Call(**{**fields, **changes})


def run(study, number, proposal, refused=(), outcome=None, turn=None):
    trial = study.start(
        proposal,
        number=number,
        seed=number,
        turn=turn or proposal.source,
        verdict=Verdict(True),
        asked=proposal.config,
        refused=refused,
    )
    return study.finish(trial, outcome or Outcome("done", {"loss": 1.0}))


def test_calls_come_back_in_order(study):
    calls = [call(f"{n:04d}-propose-{k}") for n in (10, 2) for k in (10, 9)]
    for c in calls:
        study.ledger.record(c)
    other = Study.load(study.storage)
    ids = ["0002-propose-9", "0002-propose-10", "0010-propose-9", "0010-propose-10"]
    assert [c.id for c in other.ledger.calls()] == ids
    assert other.ledger.get("0002-propose-10") == calls[2]
    assert other.ledger.get("0003-propose-0") is None
    assert sorted(other.ledger.calls(), key=lambda c: c.id) == sorted(calls, key=lambda c: c.id)
    other.close()


def test_prior_derived_and_odd_numbers_come_back(study):
    odd = call(prior={"lr": {"best": 1e-3}}, derived={"activation": {"width": 2}}, error="", cost_usd=None)
    study.ledger.record(odd)
    predicted = Proposal({"lr": float("inf"), "x": [None]}, "llm", "", Interval(1.0, 0.0, 2.0), "0002-propose-0", 0)
    wild = call("0002-propose-0", proposals=(predicted,))
    study.ledger.record(wild)
    assert study.ledger.calls() == [odd, wild]


def test_a_call_is_read_once(study, url):
    study.ledger.record(call("0002-propose-0"))
    other = Study.load(url)
    assert [c.id for c in other.ledger.calls()] == ["0002-propose-0"]
    raw = sqlite3.connect(url.removeprefix("sqlite:///"))
    raw.execute("update study_user_attributes set value_json = 'unreadable' where key like 'call/%'")
    raw.commit()
    raw.close()
    study.ledger.record(call("0010-propose-0"))
    study.ledger.record(call("0001-propose-0"))
    assert [c.number for c in other.ledger.calls()] == [1, 2, 10]
    other.close()


def test_the_same_id_again_replaces_the_call(study):
    study.ledger.record(call())
    assert study.ledger.get("0001-propose-0").error == ""
    study.ledger.record(call(error="timeout", proposals=()))
    assert [c.error for c in study.ledger.calls()] == ["timeout"]


def test_keys_never_reach_the_disk(study, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "plain-looking-secret")
    leaky = Proposal({"lr": "plain-looking-secret"}, "llm", "use sk-abcdefghijklmnop0123456789", call_id="c", index=0)
    study.ledger.record(
        call(
            prompt="key plain-looking-secret",
            reply="Bearer abcdefghijklmnopqrstuvwxyz",
            error="401 for sk-abcdefghijklmnop0123456789",
            proposals=(leaky,),
        )
    )
    raw = sqlite3.connect(study.storage.removeprefix("sqlite:///"))
    text = "".join(str(row) for row in raw.execute("select value_json from study_user_attributes"))
    raw.close()
    assert text.count("[key removed]") == 5
    for secret in ("plain-looking", "abcdefghijklmnop"):
        assert secret not in text


def test_fates_follow_from_the_trials(study):
    one, two = call("0001-propose-0"), call("0002-propose-0")
    study.ledger.record(one)
    study.ledger.record(two)
    repeat = Refusal(one.proposals[1], Verdict(False, "repeat: trial 0 was the same"))
    later = Refusal(two.proposals[0], Verdict(False, "not promising: below the margin"))
    run(study, 0, Proposal(config(500), "default"))
    run(study, 1, one.proposals[0], [repeat, later])
    run(study, 2, two.proposals[0])
    assert study.ledger.fates() == [
        Fate("0001-propose-0", 0, "ran", 1),
        Fate("0001-propose-0", 1, "refused", 1, "repeat: trial 0 was the same"),
        Fate("0001-propose-0", 2, "unused"),
        Fate("0002-propose-0", 0, "ran", 2),
        Fate("0002-propose-0", 1, "unused"),
        Fate("0002-propose-0", 2, "unused"),
    ]


def test_totals_add_up_what_was_spent(study):
    study.ledger.record(call())
    study.ledger.record(call("0002-propose-0", cost_usd=None))
    study.ledger.record(call("0003-propose-0", error="no reply", cost_usd=None, tokens_in=0, tokens_out=0))
    totals = study.ledger.totals()
    assert (totals.calls, totals.failed_calls, totals.unpriced_calls) == (3, 1, 1)
    assert (totals.tokens_in, totals.tokens_out, totals.seconds) == (200, 40, 4.5)
    assert totals.cost_usd == pytest.approx(0.01)
    assert totals.sources == ()


def trial(number, source, value, refused=(), turn=None, status="done", **metrics):
    outcome = Outcome(status, {"acc": value, **metrics} if status == "done" else {})
    return Trial(number, config(number), source, turn=turn or source, refused=refused, status=status, outcome=outcome)


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_contributions_count_incumbents_and_their_gain(direction, sign):
    task = card(metric="acc", direction=direction, constraints=["latency <= 5"])
    bad = Refusal(Proposal(config(1), "llm"), Verdict(False, "invalid: lr = 3"))
    same = Refusal(Proposal(config(1), "llm"), Verdict(False, "repeat: trial 1"))
    trials = [
        trial(0, "default", sign * -0.5, latency=1),
        trial(1, "llm", sign * -0.2, latency=1),
        trial(2, "surrogate", sign * 0.9, latency=9),  # the best, but not feasible
        trial(3, "surrogate", sign * -0.2, [bad, same, same], turn="llm", latency=1),
        trial(4, "surrogate", 0, status="oom"),
        trial(5, "llm", sign * 0.3, latency=5),
    ]
    found = contributions(task, trials)
    assert found["default"] == Contribution("default", 1, 1, 1, {}, 1, 0.0)
    assert found["llm"] == Contribution("llm", 3, 2, 2, {"invalid": 1, "repeat": 2}, 2, pytest.approx(0.8))
    assert found["surrogate"] == Contribution("surrogate", 2, 3, 2, {}, 0, 0.0)


def test_contributions_of_several_metrics_share_the_fronts_hypervolume():
    metrics = [{"name": "acc", "direction": "maximize"}, {"name": "latency", "direction": "minimize"}]
    task = card(metric=None, direction=None, metrics=metrics)
    trials = [
        trial(0, "default", 1.0, latency=1.0),
        trial(1, "llm", 2.0, latency=2.0),
        trial(2, "surrogate", 0.5, latency=1.5),  # dominated
        trial(3, "surrogate", 2.5, latency=1.5),
    ]
    found = contributions(task, trials)
    assert [found[s].incumbents for s in ("default", "llm", "surrogate")] == [1, 1, 1]
    # front (-1, 1), (-2.5, 1.5), so r = (0.5, 2): of 2.25 in all the first had 1.5, the second added none
    assert found["default"].gain == found["llm"].gain == 0.0
    assert found["surrogate"].gain == pytest.approx(0.75 / 2.25)


def test_the_best_so_far_goes_by_when_trials_ended():
    def ended(number, source, loss, at):
        return replace(trial(number, source, loss), started=1.0 * number, finished=at)

    metrics = [{"name": name, "direction": "minimize"} for name in ("acc", "latency")]
    first_last = [ended(0, "default", 2.0, 5.0), ended(1, "llm", 1.5, 40.0), ended(2, "surrogate", 1.0, 30.0)]
    found = contributions(card(metric="acc"), first_last)
    assert list(found) == ["default", "llm", "surrogate"]
    assert [(c.incumbents, c.gain) for c in found.values()] == [(1, 0.0), (0, 0.0), (1, 1.0)]
    two = [replace(t, outcome=Outcome("done", {**t.outcome.metrics, "latency": 1.0 + t.number})) for t in first_last]
    two[1] = replace(two[1], outcome=Outcome("done", {"acc": 1.5, "latency": 4.0}))  # dominated by the one before it
    found = contributions(card(metric=None, direction=None, metrics=metrics), two)
    assert [c.incumbents for c in found.values()] == [1, 0, 1]


def test_contributions_beside_a_large_metric_that_never_varies():
    metrics = [{"name": "acc", "direction": "maximize"}, {"name": "flops", "direction": "minimize"}]
    task = card(metric=None, direction=None, metrics=metrics)
    found = contributions(task, [trial(0, "default", 1.0, flops=1e18), trial(1, "llm", 2.0, flops=1e18)])
    assert found["llm"] == Contribution("llm", 1, 1, 1, {}, 1, 1.0)


def test_a_running_trial_has_a_turn_and_no_result():
    found = contributions(card(), [Trial(0, config(0), "llm", turn="llm")])
    assert found == {"llm": Contribution("llm", 1, 1, 0, {}, 0, 0.0)}
    assert contributions(card(), []) == {}
