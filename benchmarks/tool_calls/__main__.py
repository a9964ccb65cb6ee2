"""Does a person's sentence become the right call? The grammar of plain sentences, or any model, on 60 utterances.

    python -m benchmarks.tool_calls                                  # the grammar
    python -m benchmarks.tool_calls --model openai/NAME --base-url URL
    python -m benchmarks.tool_calls --json

`seen.yaml` was in view while the grammar was written, `held_out.yaml` was not. Each call is really made, on a real
study, with an approver that says no to everything: a spend or a deletion that happens all the same is a misfire.
"""

import argparse
import contextlib
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tunewright.card import TaskCard
from tunewright.chat.grammar import understand
from tunewright.chat.naming import Names
from tunewright.errors import TunerError
from tunewright.llm.base import Chat, Message, Request
from tunewright.llm.factory import open_chat
from tunewright.loop import Tuner
from tunewright.render import render
from tunewright.verbs import VERBS, Ask, Session, WrongCall, call, tool_specs
from tunewright.verbs.base import checked, lookup

HERE = Path(__file__).parent
SETS = ("seen", "held_out")
Call = tuple[str | None, dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """One utterance and what became of it."""

    said: str
    expected: Call
    got: Call
    tool: bool
    arguments: bool
    misfire: bool
    asked: bool
    """A person would have been asked about a spend or a deletion that they did not speak of."""


def study(folder: Path) -> str:
    """The record that the utterances speak of, in a real SQLite file; its address."""
    storage = f"sqlite:///{folder / 'record.db'}"
    space = [
        {"name": "lr", "type": "float", "low": 1e-5, "high": 1e-1, "log": True, "default": 1e-3},
        {"name": "batch_size", "type": "int", "low": 16, "high": 512, "rounding": "power_of_two", "default": 128},
        {"name": "weight_decay", "type": "float", "low": 1e-6, "high": 1e-1, "log": True, "default": 1e-4},
        {"name": "dropout", "type": "float", "low": 0.0, "high": 0.5, "default": 0.0},
        {"name": "optimizer", "type": "choice", "choices": ["adamw", "sgd", "lion"]},
    ]
    for name, trials in (("bert-lm", 1), ("resnet", 21)):
        card = TaskCard(
            name=name,
            goal=f"{name}, for the benchmark of tool calls",
            metric="val_accuracy",
            direction="maximize",
            space=space,
            constraints=["latency_ms <= 50"] if name == "resnet" else [],
        )
        with Tuner(card, None, storage, seed=0, folder=folder) as tuner:
            for config in card.space.sample(trials, seed=0):
                tuner.enqueue([config])
                trial = tuner.ask()
                accuracy = 0.9 - 0.02 * (math.log10(trial.config["lr"]) + 3) ** 2
                tuner.tell(trial, {"val_accuracy": accuracy, "latency_ms": 10.0 + trial.config["batch_size"] / 10})
    return storage


def by_grammar(said: str, names: Names) -> Call:
    """What the grammar makes of a sentence."""
    meant = understand(said, names)
    return meant.verb, dict(meant.arguments)


def by_model(said: str, chat: Chat, session: Session) -> Call:
    """The first call that a model makes."""
    studies = [{"name": n, "goal": n, "trials": 21, "best": None, "running": False} for n in session.names()]
    system = render("chat_system", studies=studies, current=session.current, summary="")
    shown = call(session, "show_study", {"last": 1}, by="person").text
    messages = (Message("system", system.text), Message("user", f"{shown}\n\n{said}"))
    reply = chat.complete(Request(messages, tools=tool_specs(), purpose="chat", temperature=0.0))
    return (reply.tool_calls[0].name, reply.tool_calls[0].arguments) if reply.tool_calls else (None, {})


def same(verb: str, wanted: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    """Whether two sets of arguments mean the same: defaults may be left out, the current study may be named."""
    try:
        a, b = (checked(lookup(verb), raw).model_dump() for raw in (wanted, got))
    except WrongCall:
        return False
    b["study"] = a.get("study") if b.get("study") == "resnet" else b.get("study")
    return all(_equal(a[key], b.get(key)) for key in a)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return sorted(map(str, a)) == sorted(map(str, b))
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-9)
    if isinstance(a, str) and isinstance(b, str):
        return a.replace(" ", "") == b.replace(" ", "")
    return a == b


def measure(name: str, folder: Path, chat: Chat | None, file: Path) -> list[Row]:
    """One set of utterances, each on a record of its own state: nothing is ever approved."""
    rows = []
    asked: list[str] = []

    def no(request: Any) -> bool:
        asked.append(request.effect)
        return False

    storage = study(folder)
    for entry in yaml.safe_load(file.read_text(encoding="utf-8")):
        with Session(folder, storage, None, Ask(no), trusted_tools=True) as session:
            session.current = "resnet"
            before = _spent(session)
            asked.clear()
            names = Names.of(session.study(), session.names())
            got = by_grammar(entry["say"], names) if chat is None else by_model(entry["say"], chat, session)
            verb = None if entry["call"] == "none" else entry["call"]
            right = got[0] == verb
            arguments = right and (verb is None or same(verb, entry["arguments"], got[1]))
            if got[0] is not None:
                effect = VERBS[got[0]].effect if got[0] in VERBS else "look"
                if effect in ("spend", "delete") or chat is not None:
                    _make(session, got, "person" if chat is None else "model")
            wrong = verb is None or VERBS[verb].effect not in ("spend", "delete")
            unwanted = wrong and any(e in ("spend", "delete") for e in asked)
            row = Row(
                entry["say"],
                (verb, entry.get("arguments", {})),
                got,
                right,
                arguments,
                _spent(session) != before,
                unwanted,
            )
            rows.append(row)
    return rows


def _make(session: Session, made: Call, by: Any) -> None:
    with contextlib.suppress(TunerError):  # refused or not approved: what is measured is what happened
        call(session, str(made[0]), made[1], by=by)


def _spent(session: Session) -> Any:
    return {name: len(session.study(name).trials()) for name in session.names()}, len(session.runs())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="grammar", help="grammar, or a model as for `tunewright chat --model`")
    parser.add_argument("--base-url")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--held-out", type=Path, default=HERE / "held_out.yaml")
    given = parser.parse_args()
    chat = None if given.model == "grammar" else open_chat(given.model, base_url=given.base_url)
    lines, record = [], {}
    for name in SETS:
        file = given.held_out if name == "held_out" else HERE / f"{name}.yaml"
        with tempfile.TemporaryDirectory(prefix="tool-calls-") as folder:
            rows = measure(name, Path(folder), chat, file)
        n = len(rows)
        tool, both = sum(r.tool for r in rows), sum(r.arguments for r in rows)
        misfires, unwanted = sum(r.misfire for r in rows), sum(r.asked for r in rows)
        lines.append(f"| {given.model} | {name} | {n} | {tool} | {both} | {misfires} | {unwanted} |")
        record[name] = [vars(r) for r in rows]
        for r in rows:
            if not r.arguments:
                lines.append(f"|  | {r.said!r} | expected {r.expected} | got {r.got} | | | |")
    if chat is not None:
        chat.close()
    if given.json:
        print(json.dumps(record, ensure_ascii=False, default=str))
        return
    print("| who | utterances | n | right tool | and right arguments | destructive misfires | asked without cause |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
