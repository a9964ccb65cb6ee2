"""Rules that look: trials, curves, logs, reasons, the best, what matters, how it stands."""

import re
from typing import Any

from tunewright.chat.naming import Sentence
from tunewright.chat.phrases.words import THE_TRIAL, TRIAL, Found, N, numbers_in, trial_of, trials_named, whole
from tunewright.chat.quantities import NUMBER, number


def compare_trials(s: Sentence) -> Found | None:
    """Such as "compare trial 4 with trial 11"."""
    if not s.has(
        r"compare|comparison|vergleich\w*|differen\w*|differ|versus|vs\.?|unterschie\w*|"
        r"unterscheid\w*|side\s+by\s+side|against|better\s+than|contrast|(?:better|besser)\b.*\b(?:or|"
        r"oder)|next\s+to"
    ):
        return None
    named = trials_named(s) or whole(numbers_in(s.text))
    each = whole([number(n) for n in THE_TRIAL.findall(s.text)])  # "is trial 3 better than trial 5?"
    named = each if len(each) == 2 else named
    other = (
        s.names.best
        if s.has(r"(?:the\s+|dem\s+|den\s+)?(?:best|beste\w*|winner|top)(?:\s+(?:one|trial|versuch))?")
        else None
    )
    if other is None and s.has(r"default|standard"):
        other = 0
    if len(named) == 1 and other is not None:
        return "compare_trials", {"first": named[0], "second": other}
    if len(named) == 2:
        return "compare_trials", {"first": named[0], "second": named[1]}
    return ("compare_trials", {"first": named[0], "second": None}) if len(named) == 1 else None


_WHY = (
    r"why|warum|wieso|weshalb|reason\w*|rationale|explain|erklär\w*|who\s+(?:proposed|"
    r"suggested|chose|picked)|what\s+made|motivat\w*|behind|justif\w*|how\s+come|"
    r"begründ\w*|where\s+does|idea"
)
_FAILED = (
    r"fail\w*|crash\w*|die[ds]?|error\w*|diverge\w*|broke\w*|abgestürzt|gescheitert|"
    r"fehlgeschlagen|schlecht|went\s+wrong|out\s+of\s+memory|oom|end(?:ed)?|stopped|"
    r"bad"
)


def why_trial(s: Sentence) -> Found | None:
    """Such as "why was trial 9 tried?"; why it failed is what show_trial tells."""
    trial = trial_of(s)
    if trial is None or not s.has(_WHY):
        return None
    return ("show_trial" if s.has(_FAILED) else "why_trial"), {"trial": trial}


def show_curve(s: Sentence) -> Found | None:
    """Such as "the learning curve of trial 12"."""
    if not s.has(
        r"(?:\w*\s)?curves?|lernkurve|kurve|plot|graph|trajectory|verlauf|over\s+(?:time|"
        r"epochs|steps)|progress\s+of|learn\s+over|per\s+epoch|evolution"
    ):
        return None
    trial = trial_of(s)
    if trial is None:
        return None if not s.has(r"curve|lernkurve|kurve") else ("show_curve", {"trial": None})
    other = [m for m in s.metrics if m != s.names.metrics[0]]
    return "show_curve", {"trial": trial, **({"metric": other[0]} if len(other) == 1 else {})}


def show_log(s: Sentence) -> Found | None:
    """Such as "last 40 lines of the log of trial 3"."""
    if not s.has(
        r"logs?|output|print(?:ed|s)?|stdout|stderr|ausgabe|ausgegeben|protokoll|tail|"
        r"lines?|zeilen?|console|traceback|error\s+output|fehlerausgabe"
    ):
        return None
    trial = trial_of(s)
    found: dict[str, Any] = {"trial": trial}
    m = s.has(rf"{N}\s+(?:\w+\s+)?(?:lines?|zeilen?)|(?:tail|last|letzten?)\s+(?:-n\s*)?{N}(?!\s*{TRIAL})")
    if m:
        found["lines"] = number(m[1] or m[2])
    if s.has(r"stderr|error\s+(?:output|log|stream)|standard\s+error|fehlerausgabe|errors?|traceback"):
        found["stream"] = "stderr"
    if trial is None and m:
        left = [n for n in whole(numbers_in(s.text)) if n != found["lines"]]
        found["trial"] = left[0] if len(left) == 1 else None
    return "show_log", found


