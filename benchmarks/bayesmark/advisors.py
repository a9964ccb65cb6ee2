"""Played models: each is a `Chat` that answers from a rule, to try a tuner with help good, bad and absent.

An advisor reads only `purpose` and `n_expected` of a request. It knows the space, a truth table of 2,000 scored
configurations, and a seed; how far a run has come it infers from the number of configurations it was asked for.

| advisor | answers |
| --- | --- |
| `silent` | with an empty list, always |
| `recorded` | the first round with a frontier model's recorded reply; nothing after that |
| `noisy-P` | near one of the best 2% of the table with probability P, else at random |
| `late-good` | 12 configurations near the worst 2%, then near the best |
| `misleading` | 5 configurations near the best 2%, then near the worst, as sure as before |
| `adversarial` | the worst corners, repeats, values out of range, text that is no answer, one constant: in turn |
"""

import json
import threading
from typing import Any

import numpy as np
from benchmarks.bayesmark.data import recorded_reply
from benchmarks.bayesmark.tasks import Task
from benchmarks.bayesmark.truth import Truth

from tunewright.llm.base import Reply, Request
from tunewright.space import Float, Int, Space
from tunewright_tools.base import Config

NAMES = ("silent", "recorded", "noisy-0.2", "noisy-0.5", "noisy-0.8", "late-good", "misleading", "adversarial")
"""Those that a run usually compares; `noisy-P` takes any P from 0 to 1."""
_SHARE = 0.02
_SPREAD_UNIT = 0.05
_PRIOR_HALF_WIDTH_UNIT = 0.15
_LATE = 12
_TRUSTED = 5


class Advisor:
    """What all advisors share: the `Chat` protocol, a count of what was asked for, moves around the table.

    Args:
        name: as it stands in a method's name.
        space: of the task.
        truth: the truth table; None for an advisor that does not look at it (`needs_truth`).
        seed: of everything random.
    """

    trusted_tools = True

    def __init__(self, name: str, space: Space, truth: Truth | None, seed: int) -> None:
        self.name = f"played/{name}"
        self.space = space
        self.random = np.random.default_rng([seed, 77])
        self.served = 0
        """Configurations asked for so far."""
        self._truth = truth
        self._lock = threading.Lock()

    def check(self) -> None:
        """Nothing can be missing."""

    def close(self) -> None:
        """Nothing to let go of."""

    def complete(self, request: Request) -> Reply:
        """The answer to a request; the same requests in the same order get the same answers."""
        with self._lock:
            reply = self.answer(request.purpose, request.n_expected)
            self.served += request.n_expected
        return reply

    def answer(self, purpose: str, n: int) -> Reply:
        data: dict[str, Any] = {
            "proposals": [{"rationale": "played", "config": self.config(self.served + i)} for i in range(n)]
        }
        if purpose == "first_round":
            data["prior"] = self.prior()
        return _reply(data)

    def config(self, index: int) -> Config:
        """The configuration that was asked for as number `index`, counted from 0."""
        raise TypeError(f"{type(self).__name__} answers as a whole, not by number {index}")

    def prior(self) -> dict[str, dict[str, float]]:
        """The view stated in the first round; by default around a configuration like the first one."""
        return self.around(self.config(self.served))

    @property
    def truth(self) -> Truth:
        """The truth table. Raises ValueError when the advisor was made without one."""
        if self._truth is None:
            raise ValueError(f"{self.name} looks at a truth table and was made without one; `truth.truth` measures it")
        return self._truth

    # -- moves ---------------------------------------------------------------------------------------------------

    def good(self) -> Config:
        return self.near(self.truth.best(_SHARE))

    def bad(self) -> Config:
        return self.near(self.truth.worst(_SHARE))

    def anywhere(self) -> Config:
        return self.space.from_unit(self.random.random((1, len(self.space))))[0]

    def near(self, table: list[Config]) -> Config:
        """One of the table, moved by a normal step of 0.05 in the unit cube."""
        unit = self.space.to_unit([table[int(self.random.integers(len(table)))]])
        return self.space.from_unit(np.clip(unit + self.random.normal(0, _SPREAD_UNIT, unit.shape), 0, 1))[0]

    def around(self, config: Config) -> dict[str, dict[str, float]]:
        unit = self.space.to_unit([config])[0]
        steps = np.stack([unit, unit - _PRIOR_HALF_WIDTH_UNIT, unit + _PRIOR_HALF_WIDTH_UNIT])
        guess, low, high = self.space.from_unit(np.clip(steps, 0, 1))
        return {p: {"guess": guess[p], "low": low[p], "high": high[p]} for p in self.space.names}


