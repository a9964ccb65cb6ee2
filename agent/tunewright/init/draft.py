"""A card in the making: what was read of a script, a range for each option, and what a person has yet to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from tunewright.card import TaskCard
from tunewright.card_input import slug
from tunewright.errors import CardError
from tunewright.init.ask import MOST_ASKED, Answer, ask
from tunewright.init.command import GIVEN, Argument, Item, above, choose_subcommand, command, with_reason
from tunewright.init.metric import Target, target
from tunewright.init.ranges import choose
from tunewright.init.reading import Option, ScriptReading, one_line
from tunewright.llm.base import Chat
from tunewright.llm.factory import open_chat

__all__ = ["SNIPPET", "TRIALS", "Draft", "Item", "card_from_reading", "propose"]

TRIALS = 30
SNIPPET = (
    "import json, os",
    'if "TUNEWRIGHT_CONFIG" in os.environ:  # below the constants: a run takes its values from Tunewright',
    '    globals().update(json.load(open(os.environ["TUNEWRIGHT_CONFIG"])))',
)


@dataclass(frozen=True)
class Draft:
    """All that the card will say, with where each part is from."""

    reading: ScriptReading
    goal: str
    goal_stated: bool
    target: Target
    items: tuple[Item, ...]
    command: tuple[Argument, ...]
    """Empty where no program is known."""
    todo: tuple[str, ...] = ()
    """What a person must say before the card can run, each in a sentence."""
    notes: tuple[str, ...] = ()
    answer: Answer | None = None
    """What a model said; None where none was asked."""
    trials: int | None = TRIALS

    @property
    def name(self) -> str:
        """The name of the study: the script's own."""
        return slug(PurePath(self.reading.path).stem)

    @property
    def tuned(self) -> tuple[Item, ...]:
        """The options that become parameters."""
        return tuple(item for item in self.items if item.tuned)

    def to_mapping(self) -> dict[str, Any]:
        """The card's keys as far as they are known, for `TaskCard.from_json`."""
        record: dict[str, Any] = {"name": self.name, "goal": self.goal}
        if self.target.name:
            metric = {"name": self.target.name}
            if self.target.direction is not None:
                metric["direction"] = self.target.direction
            record["metrics"] = [metric]
        if self.command:
            record["tool"] = {"command": [a.text for a in self.command if a.active]}
        record["space"] = [item.parameter.to_json() for item in self.tuned if item.parameter is not None]
        if self.trials is not None:
            record["budget"] = {"trials": self.trials}
        return record

    def to_card(self) -> TaskCard:
        """The card.

        Raises:
            CardError: something is missing that only a person can say.
        """
        if self.todo:
            raise CardError(f"the card for {self.reading.path} is not complete", "; ".join(self.todo))
        return TaskCard.from_json(self.to_mapping())

    def to_json(self) -> dict[str, Any]:
        """What was found and decided, as plain data."""
        parameters = [
            {"option": item.option.label, "where": item.option.where, "origin": item.origin, **item.parameter.to_json()}
            for item in self.tuned
            if item.parameter is not None
        ]
        answer = self.answer
        return {
            "script": self.reading.path,
            "complete": not self.todo,
            "todo": list(self.todo),
            "card": self.to_mapping(),
            "parameters": parameters,
            "left_out": [
                {"option": item.option.label, "where": item.option.where, "reason": item.reason}
                for item in self.items
                if not item.tuned
            ],
            "unread": [{"what": u.what, "where": u.where, "reason": u.why} for u in self.reading.unread],
            "metrics": [{"name": p.name, "line": p.line, "curve": p.curve} for p in self.reading.metrics],
            "notes": list(self.notes),
            "model": None
            if answer is None
            else {
                "name": answer.model,
                "refused": list(answer.refused),
                "error": answer.error,
                "tokens_in": answer.tokens_in,
                "tokens_out": answer.tokens_out,
                "seconds": answer.seconds,
                "cost_usd": answer.cost_usd,
            },
        }


def propose(
    reading: ScriptReading,
    model: "str | Chat | None" = None,
    *,
    goal: str | None = None,
    metric: str | None = None,
    direction: str | None = None,
    subcommand: str | None = None,
    fixed: Sequence[str] = (),
    trials: int | None = TRIALS,
    base_url: str | None = None,
    prices: Any = None,
) -> Draft:
    """A draft of the card: each option with a range from the script, the model, the textbook or a rule of thumb.

    Args:
        reading: what `read_script` found.
        model: "openai/NAME", "local", a `Chat`, ...; None for the textbook alone. It is asked once.
        goal: what is tuned and what for; without it, what the script says of itself.
        metric: the number to improve; without it, one that the script prints.
        direction: minimize or maximize; without it, what the metric's name tells.
        subcommand: which one, where the script has several.
        fixed: arguments that are passed as they are, behind all others; what they set is not tuned.
        trials: the budget; None for none.
        base_url: of an OpenAI-compatible server.
        prices: a price table that goes before ours.

    Raises:
        CardError: an unknown subcommand, metric or direction; `ModelError` when the model cannot be asked.
    """
    chosen = choose_subcommand(reading, subcommand)
    options = [with_reason(option, fixed) for option in reading.options if option.command in ("", *above(chosen))]
    aim = target(reading, metric, direction)
    named = [word for o, _ in options for word in (o.name, o.default if o.choices else "") if isinstance(word, str)]
    words = " ".join([goal or "", reading.description, reading.words, *named])
    asked = [option for option, reason in options if not reason]
    answer, trusted = _answer(reading, asked, model, goal, base_url, prices)
    items = tuple(_item(option, reason, answer, words, trusted) for option, reason in options)
    arguments = command(reading, items, chosen, fixed)
    stated = goal.strip() if goal and goal.strip() else ""
    return Draft(
        reading=reading,
        goal=stated or reading.description or f"tune {PurePath(reading.path).name}",
        goal_stated=bool(stated),
        target=aim,
        items=items,
        command=arguments,
        answer=answer,
        notes=_notes(answer, len(asked)),
        trials=trials,
        todo=_todo(reading, items, aim, fixed),
    )