def show_trial(s: Sentence) -> Found | None:
    """Such as "show me trial 7"."""
    named = trials_named(s)
    trial = trial_of(s)
    if trial is None or len(named) > 1 or (not named and trial == s.names.best):
        return None
    if (
        s.has(r"run|start|launch|execute|delete|remove|stop|kill|cancel|abort|starte|lösch\w*")
        and not s.has(r"show|what|how|zeig\w*|was|wie|did|tell|details?|see|look")
        and not re.match(r"run\s+\d+$", s.text, re.I)
    ):
        return None
    return "show_trial", {"trial": trial}


def show_best(s: Sentence) -> Found | None:
    """Such as "what is the best so far?"."""
    if (
        s.has(
            r"best|beste[nrsm]?|top|winner|winning|winn?ing|leading|leader|lead|incumbent|"
            r"führt|führend\w*|gewinnt|pareto(?:\s+front)?|optimum|highest|on\s+top|won|ahead|"
            r"record\s+so\s+far|spitzenreiter"
        )
        and not s.parameters
        and not s.has(rf"run|launch|start|keep\s+going|stop|pin|fix|export|until|rerun|repeat|practice|way|{NUMBER}")
    ):
        return "show_best", {}
    return None


def parameter_importance(s: Sentence) -> Found | None:
    """Such as "which parameters matter?"."""
    about = s.has(
        r"(?:hyper-?)?param\w*|which|what|knobs?|settings?|welche|was|options?|most|(?:hyper-?)?parameter\w*|"
        r"importan\w*|wichtig\w*|sensitivity|fanova|dimensions?"
    )
    if (about or s.parameters) and s.has(
        r"matter\w*|importan\w*|influen\w*|impact|wichtig\w*|einfluss\w*|relevan\w*|sensitiv\w*|"
        r"drives?|driving|affect\w*|effect|counts?\s+most|(?:makes?|making)\s+(?:the\s+most|"
        r"a)\s+difference|fanova|auswirk\w*|ausmach\w*|zähl\w*"
    ):
        other = [m for m in s.metrics if m != s.names.metrics[0]]
        return "parameter_importance", {"metric": other[0]} if len(other) == 1 else {}
    return None


def wait_for_run(s: Sentence) -> Found | None:
    """Such as "wait two minutes"."""
    if not s.has(r"wait|warte\w*"):
        return None
    m = s.has(rf"{N}\s*(s|sec\w*|sekunden?|min\w*)")
    if m:
        return "wait_for_run", {"seconds": number(m[1]) * (60 if m[2].lower().startswith("min") else 1)}
    return "wait_for_run", {}


def show_study(s: Sentence) -> Found | None:
    """Such as "how is it going?", "the last 10 trials"."""
    m = s.has(rf"(?:last|latest|recent|letzten?)\s+{N}\s+(?:{TRIAL})")
    if m:
        return "show_study", {"last": number(m[1])}
    if s.parameters or s.values:
        return None
    told = (
        r"status|overview|summary|how(?:'s|\s+is|\s+are|\s+does)\s+(?:it|things|the\s+(?:run|"
        r"study|search|tuning))|progress|what'?s\s+(?:going\s+on|happening|running|up)|"
        r"wie\s+(?:läuft|steht|weit)|stand|zwischenstand|übersicht|how\s+far|where\s+(?:do\s+we|"
        r"are\s+we)\s+(?:stand|at)?|"
        rf"(?:show|list|see|display|zeig\w*|print)\s+(?:me\s+|mir\s+)?(?:all\s+|the\s+|"
        rf"this\s+|my\s+|alle\s+|die\s+|diese\s+|current\s+)*(?:study|studie|‹s\d+›|{TRIAL}|"
        rf"results?|ergebnisse|record|table|history|space)(?!\s*#?\d)"
    )
    return ("show_study", {}) if s.has(told) else None
