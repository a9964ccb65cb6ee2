"""Answers and lines as text for a terminal, with colours where there is one; foreign text is made safe on the way."""

import io
from collections.abc import Sequence
from typing import Any

from tunewright.clean import clean
from tunewright.report import named, number
from tunewright.verbs.base import Answer

STYLES = {"dim": "dim", "call": "bold cyan", "error": "bold red", "news": "green", "ask": "bold yellow", "": ""}


class Renderer:
    """Makes text for a terminal of some width.

    Args:
        width: in columns.
        colour: whether escape sequences for colours are used.
    """

    def __init__(self, width: int, *, colour: bool) -> None:
        self.width = width
        self.colour = colour

    def line(self, text: str, style: str = "") -> str:
        """Lines in one style, ending in a new line; long ones are wrapped by the terminal."""
        if not self.colour or not STYLES[style]:
            return f"{clean(text)}\n"
        from rich.text import Text

        return self._drawn(Text(clean(text), STYLES[style]))

    def answer(self, verb: str, answer: Answer) -> str:
        """What a verb has answered: a table where it is one, else its text."""
        table = _table(verb, answer.data)
        if table is None:
            return f"{clean(answer.text)}\n"
        head, columns, rows, tail = table
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        drawn = Table(*(clean(c) for c in columns), box=SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            drawn.add_row(*(_cell(cell) for cell in row))
        return "".join([*(self.line(h) for h in head), self._drawn(drawn), *(self.line(t) for t in tail)])

    def _drawn(self, what: Any) -> str:
        from rich.console import Console

        out = io.StringIO()
        console = Console(
            file=out,
            width=self.width,
            force_terminal=self.colour,
            color_system="standard" if self.colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        console.print(what, soft_wrap=type(what).__name__ == "Text")
        return out.getvalue()


Drawn = tuple[Sequence[str], Sequence[str], list[list[Any]], Sequence[str]]


def _cell(value: Any) -> Any:
    from rich.text import Text

    return Text(clean("-" if value is None else number(value)))


def _table(verb: str, data: dict[str, Any]) -> Drawn | None:
    """Lines before, columns, rows, lines behind; None for an answer that is no table."""
    match verb:
        case "list_studies" if data["studies"]:
            columns = ["study", "trials", "metric", "best", "", "goal"]
            rows = [
                [s["name"], s["trials"], s["metric"], s["best"], _state(s), s["goal"].split("\n")[0][:60]]
                for s in data["studies"]
            ]
            return [], columns, rows, []
        case "show_study" if data["trials"]:
            names = [m["name"] for m in data["metrics"]]
            columns = ["trial", "source", "status", *names, "seconds", "configuration"]
            rows = [
                [
                    t["trial"],
                    t["source"],
                    t["status"],
                    *(t["metrics"].get(n) for n in names),
                    t["seconds"],
                    named(t["config"]),
                ]
                for t in data["trials"]
            ]
            aims = ", ".join(f"{m['direction']} {m['name']}" for m in data["metrics"])
            hidden = data["trials_in_all"] - len(data["trials"])
            run = data["run"]
            tail = [f"run: {run['state']}{', ' + run['reason'] if run['reason'] else ''}"] if run else []
            tail += [f"{data['waiting']} in line"] if data["waiting"] else []
            tail += [f"{hidden} earlier trials are not listed"] if hidden else []
            return [f"{data['study']}: {data['goal'].strip()}", aims], columns, rows, tail
        case "compare_trials":
            heads = ["", *(f"trial {data[k]['trial']}" for k in ("first", "second")), "better"]
            rows = [[n, *pair, ""] for n, pair in data["differs"].items()]
            rows += [[n, *m["values"], m["better"]] for n, m in data["metrics"].items()]
            rows += [["status", data["first"]["status"], data["second"]["status"], ""]]
            rows += [["seconds", data["first"]["seconds"], data["second"]["seconds"], ""]]
            return [], heads, rows, [f"the other {len(data['same'])} parameters are the same"]
        case "parameter_importance":
            rows = [[n, f"{share:.1%}", "#" * round(30 * share)] for n, share in data["importance"].items()]
            head = [f"share of the variation of {data['metric']} over {data['trials']} finished trials"]
            return head, ["parameter", "share", ""], rows, data.get("notes", [])
    return None


def _state(study: dict[str, Any]) -> str:
    return "running" if study["running"] else "current" if study["current"] else ""
