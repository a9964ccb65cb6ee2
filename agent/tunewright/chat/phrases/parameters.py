"""Rules for one parameter: pin, unpin, narrow, widen; and for a configuration of one's own."""

import re
from typing import Any

from tunewright.chat.naming import Sentence
from tunewright.chat.phrases.bounds import LOWER, UPPER
from tunewright.chat.phrases.words import Found, is_choice, numbers_in, parameter_of
from tunewright.chat.quantities import NUMBER, number
from tunewright.parameter import Parameter

_EXCLUDE = (
    r"(?:don'?t|do\s+not|never|no\s+longer|stop|nicht\s+mehr|kein\w*)\s+(?:use|using|"
    r"try|trying|consider|search|test|run|nutze\w*|probier\w*)|exclude|rule\s+out|"
    r"leave\s+out|without|drop|skip|remove|no\s+more|except|all\s+but|everything\s+but|"
    r"ausschließen|schließe|ohne|get\s+rid\s+of|eliminate|forget"
)


def excluded(s: Sentence) -> bool:
    """Whether values of a choice are ruled out: there a negation belongs to the command."""
    behind = r"(?:leave|throw|kick|take|lass\w*|nimm)\s+‹v\d+›.*\s(?:out|away|off|weg|raus|aus)"
    return bool(s.values) and bool(s.has(rf"(?:{_EXCLUDE})\b[^.]*‹v\d+›") or s.has(behind))


_FREE = (
    r"unpin|un-pin|unfreeze|unfix|unlock|release|free(?:\s+up)?|loosen|let\s+go|stop\s+(?:pinning|"
    r"fixing|holding|freezing)|no\s+longer\s+(?:pin|fix|hold|freeze)|"
    r"(?:vary|varies|move|float|change|search(?:ed)?|tune[d]?|explore[d]?|sample[d]?|"
    r"open)\b.*\bagain|again\s+(?:vary|search|tune)|let\b.*\b(?:vary|float|move|roam|"
    r"loose|free)|"
    r"(?:pin|fix|hold|freeze)\b.*\b(?:any\s*more|anymore|no\s+longer)|freigeben|gib\b.*\bfrei|"
    r"löse|wieder\s+(?:variieren|frei|suchen)|lass\b.*\bvariieren|make\b.*\bfree|"
    r"(?:remove|lift|drop)\s+(?:the\s+)?pin|vary\s+freely"
)


def unpin(s: Sentence) -> Found | None:
    """Such as "let batch_size vary again"."""
    p = parameter_of(s)
    if not s.has(_FREE) or (numbers_in(s.text) and not s.has(r"unpin|unfreeze|release")):
        return None
    if s.values and len(s.parameters) == 0 and not s.has(r"unpin|unfreeze"):
        return None
    if p is None and not s.has(r"unpin|unfreeze|unfix"):
        return None
    return "unpin", {"parameter": None if p is None else p.name}


def one_end(s: Sentence) -> Found | None:
    """Such as "raise the upper bound of dropout to 0.6": which end moves, and to which side, names the verb."""
    p = parameter_of(s)
    values = numbers_in(s.text)
    if p is None or is_choice(p) or len(values) != 1:
        return None
    up = s.has(r"raise|increase|lift|move\s+up|push\s+up|erhöhe|heb\w*|bump")
    down = s.has(
        r"(?:^|(?<=\s))lower(?=\s+(?:the|its|‹p))|reduce|decrease|move\s+down|push\s+down|"
        r"senke|verringere|drop|bring\s+down"
    )
    upper = s.has(
        r"(?:upper|top|maximum|max|obere\w*|high(?:er|est)?)(?:\s+(?:bound|limit|end|"
        r"value|grenze))?|ceiling|obergrenze|cap"
    )
    lower = s.has(
        r"(?:(?<!the )lower(?!\s+the)|the\s+lower|bottom|minimum|min|untere\w*|lowest)\s*(?:bound|"
        r"limit|end|value|grenze)|floor|untergrenze|minimum"
    )
    if bool(up) == bool(down) or bool(upper) == bool(lower):
        return None
    verb = "widen" if bool(up) == bool(upper) else "narrow"
    return verb, {"parameter": p.name, "high" if upper else "low": values[0]}


_NARROWS = (
    r"narrow|restrict|limit|constrain|tighten|confine|shrink|reduce|only|just|focus|"
    r"zoom|beschränk\w*|eng\w*|begrenz\w*|nur|cap|clip|cut"
)
_WIDENS = (
    r"widen|wider|extend|expand|broaden|enlarge|stretch|open\s+up|allow|let|go\s+(?:up|"
    r"down)|permit|erweiter\w*|vergrößer\w*|bigger|larger|loosen|relax|as\s+(?:high|"
    r"low|far|small|large|big)\s+as"
)
_RANGES = r"between|from|range|search|to|zwischen|von|explore|try|stay|keep|within|in"


def _ends(s: Sentence) -> tuple[int | float, int | float] | None:
    m = re.search(rf"({NUMBER})\s*(?:to|and|bis|und|,|through|up\s+to|till|until)\s*({NUMBER})", s.text, re.I)
    return (number(m[1]), number(m[2])) if m else None


