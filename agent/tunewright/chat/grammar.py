"""A small grammar of plain sentences, English and German: a sentence to a verb with its arguments, or to nothing.

It calls nothing when it is unsure: a negated, taken back, conditional or twofold sentence gets its possible meanings
back instead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tunewright.chat import phrases
from tunewright.chat.naming import Names, Sentence, marked
from tunewright.chat.phrases.bounds import bounds_said
from tunewright.chat.phrases.parameters import excluded
from tunewright.chat.phrases.words import GENTLY, NOUN_OF, Found, spelled
from tunewright.chat.quantities import NUMBER, number

LOOKS = {
    *("show_best", "show_study", "show_trial", "show_curve", "show_log", "why_trial", "compare_trials"),
    *("parameter_importance", "estimate_cost", "list_studies", "look_at_script", "wait_for_run"),
}
"""Verbs that only read: a wrong guess costs nothing."""
_LONGEST = 400
_SIGNS = str.maketrans({"’": "'", "‘": "'", "‹": "<", "›": ">"})  # ‹ and › mark names from here on
_SEVERAL = "it asks for several things at once; say one at a time"


@dataclass(frozen=True)
class Meant:
    """What a sentence stands for."""

    verb: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    """Why nothing is called."""
    could: tuple[Found, ...] = ()
    """What it could have meant."""


_POLITE = re.compile(
    r"^(?:(?:please|bitte|pls|ok|okay|hey|hi|hello|hallo|well|so|now|then|great|good|"
    r"fine|cool|thanks|danke|and|und|also|"
    r"alright|actually|jetzt|dann)\b[\s,!.:-]*"
    r"|(?:can|could|would|will)\s+you\s+(?:please\s+)?|kannst\s+du\s+(?:bitte\s+)?|könntest\s+du\s+(?:bitte\s+)?"
    r"|i(?:'d|\s+would)\s+like\s+(?:you\s+)?to\s+|i\s+want\s+(?:you\s+)?to\s+|i\s+need\s+(?:you\s+)?to\s+|"
    r"let'?s\s+|lets\s+"
    r"|ich\s+(?:möchte|will|würde\s+gern)\s+|lass\s+uns\s+|go\s+ahead\s+and\s+|feel\s+free\s+to\s+)+",
    re.I,
)
_TAIL = re.compile(
    r"[\s,]*\b(?:please|bitte|pls|thanks|thank you|danke|for me|mal|would you|will you|"
    r"ok|okay)\b\W*$",
    re.I,
)
_MARKER = re.compile(
    r"(?:[,;.!?]|\s[-–—]+|…|\.\.\.|^)?\s*\b(?:no[,\s]+wait|oh\s+wait|wait[,\s]+no|"
    r"(?<=[,.;!?–—-] )wait|nein[,\s]+(?:warte|halt|doch)|"
    r"hold\s+on|hang\s+on|i\s+meant?(?:\s+to\s+say)?|i\s+mean|ich\s+mein(?:t)?e|sorry|scratch\s+that|correction|"
    r"on\s+second\s+thoughts?|or\s+rather|rather(?!\s+than)|make\s+(?:it|that)|mach(?:e)?\s+(?:daraus|lieber)|"
    r"doch\s+lieber|lieber|besser\s+gesagt|moment|quatsch|actually|(?<=[,.;!?–—-] )(?:no|"
    r"nein|nope|nah)(?!\s+(?:more|less|longer|higher|lower|later)))\b"
    r"[\s,:.!–—-]*",
    re.I,
)
_TAKEN_BACK = re.compile(
    r"^(?:please\s+|bitte\s+|just\s+|let'?s\s+|lieber\s+|doch\s+)*(?:do\s?n['o]?t|"
    r"don'?t|do\s+not|never\s*mind|forget\b.*|cancel(?:\s+(?:it|that))?|"
    r"leave\s+(?:it|that|them)\b.*|skip\s+(?:it|that)|not(?:hing)?\b.*|keep\s+going|"
    r"carry\s+on|no|nein|nicht\b.*|doch\s+nicht|"
    r"vergiss\b.*|lass\s+(?:es|das|mal)\b.*|kein\w*\b.*|better\s+not|hold\s+off|weiter(?:machen)?|never|ignore\s+that|"
    r"drop\s+(?:it|that)|don'?t\s+.*|do\s+not\s+.*)\W*$",
    re.I,
)
_WITHDRAWN = re.compile(
    r"(?:never\s*mind|forget\s+(?:it|that|about\s+it)|scratch\s+that|cancel\s+that|"
    r"just\s+kidding|\bnah\b|vergiss\s+(?:es|das)|"
    r"doch\s+nicht|lieber\s+nicht|ignore\s+that|strike\s+that|,\s*not\b|\bno,?\s+(?:don'?t|do\s+not))\W*$",
    re.I,
)
_NOT = (
    r"do\s?n['’]?t|don'?t|do\s+not|does\s+not|doesn'?t|never|must\s+not|mustn'?t|"
    r"should\s+not|shouldn'?t|cannot|can'?t|not|"
    r"nicht|nie|niemals|kein\w*|no\s+need|avoid|refrain|won'?t|will\s+not|wouldn'?t|hold\s+off|neither"
)
_ASKS_ADVICE = (
    r"should\s+(?:i|we)|shall\s+(?:i|we)|soll(?:te|ten|en)?\s+(?:ich|wir)|what\s+if|"
    r"would\s+it|is\s+it\s+(?:worth|wise|ok)|do\s+you\s+think|"
    r"was\s+wäre|wie\s+wäre|maybe|perhaps|possibly|vielleicht|eventuell|how\s+about|"
    r"what\s+about|does\s+it\s+make\s+sense|may\s+i|is\s+it\s+possible|how\s+(?:do|"
    r"can|would)\s+(?:i|we|you)|wie\s+kann"
)
_LATER = (
    r"if|unless|whenever|when|once\s+(?:it|the|this|that|all)|as\s+soon\s+as|until|"
    r"till|wenn|falls|sobald|sofern|bis\s+(?:es|der|die|das)|"
    r"tomorrow|tonight|later|overnight|at\s+\d{1,2}(?::\d\d)?\s*(?:am|pm|o'?clock)|"
    r"morgen|später|heute\s+nacht|in\s+an?\s+(?:hour|minute)"
)


def understand(said: str, names: Names | None = None) -> Meant:
    """The call that a sentence stands for; none, with the reason, where that is not sure.

    Args:
        said: the sentence.
        names: what it may speak of.
    """
    names = names or Names()
    text = " ".join(said.translate(_SIGNS).split()).strip()
    if not text or len(text) > _LONGEST:
        return Meant(None, why="nothing was said" if not text else f"it is longer than {_LONGEST} characters")
    head, tail = _corrected(text)
    if tail is None:
        withdrawn = _WITHDRAWN.search(text)
        return _nothing(text[: withdrawn.start()], names, "it was taken back") if withdrawn else _reading(head, names)
    if _TAKEN_BACK.match(tail) or _WITHDRAWN.search(tail):
        return _nothing(head, names, "it was taken back")
    return _amended(head, tail, names)


# -- corrections -------------------------------------------------------------------------------------------------


def _corrected(text: str) -> tuple[str, str | None]:
    """What was said first, and what corrects it: behind the last mark of a correction."""
    text = _POLITE.sub("", text)
    found = [m for m in _MARKER.finditer(text) if text[: m.start()].strip(" ,.;-") and m.end() > m.start()]
    if not found:
        return text, None
    head, tail = text[: found[0].start()].strip(" ,.;-–—"), text[found[-1].end() :].strip(" ,.;-–—")
    if not tail:
        return text, None
    return head, tail


def _amended(head: str, tail: str, names: Names) -> Meant:
    first, alone = _reading(head, names), _reading(tail, names)
    if alone.verb is not None:
        return alone
    if first.verb is None:
        return Meant(None, why="the correction does not fit what was said before", could=(*alone.could, *first.could))
    said = marked(tail, names)
    amended = _with_value(first, said)
    if amended is not None:
        return amended
    if isinstance(name := first.arguments.get("parameter"), str):  # "no, let it vary again"
        again = _reading(re.sub(r"\b(?:it|that|this|one|sie|ihn|es)\b", name, tail, flags=re.I), names)
        if again.verb is not None:
            return again
    words = head.split()
    for i in range(1, len(words)):  # "pin lr at 0.1, no, dropout at 0.2": the verb still holds
        again = _reading(" ".join([*words[:i], tail]), names)
        if again.verb == first.verb and said.parameters:
            return again
    return Meant(None, why="the correction can be understood in several ways", could=((first.verb, first.arguments),))


def _with_value(first: Meant, said: Sentence) -> Meant | None:
    """The first reading with the one value that the correction names."""
    assert first.verb is not None
    if said.values and set(first.arguments) >= {"value"}:
        return replace(first, arguments={**first.arguments, "value": said.values[0][1]})
    if said.values and "values" in first.arguments:
        return replace(first, arguments={**first.arguments, "values": [v for _, v in said.values]})
    numbers = [number(n) for n in re.findall(NUMBER, said.text, re.I)]
    if len(numbers) != 1 or said.parameters:
        return None
    held = [k for k, v in first.arguments.items() if isinstance(v, int | float) and not isinstance(v, bool)]
    named = [k for k in held if said.has(NOUN_OF.get(k, k))]
    elsewhere = [k for k in NOUN_OF if k not in held and said.has(NOUN_OF[k])]
    if named:
        held = named[:1]
    elif elsewhere and first.verb in ("run_trials", "estimate_cost") and elsewhere[0] == "workers":
        held = ["workers"]
    elif len(held) > 1 and first.verb in LOOKS:
        held = held[-1:]  # what was said last is what is mended
    if len(held) != 1:
        readings = tuple((first.verb, {**first.arguments, k: numbers[0]}) for k in held)
        return Meant(None, why="the correction fits several numbers", could=readings)
    return replace(first, arguments={**first.arguments, held[0]: numbers[0]})


def _nothing(text: str, names: Names, why: str) -> Meant:
    found = _reading(text, names)
    return Meant(None, why=why, could=() if found.verb is None else ((found.verb, found.arguments),))


# -- one sentence ------------------------------------------------------------------------------------------------


def _reading(text: str, names: Names) -> Meant:
    """What one sentence without a correction stands for."""
    text = _TAIL.sub("", _POLITE.sub("", text.strip(" ,.!;")))
    asked = text.rstrip().endswith("?")
    said = _marked(text.rstrip(" ?!.;,"), names)
    found = _found(said)
    if found is None:
        parts = _parts(said)
        return Meant(None, why=_SEVERAL if len(parts) > 1 else _unknown(said), could=parts)
    verb, arguments = found
    if said.doubtful and "parameter" in arguments:
        return Meant(None, why=f"{said.doubtful[0]} fits several parameters", could=(found,))
    for stop in (_negated, _unsure, _twofold):
        why = stop(said, verb, asked)
        if why:
            others = _parts(said) if stop is _twofold else ()
            return Meant(None, why=why, could=others or (found,))
    missing = [key for key, value in arguments.items() if value is None]
    if missing:
        could = ((verb, {k: v for k, v in arguments.items() if v is not None}),)
        return Meant(None, why=f"{phrases.ASKED.get(missing[0], missing[0])} is not clear", could=could)
    return Meant(verb, _of_other_study(said, verb, arguments))


def _marked(text: str, names: Names) -> Sentence:
    said = marked(text, names)
    return replace(said, text=bounds_said(said.text))


def _found(said: Sentence) -> Found | None:
    return next((found for rule in phrases.RULES if (found := rule(said)) is not None), None)


def _of_other_study(said: Sentence, verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the study that was named, where it is not the current one."""
    others = [name for name in said.studies if name != said.names.current]
    if "study" in arguments or len(others) != 1 or verb in phrases.WITHOUT_STUDY:
        return dict(arguments)
    return {**arguments, "study": others[0]}