def card_from_reading(
    reading: ScriptReading,
    *,
    goal: str,
    metric: str | None = None,
    direction: str | None = None,
    subcommand: str | None = None,
    fixed: Sequence[str] = (),
    trials: int | None = None,
) -> TaskCard:
    """The card for a script, ranges from the script, the textbook or a rule of thumb; no model is asked.

    The command is `[{python}, script, --flag={name}, ...]`. Arguments are those of `propose`.

    Raises:
        CardError: something is missing that only a person can say: a metric, a direction, a required argument, a
            subcommand, or any option that could be tuned.
    """
    return propose(
        reading, goal=goal, metric=metric, direction=direction, subcommand=subcommand, fixed=fixed, trials=trials
    ).to_card()


def _answer(
    reading: ScriptReading,
    options: list[Option],
    model: "str | Chat | None",
    goal: str | None,
    base_url: str | None,
    prices: Any,
) -> tuple[Answer | None, bool]:
    """The model's checked answer, and whether it goes before the textbook."""
    chat = open_chat(model, base_url=base_url, prices=prices)
    if chat is None or not options:
        return None, False
    try:
        chat.check()
        return ask(reading, options, chat, one_line(goal or "")), chat.trusted_tools
    finally:
        if chat is not model:  # a `Chat` that was handed in is its owner's to close
            chat.close()


def _item(option: Option, reason: str, answer: Answer | None, words: str, trusted: bool) -> Item:
    about = option.help or (answer.about.get(option.name, "") if answer else "")
    suggestion = answer.ranges.get(option.name) if answer and not reason else None
    made = choose(option, suggestion, about, words, model_first=trusted) if _could(option) else None
    if made is None:
        why = reason or "nothing says on what scale it lives: give it a range"
        return Item(option, None, "", why)
    origin = made.origin
    if not option.help and about and answer is not None:
        origin += f"; described by {answer.model}"
    return Item(option, made.parameter, origin, reason)


def _could(option: Option) -> bool:
    """Whether a range makes sense at all: there is a way in, and a default or none is needed."""
    passable = bool(option.argument) or option.source in ("config", "constant")
    return passable and (option.default is not None or (option.required and option.kind != "text"))


def _todo(reading: ScriptReading, items: Sequence[Item], aim: Target, fixed: Sequence[str]) -> tuple[str, ...]:
    todo = []
    if not aim.name and reading.metrics:
        names = ", ".join(f"{p.name} (line {p.line})" for p in reading.metrics[:5])
        todo.append(f"what the script prints has the names of its options: print {names} under another name")
    elif not aim.name:
        todo.append(
            "name the metric (--metric NAME --direction minimize|maximize), and let the script print it on a line of "
            "its own: `NAME: value`"
        )
    elif aim.direction is None:
        todo.append(f"say whether {aim.name} is better small or large: --direction minimize or maximize")
    if reading.needs_config:
        todo.append("let the script read the file that TUNEWRIGHT_CONFIG names (the card shows how), then init again")
    for item in items:
        given = item.option.argument.startswith("{") and fixed  # which positional one it is, only the script knows
        if item.option.required and not item.tuned and item.reason != GIVEN and not given:
            todo.append(f"the script requires {item.option.label}: give it a value behind `--`, or in the command")
    if not items:
        todo.append("no option was found: those that another file defines, or another library reads, are not seen")
    elif not any(item.tuned for item in items):
        todo.append("no option that could be tuned was found: uncomment or add one under space")
    if not reading.runs:
        todo.append("name the program that reads the file, as the card's tool")
    return tuple(todo)


def _notes(answer: Answer | None, asked: int) -> tuple[str, ...]:
    notes = []
    if answer is not None and answer.error:
        notes.append(
            f"{answer.model} gave no reply, so that ranges are from the script and the textbook: {answer.error}"
        )
    elif answer is not None:
        notes += [f"refused of {answer.model}: {reason}" for reason in answer.refused]
        if asked > MOST_ASKED:
            notes.append(f"{answer.model} was asked about the first {MOST_ASKED} of {asked} options")
    return tuple(notes)