def range_of(s: Sentence) -> Found | None:
    """Bounds of a numeric parameter, one or both."""
    p = parameter_of(s)
    if p is None or is_choice(p):
        return None
    ends, values = _ends(s), numbers_in(s.text)
    widening = s.has(_WIDENS) is not None and not s.has(r"narrow|restrict|tighten")
    if ends is not None and len(values) == 2 and (s.has(_NARROWS) or widening or s.has(_RANGES)):
        low, high = min(ends), max(ends)
        if widening or (not s.has(r"narrow|restrict|tighten|limit") and _outside(p, low, high)):
            return "widen", {"parameter": p.name, "low": low, "high": high}
        return "narrow", {"parameter": p.name, "low": low, "high": high}
    if len(values) != 1:
        return None
    value = values[0]
    if widening:
        if s.has(r"down|as\s+low|as\s+small|lower|smaller|at\s+least|from|bis\s+runter|hinunter|unten|below|under"):
            return "widen", {"parameter": p.name, "low": value}
        if s.has(
            r"up|as\s+high|as\s+far|higher|larger|bigger|at\s+most|max|bis|to|above|beyond|"
            r"hinauf|oben|over|until"
        ):
            return "widen", {"parameter": p.name, "high": value}
    if s.has(UPPER) or (s.has(r"up\s+to") and s.has(_NARROWS)) or s.has(r"cap") or s.has(r"values?\s+up\s+to"):
        return _one_sided(p, "high", value)
    if s.has(LOWER) or s.has(r"(?:start|begin)\w*\s+(?:at|from)"):
        return _one_sided(p, "low", value)
    return None


def _one_sided(p: Parameter, key: str, value: int | float) -> Found:
    return "narrow", {"parameter": p.name, key: value}


def _outside(p: Parameter, low: int | float, high: int | float) -> bool:
    own_low, own_high = getattr(p, "low", low), getattr(p, "high", high)
    return bool(low <= own_low and high >= own_high and (low, high) != (own_low, own_high))


def choices(s: Sentence) -> Found | None:
    """Values of a choice to keep, or to leave out."""
    p = parameter_of(s)
    if p is None or not is_choice(p) or not s.values:
        return None
    own = [v for owner, v in s.values if owner.name == p.name]
    if excluded(s):
        kept = [c for c in getattr(p, "choices", ()) if c not in own]
        return ("narrow", {"parameter": p.name, "values": kept}) if kept else None
    in_order = [s.values[int(i)][1] for i in re.findall(r"‹v(\d+)›", s.text)]
    own = [v for v in dict.fromkeys(in_order) if v in own]
    if len(own) > 1 and s.has(
        rf"{_NARROWS}|keep|choose|stick|use|try|search|between|consider|halte|teste\w*|"
        rf"probier\w*|behalte"
    ):
        return "narrow", {"parameter": p.name, "values": own}
    if len(own) == 1 and s.has(rf"{_PINS}|{_NARROWS}"):
        return "pin", {"parameter": p.name, "value": own[0]}
    return None


_PINS = (
    r"pin|fix(?:ed)?|pinned|held|frozen|locked|freeze|hold|keep|set|lock|stick|leave|stay|always|force|nail|clamp|"
    r"hardcode|hard-code|only|use|halte|halt|fixier\w*|setz\w*|leg\w*|bleib\w*|festhalten|"
    r"behalte|nimm|nutze|immer|make|lass|go\s+with"
)


def pin(s: Sentence) -> Found | None:
    """Such as "keep batch size at 64"."""
    p = parameter_of(s)
    if p is None or not s.has(_PINS) or len(s.parameters) > 1:
        return None
    if is_choice(p):
        word = re.search(r"(?:to|at|on|with|=|auf|bei|as|use)\s+[\"'`]?([\w.+-]+)[\"'`]?$", s.text, re.I)
        value = next((c for c in getattr(p, "choices", ()) if word and str(c).lower() == word[1].lower()), None)
        return ("pin", {"parameter": p.name, "value": value}) if word or s.has(r"pin|fix|freeze|lock") else None
    values = numbers_in(s.text)
    if len(values) == 1:
        return "pin", {"parameter": p.name, "value": values[0]}
    told = s.has(r"pin|fix|freeze|lock|fixier\w*") and not values
    return ("pin", {"parameter": p.name, "value": None}) if told else None


def enqueue_trial(s: Sentence) -> Found | None:
    """Such as "try lr 0.01 with batch size 64": at least two values, or said to be put in line."""
    if (
        not s.has(
            r"try|enqueue|queue|test|probier\w*|teste\w*|line\s+up|schedule|put\s+in\s+line|"
            r"stell\w*"
        )
        or not s.parameters
    ):
        return None
    pairs: dict[str, Any] = {}
    for m in re.finditer(rf"‹p(\d+)›\s*(?:=|:|of|at|to|is|auf|bei|von)?\s*({NUMBER}|‹v\d+›|true|false)", s.text, re.I):
        pairs[s.parameters[int(m[1])].name] = _told(s, m[2])
    if len(pairs) < len(s.parameters) or not (len(pairs) > 1 or s.has(r"enqueue|queue|put\s+in\s+line|line\s+up")):
        return None
    loose = {owner.name: v for owner, v in s.values if owner.name not in pairs}
    return "enqueue_trial", {"config": {**pairs, **loose}}


def _told(s: Sentence, text: str) -> Any:
    if text.startswith("‹v"):
        return s.values[int(text[2:-1])][1]
    return text.lower() == "true" if text.lower() in ("true", "false") else number(text)
