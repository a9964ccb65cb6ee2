"""The classifier: what decides is learned, and what it says of the edge comes true."""

import math
from typing import Any

import numpy as np

from tunewright.encoding import Encoding
from tunewright.space import Choice, Float, Int, Space
from tunewright.success_labels import Classifier

SPACE = Space(
    Float("lr", 1e-5, 1e-1, log=True),
    Choice("optimizer", ["adamw", "sgd", "muon"]),
    Int("depth", 2, 48, log=True),
    *(Float(f"idle{i}", 0, 1) for i in range(6)),
)
ENCODING = Encoding(SPACE)


def _holds(c: dict[str, Any]) -> bool:
    edge = {"adamw": -3.0, "sgd": -1.6, "muon": -2.2}[c["optimizer"]] - 0.6 * math.log10(c["depth"] / 8)
    return math.log10(c["lr"]) <= edge


def _fit(n: int, seed: int) -> Classifier:
    configs = SPACE.sample(n, seed=seed)
    return Classifier(ENCODING.encode(configs) - 0.5, np.array([_holds(c) for c in configs]), ENCODING.groups)


AT = SPACE.sample(600, seed=99)
ROWS, TRUTH = ENCODING.encode(AT) - 0.5, np.array([_holds(c) for c in AT])


def test_a_moving_edge_is_learned_and_the_chances_come_true() -> None:
    p = np.mean([_fit(60, seed)(ROWS) for seed in (1, 2, 3)], axis=0)
    assert -np.where(TRUTH, np.log(p), np.log(1 - p)).mean() < 0.14
    sure = p > 0.9
    assert sure.sum() > 0.75 * TRUTH.sum()
    assert TRUTH[sure].mean() > 0.97


def test_what_decides_nothing_falls_out() -> None:
    v = _fit(100, 4).v
    deciding, idle = v[:3], v[3:9]
    assert deciding.min() > 3 * idle.max()


def test_an_edge_on_both_sides_is_learned() -> None:
    configs = SPACE.sample(80, seed=5)
    middle = np.array([1e-4 < c["lr"] < 1e-2 for c in configs])
    p = Classifier(ENCODING.encode(configs) - 0.5, middle, ENCODING.groups)(ROWS)
    truth = np.array([1e-4 < c["lr"] < 1e-2 for c in AT])
    assert ((p > 0.5) == truth).mean() > 0.85


def test_failing_by_chance_makes_no_configuration_sure() -> None:
    configs = SPACE.sample(100, seed=6)
    success = np.random.default_rng(0).random(100) < 0.8
    p = Classifier(ENCODING.encode(configs) - 0.5, success, ENCODING.groups)(ROWS)
    assert 0.7 < p.mean() < 0.9
    assert p.max() < 0.99
