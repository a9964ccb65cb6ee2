"""Rules for constraints, and bounds in words."""

import re

from tunewright.chat.naming import Sentence
from tunewright.chat.phrases.words import Found, spelled
from tunewright.chat.quantities import NUMBER

_ABOVE = r"above|over|beyond|past|exceed(?:ing)?|higher\s+than|more\s+than|larger\s+than|bigger\s+than|greater\s+than"
_BELOW = r"below|under|beneath|lower\s+than|less\s+than|smaller\s+than"
_AT_MOST = (
    r"(?:(?:should|must|may|shall|can|do|does|will|has\s+to|soll|sollte|darf|muss)\s+)?(?:not|"
    r"never|nicht|nie|n't)\s+(?:be\s+|go\s+|get\s+|rise\s+|grow\s+|come\s+|climb\s+|"
    r"lie\s+)?(?:any\s+)?"
    r"(?:above|over|beyond|past|exceed(?:ing)?|higher\s+than|more\s+than|larger\s+than|"
    r"bigger\s+than|greater\s+than|über|mehr\s+als|größer\s+als|höher\s+als)"
    r"|(?:shouldn't|mustn't|don't|can't|may\s+not)\s+(?:be\s+|go\s+|get\s+|rise\s+)?(?:above|"
    r"over|beyond|exceed|higher\s+than|more\s+than|larger\s+than)"
    r"|no\s+(?:more|higher|larger|greater|bigger)\s+than|at\s+(?:the\s+)?most|höchstens|maximal|<=|≤"
)
_AT_LEAST = (
    r"(?:(?:should|must|may|shall|can|do|does|will|soll|sollte|darf|muss)\s+)?(?:not|"
    r"never|nicht|nie)\s+(?:be\s+|go\s+|get\s+|fall\s+|drop\s+|come\s+|sink\s+|lie\s+)?(?:any\s+)?"
    r"(?:below|under|beneath|lower\s+than|less\s+than|smaller\s+than|unter|weniger\s+als|kleiner\s+als)"
    r"|(?:shouldn't|mustn't|don't|can't|may\s+not)\s+(?:be\s+|go\s+|get\s+|fall\s+|"
    r"drop\s+)?(?:below|under|lower\s+than|less\s+than|smaller\s+than)"
    r"|no\s+(?:less|lower|smaller|fewer)\s+than|at\s+(?:the\s+)?least|mindestens|wenigstens|minimal|>=|≥"
)


def bounds_said(text: str) -> str:
    """The sentence with "must not exceed" as "at most" and its like: a negation that sets a bound is none."""
    for words, made in ((_ABOVE, "at most"), (_BELOW, "at least")):
        text = re.sub(
            rf"(?:(?:don'?t|do\s+not|never)\s+(?:let|allow)|no)\s+(‹p\d+›)(?:\s+values?)?\s+(?:to\s+)?"
            rf"(?:be\s+|go\s+|get\s+|fall\s+|drop\s+|rise\s+)?(?:{words})",
            rf"\1 {made} ",
            text,
            flags=re.I,
        )
    text = re.sub(rf"(?<!\w)(?:{_AT_MOST})", " at most ", text, flags=re.I)
    text = re.sub(rf"(?<!\w)(?:{_AT_LEAST})", " at least ", text, flags=re.I)
    return " ".join(text.split())


UPPER = (
    r"at most|below|under|beneath|less\s+than|smaller\s+than|lower\s+than|unter|kleiner\s+als|"
    r"<|max(?:imum)?(?:\s+of)?|capped\s+at|cap\s+(?:it\s+)?at|within"
)
LOWER = (
    r"at least|above|over|more\s+than|greater\s+than|higher\s+than|larger\s+than|"
    r"über|größer\s+als|>|min(?:imum)?(?:\s+of)?|beyond"
)
_REMOVE = (
    r"no\s+longer\s+needs?|drop|remove|delete|lift|forget|get\s+rid\s+of|take\s+(?:away|out|off)|cancel|"
    r"streich\w*|entfern\w*|lösch\w*|discard|scrap|relax"
)
_CONSTRAINT = (
    r"constraints?|limits?|bounds?|requirements?|conditions?|rules?|restrictions?|"
    r"relations?|bedingung\w*|beschränkung\w*|grenze|vorgabe|cap"
)


