from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy import answers, card, config, objective, points

from tunewright import Tuner
from tunewright.card import TaskCard
from tunewright.earlier import Earlier, Row, fitting, recorded
from tunewright.earlier_sources import read
from tunewright.errors import CardError, StudyError
from tunewright.llm.base import Reply
from tunewright.llm.scripted import Scripted
from tunewright.preview import preview
from tunewright.prior import candidates
from tunewright.report import earlier_lines, report
from tunewright.seeds import draws
from tunewright.space import Float, Int, Space
from tunewright.starting import EARLIER, TEXTBOOK, of_textbook
from tunewright.textbook import prior as textbook_prior
from tunewright.turns import INITIAL, INITIAL_SMALL, TEXTBOOK_SMALL, WARM, WARM_SMALL
from tunewright_tools.base import Outcome


def sources(folder: Path, model: Any, trials: int, **changes: Any) -> list[tuple[str, str]]:
    tuner = Tuner(card(**changes), model, storage=f"sqlite:///{folder}/study.db", folder=folder / "runs")
    return [(t.turn, t.source) for t in tuner.run(objective, trials=trials).trials]


def test_zero_shot_points_run_in_the_models_order_whatever_others_have_found(tmp_path: Path) -> None:
    rates = [0.03, 0.05, 0.012, 0.02, 0.008]
    model = Scripted([points(*rates)])
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, textbook=False) as tuner:
        tuner.enqueue([config(lr, width) for lr, width in ((1e-5, 16), (1e-4, 32), (1e-4, 512), (4e-4, 16))])
        trials = tuner.run(objective, trials=5 + WARM).trials
    assert [t.config["lr"] for t in trials if t.source == "llm"] == rates


def test_later_points_of_a_model_run_in_its_order_while_no_run_has_a_value(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, textbook=False) as tuner:
        for _ in range(20):
            tuner.tell(tuner.ask(), status="diverged")
        later = [c for c in tuner.study.ledger.calls() if c.purpose == "propose"]
        ran = [(t.call_id, t.call_index) for t in tuner.study.trials() if t.source == "llm"]
    assert later
    assert [(c.id, 0) for c in later if (c.id, 0) in ran] == [x for x in ran if "-propose-" in str(x[0])]


def test_a_model_has_its_zero_shot_turns_after_the_default_and_the_textbooks_guess(tmp_path: Path) -> None:
    found = sources(tmp_path, Scripted([answers], repeat_last=True), 2 + WARM)
    assert found == [("default", "default"), ("textbook", "textbook"), *[("llm", "llm")] * WARM]


def test_a_small_model_shares_the_start_with_the_textbook(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True, trusted_tools=False)
    found = sources(tmp_path, model, INITIAL_SMALL)
    small = [("llm", "llm")] * WARM_SMALL
    more = [("textbook", "textbook")] * (TEXTBOOK_SMALL - 1)
    assert found == [("default", "default"), ("textbook", "textbook"), *small, *more, ("sobol", "sobol")]
    assert {r.n_expected for r in model.requests} == {1}


def test_beside_points_of_a_person_the_textbook_gives_all_of_its_own_with_a_small_model(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True, trusted_tools=False)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        tuner.enqueue([config(0.001, 32), config(0.05, 64)])
        found = [t.source for t in tuner.run(objective, trials=8).trials]
    assert found == ["default", "user", "user", "textbook", "llm", "llm", "textbook", "textbook"]


def test_without_the_textbook_a_small_model_shares_the_start_with_quasi_random_points(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True, trusted_tools=False)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, textbook=False) as tuner:
        found = [t.turn for t in tuner.run(objective, trials=INITIAL_SMALL).trials]
    assert found == ["default", *["llm"] * WARM_SMALL, *["sobol"] * (INITIAL_SMALL - 1 - WARM_SMALL)]


def test_without_a_model_the_start_is_quasi_random(tmp_path: Path) -> None:
    assert sources(tmp_path, None, INITIAL)[1:] == [("sobol", "sobol")] * (INITIAL - 1)


# -- the textbook ------------------------------------------------------------------------------------------------------


