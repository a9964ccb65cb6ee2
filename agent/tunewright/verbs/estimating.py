"""What further trials would take: time from recorded runs, money from recorded calls. Nothing known is said so."""

import math
import shlex
import statistics
from dataclasses import dataclass

from tunewright.card import TaskCard
from tunewright.ledger import Call
from tunewright.llm.base import Chat
from tunewright.preview import preview
from tunewright.study import Study
from tunewright.verbs.approval import ApprovalRequest, Estimate
from tunewright.verbs.context import calling
from tunewright.verbs.running import calls_of_runs
from tunewright.verbs.session import Session

_COUNTED = ("done", "oom", "diverged", "timeout", "crashed", "pruned")


@dataclass(frozen=True)
class Estimated:
    """An estimate and what it rests on."""

    estimate: Estimate
    time_basis: str
    cost_basis: str
    most_seconds: float | None
    """What it takes at most, from the time limit of a trial; None without one."""


def estimated(session: Session, study: Study, trials: int, workers: int) -> Estimated:
    """What so many further trials of a study would take."""
    seconds, time_basis = seconds_per_trial(study)
    usd, cost_basis = _usd(session, study, trials)
    rounds = math.ceil(trials / workers)
    limit = study.card.budget.seconds_per_trial
    return Estimated(
        Estimate(trials, None if seconds is None else rounds * seconds, usd),
        time_basis,
        cost_basis,
        None if limit is None else rounds * limit,
    )


def seconds_per_trial(study: Study) -> tuple[float | None, str]:
    """The median of recorded run times, seconds; None without one, and what it rests on in words."""
    times = [
        t.outcome.telemetry.seconds
        for t in study.trials()
        if t.status in _COUNTED and t.outcome is not None and t.outcome.telemetry is not None
    ]
    if not times:
        return None, "no trial has ended yet"
    return statistics.median(times), f"the median of {len(times)} recorded trial{'s' * (len(times) > 1)}"


def _usd(session: Session, study: Study, trials: int) -> tuple[float | None, str]:
    chat = session.chat()
    if chat is None:
        return 0.0, "no model is asked"
    calls = _calls(study, chat)
    of_runs = [call for call in calls_of_runs(study) if call in calls]
    rate = min(len(of_runs) / max(len(study.trials()), 1), 1.0) if of_runs else 1.0
    each = call_usd(study, chat, trials)
    if each is None:
        return None, f"no price is known for {chat.name}" if calls else f"{chat.name} was not asked yet"
    basis = f"the mean of {len(calls)} recorded call{'s' * (len(calls) > 1)}" if calls else f"the price of {chat.name}"
    return trials * rate * each, f"{basis}, {rate:.2g} calls a trial"


def call_usd(study: Study, chat: Chat, trials: int) -> float | None:
    """US dollars of one call of the model: the mean of those on record, else by its first prompt; None for unknown."""
    if chat.name == "local":
        return 0.0  # it runs on this machine
    costs = [call.cost_usd for call in _calls(study, chat)]
    if costs:
        return None if None in costs else statistics.fmean(cost for cost in costs if cost is not None)
    first = preview(study.card, chat, base_url=None, prices=None, trials=trials, seed=study.seed)
    return None if first.cost_usd is None else first.cost_usd / max(first.calls, 1)


def _calls(study: Study, chat: Chat) -> list[Call]:
    """The calls that asked this model for configurations, for a run or a warmstart: a talk is of another price."""
    return [c for c in study.ledger.calls() if c.model == chat.name and not c.error and c.purpose != "chat"]


def command_text(card: TaskCard) -> str | None:
    """What each trial runs, as a shell would quote it; None where the card names no tool."""
    if card.tool is None:
        return None
    if card.tool.trainer is not None:
        return f"the built-in trainer {card.tool.trainer}"
    where = f"  (in {card.tool.cwd})" if card.tool.cwd else ""
    names = f"  (with {', '.join(sorted(card.tool.env))} set)" if card.tool.env else ""
    return shlex.join(card.tool.command or []) + where + names


def is_new_command(session: Session, study: Study) -> bool:
    """Whether no person has seen the command run yet: it was neither approved nor brought along, nor is on record."""
    card = study.card
    if card.tool is None or card.tool.command is None:
        return False
    return command_text(card) not in session.known_commands and not study.trials()


def run_request(session: Session, verb: str, study: Study, what: str, trials: int, workers: int) -> ApprovalRequest:
    """The question before trials run."""
    new = is_new_command(session, study)
    return ApprovalRequest(
        verb,
        "spend",
        what,
        by=calling(),
        study=study.name,
        estimate=estimated(session, study, trials, workers).estimate,
        command=command_text(study.card),
        needs_person="this command has never been run or approved" if new else "",
    )
