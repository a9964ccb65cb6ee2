from tunewright.verbs import Session, call

from .conftest import best, faults, losses


def test_a_relation_over_parameters_holds_for_new_configurations(toy: Session) -> None:
    answer = call(toy, "add_constraint", {"text": "width * lr <= 2"}, by="model")
    assert answer.data["relations"] == ["width * lr <= 2"]
    outside = [t for t in toy.study().trials() if t.config["width"] * t.config["lr"] > 2]
    assert answer.data["trials_outside"] == len(outside) > 0
    assert all(c["width"] * c["lr"] <= 2 for c in toy.study().card.space.sample(30, 0))
    assert "not there yet" in faults(toy, "add_constraint", text="width * lr <= 2")["text"]
    call(toy, "drop_constraint", {"text": "width * lr <= 2"}, by="model")
    assert toy.study().card.space.relations == ()


def test_a_bound_on_a_result_decides_what_is_best(toy: Session) -> None:
    answer = call(toy, "add_constraint", {"text": "loss >= 1"}, by="model")
    below = {number for number, loss in losses(toy).items() if loss < 1}
    assert best(toy) in below
    assert answer.data["trials_infeasible"] == len(below)
    assert call(toy, "show_best", {}, by="model").data["best"]["trial"] not in below
    answer = call(toy, "add_constraint", {"text": "latency_ms <= 50"}, by="model")
    assert answer.data["trials_without_the_number"] == 6
    assert "every new run must print it" in answer.text
    assert call(toy, "show_best", {}, by="model").data["best"] is None


def test_trials_outside_moved_bounds_are_not_said_to_break_a_relation(toy: Session) -> None:
    call(toy, "narrow", {"parameter": "lr", "low": 1e-4, "high": 2e-4}, by="person")
    answer = call(toy, "add_constraint", {"text": "loss <= 1000"}, by="person")
    assert answer.data["trials_outside"] == 0
    assert "break a relation" not in answer.text
    answer = call(toy, "add_constraint", {"text": "width < 32"}, by="person")
    broken = [t for t in toy.study().trials() if t.config["width"] >= 32]
    assert answer.data["trials_outside"] == len(broken) > 0


def test_constraints_that_cannot_be(toy: Session) -> None:
    call(toy, "add_constraint", {"text": "loss <= 3"}, by="model")
    assert "does not go with" in faults(toy, "add_constraint", text="loss >= 4")["text"]
    assert "latency is no parameter" in faults(toy, "add_constraint", text="latency + 1 <= 4")["text"]
    assert "not allowed" in faults(toy, "add_constraint", text="__import__('os').system('id') == 0")["text"]
    assert "trial 0 could not run" in faults(toy, "add_constraint", text="lr >= 0.001 and width > 16")["text"]
    assert "'loss <= 3'" in faults(toy, "drop_constraint", text="loss <= 4")["text"]