class Silent(Advisor):
    """A model that has nothing to say."""

    def answer(self, purpose: str, n: int) -> Reply:
        return _reply({"proposals": []})


class Recorded(Advisor):
    """A model whose zero-shot reply was recorded; it has nothing to say after that."""

    def __init__(self, task: Task, truth: Truth | None, seed: int) -> None:
        super().__init__("recorded", task.space, truth, seed)
        self._recorded = recorded_reply(task)

    def answer(self, purpose: str, n: int) -> Reply:
        if purpose != "first_round" or self.served:
            return _reply({"proposals": []})
        proposals = [{"rationale": self._recorded["rationale"], "config": c} for c in self._recorded["configs"][:n]]
        return _reply({"proposals": proposals, "prior": self._recorded["prior"]})


class Noisy(Advisor):
    """A model that is right with probability `p`."""

    def __init__(self, p: float, space: Space, truth: Truth | None, seed: int) -> None:
        super().__init__(f"noisy-{p:g}", space, truth, seed)
        self.p = p

    def config(self, index: int) -> Config:
        return self.good() if self.random.random() < self.p else self.anywhere()


class LateGood(Advisor):
    """A model that is wrong for 12 configurations and right from then on."""

    def config(self, index: int) -> Config:
        return self.bad() if index < _LATE else self.good()


class Misleading(Advisor):
    """A model that is right for 5 configurations and wrong from then on; its prior is a right one."""

    def config(self, index: int) -> Config:
        return self.good() if index < _TRUSTED else self.bad()


class Adversarial(Advisor):
    """A model that does harm in whatever way it can, a different one in each call."""

    def __init__(self, name: str, space: Space, truth: Truth | None, seed: int) -> None:
        super().__init__(name, space, truth, seed)
        self._calls = 0
        self._said: list[Config] = []

    def answer(self, purpose: str, n: int) -> Reply:
        kinds = (self._corners, self._repeats, self._out_of_range, self._garbage, self._constant)
        reply = kinds[self._calls % len(kinds)](n)
        self._calls += 1
        if purpose == "first_round" and isinstance(reply.data, dict):
            return _reply(reply.data | {"prior": self.around(self.bad())})
        return reply

    def _proposals(self, configs: list[Config]) -> Reply:
        self._said += configs
        return _reply({"proposals": [{"rationale": "certain to be the best", "config": c} for c in configs]})

    def _corners(self, n: int) -> Reply:
        units = np.concatenate([self.space.to_unit([self.bad()]) for _ in range(n)])
        return self._proposals(self.space.from_unit(np.round(units)))

    def _repeats(self, n: int) -> Reply:
        before = self._said or [self.bad()]
        return self._proposals([before[int(self.random.integers(len(before)))] for _ in range(n)])

    def _out_of_range(self, n: int) -> Reply:
        configs: list[Config] = []
        for i in range(n):
            config: Config = {}
            for p in self.space:
                assert isinstance(p, Float | Int)
                config[p.name] = (p.high * 10, -p.high - 1, float("nan"), "auto", [p.low])[(i + len(config)) % 5]
            configs.append(config | {"no_such_parameter": 1})
        return _reply({"proposals": [{"rationale": "beyond the bounds it is better", "config": c} for c in configs]})

    def _garbage(self, n: int) -> Reply:
        return Reply(text='Of course! {"proposals": [{"config": {"max_depth": ]}')

    def _constant(self, n: int) -> Reply:
        return self._proposals([self.truth.worst(_SHARE)[0]] * n)


def advisor(name: str, task: Task, truth: Truth | None, seed: int) -> Advisor:
    """The advisor of a name; see the table on top.

    Raises:
        ValueError: no advisor has this name; the message lists them.
    """
    match name.split("-", 1):
        case ["silent"]:
            return Silent(name, task.space, truth, seed)
        case ["recorded"]:
            return Recorded(task, truth, seed)
        case ["noisy", p] if _share(p) is not None:
            return Noisy(float(p), task.space, truth, seed)
        case ["late", "good"]:
            return LateGood(name, task.space, truth, seed)
        case ["misleading"]:
            return Misleading(name, task.space, truth, seed)
        case ["adversarial"]:
            return Adversarial(name, task.space, truth, seed)
    raise ValueError(f"{name!r} is no advisor; there are {', '.join(NAMES)} (noisy-P with P from 0 to 1)")


def needs_truth(name: str) -> bool:
    """Whether an advisor looks at the truth table."""
    return name not in ("none", "local", "silent", "recorded")


def _share(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _reply(data: dict[str, Any]) -> Reply:
    return Reply(text=json.dumps(data), data=data, cost_usd=0.0)
