"""What the rules of the grammar share: numbers, trials, parameters and marks in a sentence."""

import math
import re
from collections.abc import Mapping
from typing import Any

from tunewright.chat.naming import Sentence
from tunewright.chat.quantities import NUMBER, number
from tunewright.parameter import Parameter

Found = tuple[str, Mapping[str, Any]]
"""A verb and its arguments. An argument that is None was meant but not told."""

TRIAL = (
    r"(?:trials?|runs?|experiments?|evaluations?|attempts?|versuche?[ns]?|läufe?n?|"
    r"lauf|durchläufe?n?|durchlauf|configurations?|configs?|jobs?|rounds?)"
)
NOUN_OF = {
    "trials": r"trials?|runs?|experiments?|versuche?n?|läufe?n?",
    "workers": r"workers?|in\s+parallel|parallel|at\s+(?:once|a\s+time)|arbeiter\w*|prozesse\w*|gleichzeitig",
    "hours": r"hours?|stunden?|h",
    "usd": r"usd|dollars?",
    "lines": r"lines?|zeilen?",
    "points": r"points?|punkte?n?",
}
GENTLY = (
    r"after|once|when|nach|sobald|let|lass|finish(?:es|ed)?\s+(?:the|its)|gracefully|"
    r"current|running\s+(?:one|trials?)|laufende\w*|"
    r"aktuelle\w*|no\s+(?:more|further|new)\s+" + TRIAL
)
N = rf"({NUMBER})"
THE_TRIAL = re.compile(
    rf"(?<![\w‹])(?:trials?|versuch(?:s|e|en)?|experiment|lauf|attempt|(?:(?<=of )|"
    rf"(?<=in )|(?<=show )|(?<=did )|(?<=me )|(?<=compare ))runs?|run\s+(?:#|number|"
    rf"no\.?)|no\.?|nr\.?|number|nummer|#)\s*(?:number|no\.?|nr\.?|nummer|#)?\s*{N}",
    re.I,
)


def numbers_in(text: str) -> list[int | float]:
    """The numbers in a text, in order."""
    return [number(n) for n in re.findall(NUMBER, text, re.I)]


def whole(values: list[int | float]) -> list[int]:
    """Those that are whole and not below zero."""
    return [int(v) for v in values if math.isfinite(v) and int(v) == v and v >= 0]


def trials_named(s: Sentence) -> list[int]:
    """The numbers of trials that are named: "trial 7", "trials 3 and 8", "the latest", "the best trial"."""
    m = THE_TRIAL.search(s.text)
    if m is not None:
        behind = s.text[m.start(1) :]
        span = re.match(
            rf"{NUMBER}(?:(?:\s*,\s*|\s*&\s*|\s+)(?:(?:and|und|with|mit|to|against|gegen|next\s+to|"
            rf"neben|versus|vs\.?|or|oder|from|von|than)\s+)?"
            rf"(?:the\s+)?(?:(?:trial|versuch|number|nr\.?|#)\s*)*{NUMBER})*",
            behind,
            re.I,
        )
        return whole(numbers_in(span[0])) if span else whole(numbers_in(m[1]))
    return []


def trial_of(s: Sentence) -> int | None:
    """The one trial that is meant, by its number or as the latest or the best; None where none is named."""
    named = trials_named(s)
    if named:
        return named[0]
    of_trial = rf"(?:the\s+|der\s+|den\s+|dem\s+|des\s+)?(?:{{}})\s+(?:{TRIAL}|one)"
    if s.has(of_trial.format(r"last|latest|newest|most\s+recent|letzte\w*|neueste\w*|jüngste\w*")):
        return s.names.latest
    if s.has(of_trial.format(r"best|top|winning|beste\w*|incumbent")) or s.has("winner"):
        return s.names.best
    return None


WORKER = r"(?:workers?|arbeitern?|prozessen?|processes|gpus?|slots?|threads?|cores?)"
WORKERS = (
    rf"(?:(?:with|on|using|across|over|by|mit|auf|in)\s+)?{N}\s+(?:parallel\s+)?{WORKER}|"
    rf"{N}\s+(?:of\s+them\s+)?(?:at\s+(?:once|a\s+time|the\s+same\s+time)|in\s+parallel|"
    rf"parallel|concurrently|simultaneously|gleichzeitig|abreast)"
    rf"|{WORKER}\s*(?:=|:|set\s+to|of)?\s*{N}"
)


def count(s: Sentence) -> int | None:
    """How many trials: the number before the noun, or the only number that is no number of workers."""
    m = re.search(
        rf"{N}\s+(?:(?:more|further|additional|extra|other|new|weitere\w*|zusätzliche\w*|"
        rf"mehr|fresh|quick|short|single|such|of\s+(?:these|those|them))\s+)*{TRIAL}\b",
        s.text,
        re.I,
    )
    m = m or re.search(
        rf"(?:another|noch|weitere|plus|extra)\s+{N}(?!\s*(?:{NOUN_OF['hours']}|min\w*|"
        rf"{NOUN_OF['usd']}|workers?))|{N}\s+(?:more|mehr|weitere\w*)(?!\s+(?:{NOUN_OF['hours']}|"
        rf"min\w*|{NOUN_OF['usd']}|workers?))",
        s.text,
        re.I,
    )
    if m:
        counted = whole([number(next(g for g in m.groups() if g))])
        return counted[0] if counted else None
    rest = re.sub(WORKERS, " ", s.text, flags=re.I)
    left = whole(numbers_in(rest))
    return left[0] if len(left) == 1 else None


def workers(s: Sentence) -> dict[str, int]:
    """The argument `workers`, where it is said."""
    m = re.search(WORKERS, s.text, re.I)
    found = whole([number(next(g for g in m.groups() if g))]) if m else []
    return {"workers": found[0]} if found else {}


def spelled(s: Sentence, text: str) -> str:
    """Marks back as the names that they stand for."""
    tables = {
        "p": [p.name for p in s.parameters],
        "v": [repr(v) for _, v in s.values],
        "m": list(s.metrics),
        "s": list(s.studies),
    }
    return re.sub(r"‹([pvms])(\d+)›", lambda m: tables[m[1]][int(m[2])], text)


def parameter_of(s: Sentence) -> Parameter | None:
    """The one parameter that is meant, by its own name or by a value of it."""
    if len(s.parameters) == 1:
        return s.parameters[0]
    owners = list(dict.fromkeys(p.name for p, _ in s.values))
    if not s.parameters and len(owners) == 1:
        return s.values[0][0]
    return None


def is_choice(p: Parameter) -> bool:
    """Whether a parameter takes one of a few values."""
    return hasattr(p, "choices")