def _statement(s: Sentence) -> str | None:
    """A bound or a relation that the sentence tells, as the card writes it."""
    plain = s.text.replace("at most", "<=").replace("at least", ">=")
    name = r"(‹[pm]\d+›|[A-Za-z_]\w*)"
    explicit = re.search(
        rf"((?:‹[pm]\d+›|[A-Za-z_]\w*|\d[\w.]*)(?:\s*(?://|[-+*/%])\s*(?:‹[pm]\d+›|\w[\w.]*))*)\s*(<=|"
        rf">=|==|!=|<|>)\s*((?:‹[pm]\d+›|{NUMBER}|[A-Za-z_]\w*)(?:\s*(?://|[-+*/%])\s*(?:‹[pm]\d+›|"
        rf"\w[\w.]*))*)",
        plain,
        re.I,
    )
    if explicit and explicit[1].lower() not in _VERBAL:
        return spelled(s, f"{explicit[1]} {explicit[2]} {explicit[3]}")
    divisible = re.search(
        rf"{name}\s+(?:must\s+be|has\s+to\s+be|should\s+be|is|muss|to\s+be|be)?\s*(?:divisible\s+by|"
        rf"a\s+multiple\s+of|durch)\s+{name}",
        s.text,
        re.I,
    )
    divisible = divisible or re.search(
        rf"{name}\s+(?:must\s+be|has\s+to\s+be|should\s+be|is|muss|to\s+be|be)?\s*(?:divisible\s+by|"
        rf"a\s+multiple\s+of|durch)\s+({NUMBER})",
        s.text,
        re.I,
    )
    if divisible:
        return spelled(s, f"{divisible[1]} % {divisible[2]} == 0")
    for words, sign in ((UPPER, "<="), (LOWER, ">=")):
        m = re.search(
            rf"{name}(?:\s+(?:metric|usage|time))?\s+(?:(?:must|should|has|have|needs?|to|"
            rf"stay|be|remain|is|kept|keep|always|go|lie|muss|soll|darf|sein|bleiben|staying|"
            rf"of|value|strictly)\s+)*(?:{words})\s*(?:of\s+|als\s+)?({NUMBER}|‹p\d+›)",
            s.text,
            re.I,
        )
        if m and m[1].lower() not in _VERBAL:
            strict = m[2].startswith("‹p")
            return spelled(s, f"{m[1]} {sign[0] if strict and 'at ' not in m[0] else sign} {m[2]}")
    return None


_VERBAL = frozenset(
    re.findall(
        r"\w+",
        "be stay is to must should keep it that go remain budget value stop run than trials trial cost constraint "
        "constrain limit cap",
    )
)
"""Words before a bound that name no metric."""


def drop_constraint(s: Sentence) -> Found | None:
    """Such as "drop the constraint latency_ms <= 50", "remove the latency limit"."""
    if not s.has(_REMOVE) or not (s.has(_CONSTRAINT) or _statement(s)) or s.has(r"delete\s+the\s+study"):
        return None
    told = _statement(s)
    known = list(s.names.constraints)
    if told is not None:
        same = [c for c in known if "".join(c.split()) == "".join(told.split())]
        return "drop_constraint", {"text": same[0] if same else told}
    said = spelled(s, s.text)
    about = [c for c in known if _mentions(said, re.findall(r"[A-Za-z]\w+", c))]
    about = about or [c for c in known if _mentions(said, [w for w in re.split(r"\W+|_", c) if len(w) > 3])]
    about = about or (known if len(known) == 1 and not s.metrics else [])
    return "drop_constraint", {"text": about[0] if len(about) == 1 else None}


def _mentions(said: str, words: list[str]) -> bool:
    return any(re.search(rf"\b{re.escape(word)}", said, re.I) for word in words)


def add_constraint(s: Sentence) -> Found | None:
    """Such as "latency_ms must stay below 50", "width must be divisible by heads"."""
    told = _statement(s)
    if told is None:
        return None
    names = re.findall(r"[A-Za-z_]\w*", told)
    mine = [p.name for p in s.parameters]
    explicit = s.has(_CONSTRAINT) and s.has(r"add|new|put|introduce|impose|füge|set|with|require")
    stated = explicit and s.has("constraints?|bedingung|requirement|relation")
    if "%" not in told and len(names) == 1 and names[0] in mine and not stated:
        return None  # a bound on one parameter is a narrower range
    if (
        not any(n in mine or n in s.names.metrics or "_" in n for n in names)
        and not explicit
        and not s.has(
            r"must|has\s+to|have\s+to|needs?\s+to|require|ensure|make\s+sure|should|muss|"
            r"soll|darf|keep|stay"
        )
    ):
        return None
    if s.has(r"budget|cost|trials?|hours?") and not s.has(_CONSTRAINT):
        return None
    return "add_constraint", {"text": _known_metric(s, told)}


def _known_metric(s: Sentence, told: str) -> str:
    """The statement with a metric's own name where one of its words was said ("latency" for latency_ms)."""
    m = re.match(r"([A-Za-z]\w*)(\s*(?:<=|>=)\s*.+)", told)
    if m is None or m[1] in s.names.metrics or any(p.name == m[1] for p in s.names.parameters):
        return told
    close = [n for n in s.names.metrics if m[1].lower() in n.lower().split("_")]
    return f"{close[0]}{m[2]}" if len(close) == 1 else told
