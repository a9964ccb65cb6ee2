"""Rules that run trials, stop them, run one again, say what they take, raise the budget."""

import re
from typing import Any

from tunewright.chat.naming import Sentence
from tunewright.chat.phrases.words import (
    GENTLY,
    NOUN_OF,
    TRIAL,
    Found,
    N,
    count,
    numbers_in,
    trial_of,
    trials_named,
    whole,
    workers,
)
from tunewright.chat.quantities import NUMBER, number


def stop_run(s: Sentence) -> Found | None:
    """Such as "stop after the current trial", "stop right now"."""
    if (
        not s.has(
            r"stop|stopp\w*|halt|pause|abort|cancel|kill|end|finish(?:\s+up)?|quit|beend\w*|"
            r"anhalten|abbrechen|brich|hör|terminate|interrupt|wind\s+down|shut\s+(?:it\s+)?down|"
            r"aufhören|schluss|enough|cease"
        )
        or s.parameters
        or s.values
    ):
        return None
    if s.has(r"how|what|which|log|curve|show|did|was|delete|constraint|explain") or s.has(r"set\s+up"):
        return None
    if s.has(r"halt(?!\s+(?:it|the|all|everything|now|after|at|immediately|on))\s+\w+\s+(?:bei|auf)"):
        return None
    left = re.sub(r"stop|run", "", s.text, flags=re.I)
    if numbers_in(left):
        return None
    if s.has(
        r"right\s+now|immediately|at\s+once|instantly|now|sofort|kill|abort|jetzt|this\s+(?:second|"
        r"instant|minute)|straight\s+away|right\s+away|hard|augenblicklich|auf\s+der\s+stelle|"
        r"unverzüglich"
    ):
        return "stop_run", {"now": True}
    return "stop_run", {"now": False} if s.has(GENTLY) else {}


def run_trials(s: Sentence) -> Found | None:
    """Such as "run 8 trials with 2 workers"."""
    if (
        s.parameters
        or s.values
        or not s.has(
            r"run|do|start|launch|kick\s+off|execute|try|make|go|continue|fire(?:\s+off)?|"
            r"add|perform|noch|start\w*|mach\w*|weitere\w*|another|more|queue|train|begin|"
            r"führ\w*|lass|evaluate|spawn|get|give|carry\s+on|proceed|keep\s+going|spin\s+up|"
            r"teste|dreh"
        )
    ):
        return None
    told = s.has(rf"{TRIAL}|more|another|noch|mehr|weitere\w*|further|tuning|search")
    if not told and not re.match(rf"(?:run|do|start|launch|starte|mach)\s+{NUMBER}$", s.text, re.I):
        return None
    if s.has(r"studies|study\s+from|what|which|how|worker\s+count") or (
        trials_named(s) and not s.has(rf"{NUMBER}\s+(?:\w+\s+)?{TRIAL}")
    ):
        return None
    if s.has(
        rf"{NUMBER}\s+(?:more\s+)?(?:epochs?|epochen?|steps?|schritte?n?|iterations?|minutes?|minuten|hours?|stunden?|"
        r"times?|mal|days?|seeds?|layers?|models?|lines?|studies|parameters?|usd|percent)"
    ):
        return None
    return "run_trials", {"trials": count(s), **workers(s)}


def rerun_trial(s: Sentence) -> Found | None:
    """Such as "rerun trial 5"."""
    again = (
        r"re-?run|repeat|redo|retry|re-?do|wiederhol\w*|replicate|(?:run|do|try|start|"
        r"execute|train|lass|starte|mach)\b.*\b(?:again|once\s+more|one\s+more\s+time|"
        r"a\s+second\s+time|nochmal|noch\s+(?:einmal|mal)|erneut)|(?:again|once\s+more|"
        r"nochmal|noch\s+einmal|erneut)"
    )
    if not s.has(again):
        return None
    if len(trials_named(s)) > 1:
        return "rerun_trial", {"trial": None}
    trial = trial_of(s)
    if trial is None:
        m = re.search(
            rf"(?:rerun|re-run|repeat|redo|retry|wiederhole)\s+{N}$",
            s.text,
            re.I,
        )
        trial = whole([number(m[1])])[0] if m and whole([number(m[1])]) else None
    told = trial is not None or s.has(r"re-?run|repeat|redo|retry|wiederhol\w*")
    return ("rerun_trial", {"trial": trial}) if told else None


def estimate_cost(s: Sentence) -> Found | None:
    """Such as "how much would 20 trials cost?"."""
    asks = (
        r"costs?|how\s+(?:long|much\s+(?:time|money|would|will|does|do|is|are))|estimate|"
        r"expensive|kosten|kostet|dauer\w*|wie\s+(?:lange|viel|teuer)|price|pricey|schätz\w*|"
        r"take|time\s+(?:for|would|will)|budget\s+(?:for|would)|afford"
    )
    if not s.has(asks) or s.has(r"so\s+far|bisher|until\s+now|already"):
        return None
    if trials_named(s) and not s.has(rf"{NUMBER}\s+(?:\w+\s+)?{TRIAL}"):
        return None  # "how long did trial 4 take?"
    trials = count(s)
    if trials is None and not s.has(rf"more|further|weitere\w*|{TRIAL}"):
        return None
    return "estimate_cost", {"trials": trials, **workers(s)}


def extend_budget(s: Sentence) -> Found | None:
    """Such as "add 2 hours to the budget"."""
    if not s.has(r"budget|limit|kontingent|give|gib|gönn\w*") and not (
        s.has(r"add|raise|increase|extend|verlänger\w*|another|more|longer")
        and s.has(rf"{NOUN_OF['hours']}|{NOUN_OF['usd']}|minutes?|minuten")
    ):
        return None
    if not s.has(
        r"add|raise|increase|extend|more|another|give|grow|bump|top\s+up|longer|erhöh\w*|"
        r"verlänger\w*|erweiter\w*|mehr|gib|gönn\w*|put|allow|weitere\w*|stock\s+up|plus|"
        r"extra|additional|noch"
    ):
        return None
    found: dict[str, Any] = {}
    for key, noun, factor in (
        ("hours", NOUN_OF["hours"], 1.0),
        ("hours", r"min(?:ute[ns]?|s)?", 1 / 60),
        ("usd", NOUN_OF["usd"], 1.0),
        ("usd", "cents?", 0.01),
        ("trials", TRIAL, 1.0),
    ):
        m = re.search(
            rf"{N}\s+(?:more\s+|further\s+|additional\s+|extra\s+|us\s+|weitere\s+)*(?:{noun})\b", s.text, re.I
        )
        if m:
            value = number(m[1])
            found[key] = value if factor == 1.0 else round(value * factor, 10)
    if not found or s.parameters:
        return None
    if set(found) == {"trials"} and not s.has(r"budget|limit|kontingent"):
        return None
    if s.has(rf"(?:budget|limit)\b.*\b(?:to|auf)\s+{NUMBER}"):
        return "extend_budget", {next(iter(found)): None}  # to a total: the verb takes what is added
    return "extend_budget", found