def _negated(said: Sentence, verb: str, asked: bool) -> str:
    if verb == "narrow" and excluded(said):
        return ""
    if verb == "unpin" and said.has(r"(?:any\s*more|anymore|no\s+longer|nicht\s+(?:mehr|länger))"):
        return ""
    if asked and verb in LOOKS and not re.match(r"(?:do\s+not|don'?t|never|nicht)\b", said.text, re.I):
        return ""
    found = said.has(_NOT)
    return f'"{found[0]}" says that it should not be done' if found else ""


def _unsure(said: Sentence, verb: str, asked: bool) -> str:
    if verb in LOOKS:
        change = said.has(r"delete|remove|erase|wipe|change|edit|modify|overwrite|lösch\w*|entfern\w*|änder\w*")
        return f'nothing that is there can be changed so ("{change[0]}")' if change else ""
    advice = said.has(_ASKS_ADVICE)
    if advice:
        return "it asks for advice, which takes a larger model"
    if verb == "stop_run" and said.has(GENTLY):
        return ""
    later = said.has(_LATER)
    if later and verb not in ("add_constraint",):
        return f'nothing can be planned for later ("{later[0]}")'
    if (
        asked
        and said.has(
            r"(?:did|do|does|is|are|was|were|has|have|had|which|what|why|who|when|where|hat|"
            r"ist|war|wurde)"
        )
        and re.match(
            r"(?:did|do|does|is|are|was|were|has|have|had|which|what|why|who|when|where|hat|"
            r"ist|war|wurde)\b",
            said.text,
            re.I,
        )
    ):
        return "it asks about something and does not tell to do it"
    if re.match(
        r"(?:i|we|you|he|she|they|ich|wir|du|er|sie)\s+(?!want|no\s+longer|need|would|will|can|could|"
        r"may|must|should|möchte|brauche|will|kann|sollte)\w+",
        said.text,
        re.I,
    ):
        return "it tells of something and does not tell to do it"
    return ""


_AND = re.compile(
    r"\s*(?:;|,?\s+(?:and|und)\s+(?:then|also|dann|danach|auch)\b|,?\s+then\b|,?\s+(?:and|"
    r"und|but|aber|sowie|plus)\b|,\s|\.\s)\s*",
    re.I,
)


def _twofold(said: Sentence, verb: str, asked: bool) -> str:
    return _SEVERAL if len(_parts(said)) > 1 else ""


def _parts(said: Sentence) -> tuple[Found, ...]:
    """The different calls that the parts of a sentence stand for by themselves."""
    found: list[Found] = []
    for part in _AND.split(said.text):
        begins = part and re.match(phrases.COMMANDS, part.strip(), re.I)
        one = _found(_marked(spelled(said, part), said.names)) if begins else None
        if one is not None and one not in found and None not in one[1].values():
            found.append(one)
    return tuple(found)


def _unknown(said: Sentence) -> str:
    if said.parameters:
        return f"it names {said.parameters[0].name}, but not what to do with it"
    return "no command is known in these words"
