"""Parameters that a person holds at a value, from the space to the trial that runs."""

import numpy as np
import pytest

from tunewright.card import TaskCard
from tunewright.errors import CardError, SpaceError
from tunewright.loop import Tuner
from tunewright.revision import same_region
from tunewright.schema import config_schema
from tunewright.space import Choice, Float, Int, Space
from tunewright.textbook import points

SPACE = Space(
    Float("lr", 1e-5, 1e-1, log=True, default=1e-3),
    Int("batch", 8, 512, rounding="power_of_two", default=32),
    Choice("optimizer", ["adamw", "sgd", "lion"], default="sgd"),
    Float("momentum", 0.5, 0.99, when={"optimizer": "sgd"}),
)
HELD = SPACE.with_held({"batch": 64, "optimizer": ["adamw", "lion"]})


def test_every_way_to_a_configuration_keeps_the_held_values():
    drawn = [*HELD.sample(64, seed=0), HELD.default(), *HELD.from_unit(np.random.default_rng(0).random((50, 4)))]
    assert {c["batch"] for c in drawn} == {64}
    assert {c["optimizer"] for c in drawn} == {"adamw", "lion"}
    assert all("momentum" not in c for c in drawn)
    assert len({c["lr"] for c in drawn}) > 100


def test_held_values_survive_the_unit_cube():
    configs = HELD.sample(16, seed=1)
    assert HELD.from_unit(HELD.to_unit(configs)) == configs


def test_another_value_is_a_fault_that_names_the_held_one():
    checked = HELD.check({"lr": 1e-3, "batch": 32, "optimizer": "adamw"})
    assert [str(f) for f in checked.faults] == ["batch = 32, but it is held at 64"]
    assert "it is held to one of 'adamw', 'lion'" in str(
        HELD.check({"lr": 1e-3, "batch": 64, "optimizer": "sgd", "momentum": 0.9}).faults[0]
    )


def test_true_is_spelt_in_faults_as_a_card_and_a_reply_spell_it():
    """A model reads them where it is asked again: told to send True, it sends text, or what is no JSON."""
    space = Space(Choice("flip", [True, False, "both"]), Choice("mean", [1, "yes", 0.5]))
    absent = space.check({"flip": "True"})
    assert [str(f) for f in absent.faults] == [
        "flip = 'True' is not one of true, false, 'both'",
        "mean is missing; it takes one of 1, 'yes', 0.5",
    ]
    held = space.with_held({"flip": [True, "both"]})
    assert [str(f) for f in held.check({"flip": False, "mean": True}).faults] == [
        "flip = false, but it is held to one of true, 'both'",
        "mean = true is not one of 1, 'yes', 0.5",
    ]


def test_letting_go_gives_the_space_back():
    assert HELD.with_held({"batch": None, "optimizer": None}) == SPACE
    assert HELD != SPACE
    assert not same_region(HELD, SPACE)


def test_json_and_relations_keep_it():
    assert Space.from_json(HELD.to_json()) == HELD
    assert HELD.with_relations(["batch % 2 == 0"]).held["batch"].values == (64,)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"bacth": 64}, "'bacth' is held, and is not in the space"),
        ({"batch": 1024}, "is held at 1024"),
        ({"optimizer": []}, "held to no value"),
        ({"optimizer": "rmsprop"}, "held at 'rmsprop'"),
    ],
)
def test_what_cannot_be_held_is_refused(held, said):
    with pytest.raises(SpaceError, match=said):
        SPACE.with_held(held)


@pytest.mark.parametrize("held", [["batch"], "batch", 64])
def test_a_card_whose_held_values_have_no_names_is_refused(held):
    with pytest.raises(CardError, match="held is"):
        TaskCard(goal="g", metric="loss", direction="minimize", space=SPACE, held=held)


def test_the_schema_and_the_textbook_keep_it():
    assert config_schema(HELD)["properties"]["batch"] == {"enum": [64]}
    card = TaskCard(goal="g", metric="loss", direction="minimize", space=SPACE, held={"batch": 64})
    assert {c["batch"] for c in points(card, 5, seed=0)} == {64}


def test_a_study_can_be_held_from_the_next_session_on(tmp_path):
    def objective(config):
        return abs(np.log10(config["lr"]) + 3) + config["batch"] / 512

    def card(**more):
        return TaskCard(name="t", goal="g", metric="loss", direction="minimize", space=SPACE, **more)

    storage = f"sqlite:///{tmp_path}/t.db"
    with Tuner(card(), None, storage, folder=tmp_path) as tuner:
        tuner.run(objective, trials=6)
    with Tuner(card(held={"batch": 64, "optimizer": "sgd"}), None, storage, folder=tmp_path) as tuner:
        result = tuner.run(objective, trials=10)
    assert {t.config["batch"] for t in result.trials[:6]} > {64}
    assert {t.config["batch"] for t in result.trials[6:]} == {64}
    assert {t.config["optimizer"] for t in result.trials[6:]} == {"sgd"}