def test_where_the_model_never_answers_the_textbook_stands_in_under_its_own_name(tmp_path: Path) -> None:
    found = sources(tmp_path, Scripted([]), INITIAL + 1)
    assert [source for _, source in found] == ["default", *["textbook"] * TEXTBOOK, "sobol", "surrogate"]
    assert [turn for turn, source in found if source == "textbook"] == ["textbook", "llm", "textbook"]


def test_a_model_that_may_not_be_asked_leaves_its_turns_to_the_textbook(tmp_path: Path) -> None:
    found = sources(tmp_path, Scripted([answers]), INITIAL, budget={"usd": 0})
    assert found == [("default", "default"), *[("textbook", "textbook")] * TEXTBOOK, ("sobol", "sobol")]


def test_the_zero_shot_points_of_a_call_that_took_all_the_money_run(tmp_path: Path) -> None:
    def dear(request: Any) -> Reply:
        return Reply("", answers(request), cost_usd=0.02)

    model = Scripted([dear], repeat_last=True)
    found = sources(tmp_path, model, 3 + WARM, budget={"usd": 0.01})
    assert [source for _, source in found] == ["default", "textbook", *["llm"] * WARM, "surrogate"]
    assert len(model.requests) == 1


def test_a_model_that_does_not_tell_its_costs_is_not_asked_again_within_a_budget(tmp_path: Path) -> None:
    def silent(request: Any) -> Reply:
        return Reply("", answers(request), cost_usd=None)

    model = Scripted([silent], repeat_last=True)
    with Tuner(card(budget={"usd": 1}), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        tuner.run(objective, trials=3 + WARM)
        assert tuner.planner.proposer is not None
        assert tuner.planner.proposer.silenced() == "scripted does not tell what it costs, and its budget is 1 USD"
        another = Scripted([answers], name="another")
    with Tuner(card(budget={"usd": 1}), another, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        assert tuner.planner.proposer is not None
        assert tuner.planner.proposer.silenced() is None
    assert len(model.requests) == 1


def test_a_priced_model_whose_server_counts_no_tokens_is_not_asked_again_within_a_budget(tmp_path: Path) -> None:
    class Priced(Scripted):
        def estimate_usd(self, tokens_in: int, tokens_out: int) -> float:
            return 0.01

    uncounted = Priced([lambda request: Reply("", answers(request))], repeat_last=True)
    sources(tmp_path, uncounted, 6 + WARM, budget={"usd": 1})
    assert len(uncounted.requests) == 1
    # counted, and of unknown cost since the price was not known then
    before = Priced([lambda request: Reply("", answers(request), tokens_in=9)], repeat_last=True)
    with Tuner(card(budget={"usd": 1}), before, f"sqlite:///{tmp_path}/2.db", folder=tmp_path) as tuner:
        tuner.run(objective, trials=3)
        assert tuner.planner.proposer is not None
        assert tuner.planner.proposer.silenced() is None


def test_a_free_model_needs_no_money(tmp_path: Path) -> None:
    class Free(Scripted):
        def estimate_usd(self, tokens_in: int, tokens_out: int) -> float:
            return 0.0

    found = sources(tmp_path, Free([answers], repeat_last=True), 3, budget={"usd": 0})
    assert [source for _, source in found] == ["default", "textbook", "llm"]


def test_a_model_whose_replies_cannot_run_counts_as_silent(tmp_path: Path) -> None:
    bad = {"proposals": [{"config": config(7.0)}]}
    found = sources(tmp_path, Scripted([bad], repeat_last=True), INITIAL)
    assert [source for _, source in found][1 : 1 + TEXTBOOK] == ["textbook"] * TEXTBOOK


def test_one_usable_reply_and_the_textbook_gives_its_guess_alone(tmp_path: Path) -> None:
    one = {"proposals": [{"config": {**config(0.02), "momentum": None}}]}
    found = sources(tmp_path, Scripted([one]), 4)
    assert [source for _, source in found] == ["default", "textbook", "llm", "sobol"]


def test_a_model_with_a_bad_start_leaves_its_zero_shot_turns_to_the_textbook(tmp_path: Path) -> None:
    def bad(request: Any) -> Any:
        return {"proposals": [{"config": {**config(0.09 - 0.01 * i, 16), "momentum": None}} for i in range(5)]}

    found = sources(tmp_path, Scripted([bad], repeat_last=True), 6)
    assert [source for _, source in found] == ["default", "textbook", "llm", "llm", "textbook", "textbook"]


def test_beside_enough_others_one_bad_point_ends_the_zero_shot_turns_for_good(tmp_path: Path) -> None:
    def bad(request: Any) -> Any:
        return {"proposals": [{"config": {**config(0.09 - 0.01 * i, 16), "momentum": None}} for i in range(5)]}

    model = Scripted([bad], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/s.db", folder=tmp_path) as tuner:
        tuner.enqueue([config(0.01, 128), config(0.02, 96), config(0.03, 128)])
        trials = tuner.run(objective, trials=20).trials
    assert [t.source for t in trials[:8]] == ["default", *["user"] * 3, "textbook", "llm", "textbook", "textbook"]
    assert [t.number for t in trials if t.call_id and "-first_round-" in t.call_id] == [5]
    assert [r.purpose for r in model.requests].count("first_round") == 1


def test_the_default_at_the_textbooks_own_values_is_not_run_twice(tmp_path: Path) -> None:
    guess = of_textbook(card(), 0)[0].config
    space = Space(*(replace(p, default=guess[p.name]) if p.name in guess else p for p in card().space))
    found = sources(tmp_path, Scripted([answers], repeat_last=True), 2, space=space)
    assert [source for _, source in found] == ["default", "llm"]
    for given, first in ((card(space=space), ["default", "llm"]), (card(), ["default", "textbook", "llm"])):
        shown = preview(given, Scripted([]), base_url=None, prices=None, trials=None, seed=0)
        assert [source for source, _ in shown.first_points][: len(first)] == first


def test_later_turns_of_the_textbook_run_a_draw_that_the_surrogate_likes(tmp_path: Path) -> None:
    with Tuner(card(), Scripted([answers], repeat_last=True), f"sqlite:///{tmp_path}/s.db", folder=tmp_path) as tuner:
        trials = tuner.run(objective, trials=25).trials
    fixed = {str(p.config) for p in of_textbook(card(), 0)}
    by_book = [t for t in trials if t.source == "textbook"]
    assert [t.predicted is None for t in by_book] == [str(t.config) in fixed for t in by_book]
    assert by_book[0].number == 1
    later = [t for t in by_book if t.predicted]
    assert later
    for t in later:
        assert t.asked in candidates(card().space, textbook_prior(card()), 256, draws(0, t.number, "prior"))
    # what the others of the draws lacked is no refusal of anybody's proposal
    assert not any(r.proposal.source == "textbook" for t in trials for r in t.refused)


def test_what_the_textbook_does_not_know_stays_quasi_random(tmp_path: Path) -> None:
    unknown = Space(Float("zeta_7", 1e-3, 1.0, default=0.5))
    tuner = Tuner(card(space=unknown), Scripted([]), f"sqlite:///{tmp_path}/study.db", folder=tmp_path)
    assert [t.source for t in tuner.run(lambda c: c["zeta_7"], trials=3).trials] == ["default", "sobol", "sobol"]


def test_without_a_model_the_textbook_is_asked_only_where_the_person_says_so(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    with Tuner(card(), None, storage, folder=tmp_path, textbook=True) as tuner:
        tuner.run(objective, trials=2)
    with Tuner(card(), None, storage, folder=tmp_path) as again:  # the record remembers
        trials = again.run(objective, trials=INITIAL).trials
    assert [t.turn for t in trials] == ["default", *["textbook"] * TEXTBOOK, "sobol"]


# -- earlier trials ----------------------------------------------------------------------------------------------------


def past(factor: float = 5.0, n: int = 20) -> Earlier:
    configs = card().space.sample(n, seed=11)
    return fitting("past", card(), [Row(c, {"loss": 2 + factor * objective(c)}, "done") for c in configs])


def test_the_best_earlier_trials_run_after_the_default_and_help_the_surrogate(tmp_path: Path) -> None:
    with Tuner(card(), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, earlier=[past()]) as tuner:
        trials = tuner.run(objective, trials=INITIAL + 2).trials
        assert [t.turn for t in trials] == ["default", *["earlier"] * EARLIER, "sobol", "surrogate", "surrogate"]
        best = min(past().trials, key=lambda t: t.metrics["loss"])
        assert trials[1].config == best.config
        assert trials[1].rationale == f"loss {best.metrics['loss']:.4g} in past"
        assert trials[-1].verdict.numbers["weight of past"] > 0.5
        assert tuner.result().best.number < len(trials)
        seen = report(tuner.study)
    assert [(e.name, e.given, e.taken) for e in seen.earlier] == [("past", 20, 20)]
    assert "20 of 20 used, weight 0." in earlier_lines(seen)[0]
    assert {c.source: c.turns for c in seen.totals.sources}["earlier"] == EARLIER


def test_earlier_trials_that_are_worse_than_the_default_run_no_more(tmp_path: Path) -> None:
    with Tuner(card(), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, earlier=[past(-5.0)]) as tuner:
        trials = tuner.run(objective, trials=INITIAL + 3).trials
    # the second was due before the first had ended: the model, where there is one, is asked a trial ahead
    assert [t.turn for t in trials[:INITIAL]] == ["default", "earlier", "earlier", "sobol", "sobol"]
    assert {w for t in trials for w in t.verdict.numbers.values()} == {0.0}


def test_the_models_zero_shot_turns_follow_the_earlier_trials(tmp_path: Path) -> None:
    model = Scripted([answers], repeat_last=True)
    with Tuner(card(), model, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, earlier=[past()]) as tuner:
        trials = tuner.run(objective, trials=2 + EARLIER + WARM).trials
    assert [t.turn for t in trials] == ["default", *["earlier"] * EARLIER, "textbook", *["llm"] * WARM]


def test_a_study_goes_on_without_the_file_and_as_if_never_stopped(tmp_path: Path) -> None:
    (tmp_path / "past.csv").write_text(
        "lr,optimizer,momentum,width,loss\n"
        + "".join(
            f"{t.config['lr']},{t.config['optimizer']},{t.config.get('momentum', '')},{t.config['width']},"
            f"{t.metrics['loss']}\n"
            for t in past().trials
        )
    )
    runs = []
    for name, stops in (("at_once", [8]), ("in_pieces", [1, 3, 6, 8])):
        (tmp_path / name).mkdir()
        made = card(earlier=[str(tmp_path / "past.csv")])
        for i, stop in enumerate(stops):
            if name == "in_pieces" and i == 1:
                (tmp_path / "past.csv").unlink()
            with Tuner(made, None, f"sqlite:///{tmp_path}/{name}/study.db", folder=tmp_path) as tuner:
                trials = tuner.run(objective, trials=stop).trials
                assert [len(one.trials) for one in recorded(tuner.study)] == [20]
        runs.append([(t.config, t.turn, t.verdict.numbers) for t in trials])
    assert runs[0] == runs[1]


def test_an_unreadable_source_stops_before_any_trial(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no file"):
        Tuner(card(earlier=[str(tmp_path / "gone.csv")]), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path)
    with pytest.raises(CardError, match=r"earlier is 'past\.csv'"):
        Tuner(card(), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, earlier="past.csv")


def test_a_study_of_ours_starts_another(tmp_path: Path) -> None:
    with Tuner(card(), None, f"sqlite:///{tmp_path}/old.db", folder=tmp_path) as old:
        old.run(objective, trials=6)
    storage = f"sqlite:///{tmp_path}/study.db"
    with Tuner(card(), None, storage, folder=tmp_path, earlier=[f"sqlite:///{tmp_path}/old.db"]) as tuner:
        trials = tuner.run(objective, trials=2).trials
    assert trials[1].config == min((t.config for t in read(old.study, card()).trials[1:]), key=objective)


# -- several workers ---------------------------------------------------------------------------------------------------


def first_points(folder: Path, workers: int, n: int, **changes: Any) -> list[Any]:
    """The first n trials, all of them running at once."""
    with Tuner(card(**changes), None, f"sqlite:///{folder}/study.db", 3, folder=folder, workers=workers) as tuner:
        return tuner.ask(n)


def test_points_that_run_for_want_of_results_keep_half_of_the_default(tmp_path: Path) -> None:
    trials = first_points(tmp_path, 12, 12)
    assert [t.source for t in trials] == ["default", *["sobol"] * 11]
    sequence = card().space.sample(200, 3)
    assert [t.config for t in trials[1:INITIAL]] == sequence[: INITIAL - 1]
    later = [t.config for t in trials[INITIAL:]]
    assert len({card().space.key(t.config) for t in trials}) == 12
    values = {name: {c.get(name) for c in sequence} | {value} for name, value in card().space.default().items()}
    assert all(c[name] in values[name] for c in later for name in values)
    kept = [c[name] == value for c in later for name, value in card().space.default().items()]
    assert 0.25 < sum(kept) / len(kept) < 0.9
    assert not all(c in sequence for c in later)


def test_halfway_points_fulfil_the_relations(tmp_path: Path) -> None:
    tight = Space(Float("a", 0.0, 1.0, default=0.1), Float("b", 0.0, 1.0, default=0.2), relations=["a <= b"])
    assert all(t.config["a"] <= t.config["b"] for t in first_points(tmp_path, 14, 14, space=tight))


def test_one_worker_goes_on_through_the_sequence_when_every_run_fails(tmp_path: Path) -> None:
    with Tuner(card(), None, f"sqlite:///{tmp_path}/study.db", 3, folder=tmp_path) as tuner:
        configs = []
        for _ in range(INITIAL + 4):
            trial = tuner.ask()
            configs.append(trial.config)
            tuner.tell(trial, Outcome("diverged", fault="config"))
    assert configs == [card().space.default(), *card().space.sample(64, 3)[: INITIAL + 3]]


def test_a_session_that_goes_on_starts_the_same_points(tmp_path: Path) -> None:
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    whole = first_points(tmp_path / "whole", 8, 8)
    first, then = first_points(tmp_path / "broken", 8, 6), first_points(tmp_path / "broken", 8, 2)
    assert [t.config for t in [*first, *then]] == [t.config for t in whole]


def test_a_space_of_which_the_relations_leave_little_is_searched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.space._BATCHES", 8)
    tight = Space(Float("a", 0, 1), Float("b", 0, 1), relations=["a <= 0.001 * b"])
    with Tuner(card(space=tight, start="none"), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:
        found = tuner.run(lambda c: (c["b"] - 0.5) ** 2, trials=7).trials
    assert len({tight.key(t.config) for t in found}) == 7
    assert all(tight.fulfils(t.config) for t in found)
    assert found[-1].source == "surrogate"


def tight_card(monkeypatch: pytest.MonkeyPatch) -> TaskCard:
    """A card whose relations leave nothing but the default to be found by drawing."""
    monkeypatch.setattr("tunewright.space._BATCHES", 1)
    whole = Int("a", 1, 10**6, default=7)
    return card(space=Space(whole, replace(whole, name="b"), relations=["a == b"]))


def test_earlier_trials_run_also_where_no_other_configuration_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = tight_card(monkeypatch)
    past = fitting("past", tight, [Row({"a": 5, "b": 5}, {"loss": 1.0}, "done")])
    with Tuner(tight, None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path, earlier=[past]) as tuner:
        found = tuner.run(lambda c: abs(c["a"] - 6.0), trials=2).trials
    assert [(t.turn, t.config) for t in found] == [("default", {"a": 7, "b": 7}), ("earlier", {"a": 5, "b": 5})]


def test_where_nothing_but_the_default_is_found_the_relations_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = tight_card(monkeypatch)
    with (
        Tuner(tight, None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner,
        pytest.raises(CardError, match="only 0 of the configurations drawn fulfil a == b"),
    ):
        tuner.run(lambda c: c["a"] - 6.0, trials=2)


def test_where_only_what_was_found_is_used_up_nobody_says_that_all_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.space._BATCHES", 5)
    tight = Space(Float("a", 0, 1), Float("b", 0, 1), relations=["a <= 0.001 * b"])
    with Tuner(card(space=tight, start="none"), None, f"sqlite:///{tmp_path}/study.db", folder=tmp_path) as tuner:

        def failures() -> None:  # alone: there is never a surrogate
            for _ in range(64):
                tuner.tell(tuner.ask(), status="diverged")

        with pytest.raises(StudyError, match="all configurations found that fulfil"):
            failures()
        assert tuner.study.trials()
