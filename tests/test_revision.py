import pytest
from record_worker import card

from tunewright.errors import StudyError
from tunewright.revision import check_card, same_region
from tunewright.space import Choice, Float, Int, Space

LR, WIDTH = Float("lr", 1e-5, 1e-1, log=True), Int("width", 1, 64)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": Space(LR)}, "parameter 'width' is gone"),
        ({"space": Space(LR, WIDTH, Int("depth", 1, 4))}, "parameter 'depth' is new"),
        ({"space": Space(LR, Float("width", 1, 64))}, "'width' was a int and is a float"),
        ({"space": Space(Float("lr", 1e-5, 1e-1), WIDTH)}, "log of 'lr' was True and is False"),
        ({"space": Space(LR, Int("width", 1, 64, step=2))}, "step of 'width' was None and is 2"),
        ({"direction": "maximize"}, r"it measures loss \(minimize\), the card loss \(maximize\)"),
        ({"metric": "acc"}, "the card acc"),
    ],
)
def test_what_would_change_the_meaning_of_trials_is_refused_by_name(changes, said):
    with pytest.raises(StudyError, match=said) as e:
        check_card(card(), card(**changes))
    assert "another `name`" in e.value.hint


def test_all_differences_are_named_at_once():
    with pytest.raises(StudyError, match=r"it measures .*; parameter 'depth' is new; log of 'lr'"):
        check_card(card(), card(metric="acc", space=Space(Float("lr", 1e-5, 1e-1), WIDTH, Int("depth", 1, 4))))


def test_changed_choices_and_conditions_are_refused():
    old = Space(Choice("opt", ["adamw", "sgd"]), Choice("bias", [True, False], when={"opt": "sgd"}))
    for space, said in [
        (Space(Choice("opt", ["adamw", "sgd", "lion"]), old["bias"]), "choices of 'opt' was"),
        (Space(old["opt"], Choice("bias", [True, False])), "when of 'bias' was"),
        (Space(old["opt"], Choice("bias", [1, 0], when={"opt": "sgd"})), r"choices of 'bias' was \[True, False\]"),
    ]:
        with pytest.raises(StudyError, match=said):
            check_card(card(space=old), card(space=space))


@pytest.mark.parametrize(
    ("space", "same"),
    [
        (Space(LR, WIDTH), True),
        (Space(WIDTH, LR), True),
        (Space(Float("lr", 1e-5, 1e-1, log=True, default=1e-3, about="rate", unit="1"), WIDTH), True),
        (Space(Float("lr", 1e-6, 1e-1, log=True), WIDTH), False),
        (Space(LR, Int("width", 1, 32)), False),
        (Space(LR, WIDTH, relations=["width % 3 == 0"]), False),
    ],
)
def test_bounds_and_relations_may_change_and_make_another_region(space, same):
    check_card(card(), card(space=space, goal="other words", constraints=["latency <= 5"], budget={"trials": 5}))
    assert same_region(card().space, space) is same
