"""Numbers as people write them (words, thousands, units, ranges), made into plain digits; English and German."""

import re

_ONES = {
    "zero": 0,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "null": 0,
    "zwei": 2,
    "drei": 3,
    "vier": 4,
    "fünf": 5,
    "sechs": 6,
    "sieben": 7,
    "acht": 8,
    "neun": 9,
    "zehn": 10,
    "elf": 11,
    "zwölf": 12,
    "dreizehn": 13,
    "vierzehn": 14,
    "fünfzehn": 15,
    "sechzehn": 16,
    "siebzehn": 17,
    "achtzehn": 18,
    "neunzehn": 19,
}
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "zwanzig": 20,
    "dreißig": 30,
    "dreissig": 30,
    "vierzig": 40,
    "fünfzig": 50,
    "sechzig": 60,
    "siebzig": 70,
    "achtzig": 80,
    "neunzig": 90,
}
_GERMAN_ONES = {"ein": 1, **{w: n for w, n in _ONES.items() if 1 < n < 10}}
_GERMAN_PAIR = re.compile(rf"\b({'|'.join(_GERMAN_ONES)})und({'|'.join(_TENS)})\b", re.I)
_PAIR = re.compile(rf"\b({'|'.join(_TENS)})[- ](one|{'|'.join(w for w, n in _ONES.items() if 1 < n < 10)})\b", re.I)
_WORD = re.compile(rf"\b({'|'.join({**_ONES, **_TENS})})\b", re.I)
_HUNDRED = re.compile(
    r"\b(?:(\d+)|an?|one|ein)?\s*(hundred|hundert|thousand|tausend)\b(?:\s*(?:and|"
    r"und)?\s*(\d{1,2})\b)?",
    re.I,
)
# "one" and "a" count only before what can be counted: "the best one" holds no number
_COUNTED = (
    r"(?:more|further|additional|extra|single|trials?|runs?|experiments?|workers?|"
    r"hours?|minutes?|dollars?|points?|lines?)"
)
_ONE = re.compile(rf"\b(?:one|an?|another|just one)\s+(?=(?:{_COUNTED}\s+)*{_COUNTED}\b)", re.I)
_EIN = re.compile(
    r"\b(?:eine[nmrs]?|ein)\s+(?=(?:weitere[nrs]?\s+)?(?:versuch|lauf|stunde|minute|"
    r"durchlauf|zeile)\b)",
    re.I,
)
_SPECIAL = (
    (r"\bhalf\s+an?\s+hour\b|\b(?:eine\s+)?halbe\s+stunde\b", "30 minutes"),
    (r"\ban?\s+hour\s+and\s+a\s+half\b|\banderthalb\s+stunden\b|\beineinhalb\s+stunden\b", "1.5 hours"),
    (r"\b(?:a\s+)?half\s+a\s+dozen\b|\bein\s+halbes\s+dutzend\b", "6"),
    (r"\b(?:an?other|an?)\s+dozen\b|\b(?:ein\s+)?dutzend\b|\bdozen\b", "12"),
    (r"\b(?:a\s+couple(?:\s+of)?|a\s+pair\s+of|ein\s+paar\s+von)\b", "2"),
)
NUMBER = r"(?<![\w‹.-])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?(?![\w›]|\.\d)"
"""A number as `digits` leaves it; nothing inside a name, a placeholder or another number."""


def digits(text: str) -> str:
    """The text with every number in digits, as Python writes it, and ranges with "to" between their ends.

    "twenty five" is 25, "1,000" 1000, "5k" 5000, "30%" 0.3, "10^-4" 1e-4, "0,3" 0.3, "half an hour" 30 minutes.
    """
    for pattern, made in _SPECIAL:
        text = re.sub(pattern, made, text, flags=re.I)
    text = _GERMAN_PAIR.sub(lambda m: str(_TENS[m[2].lower()] + _GERMAN_ONES[m[1].lower()]), text)
    text = _PAIR.sub(lambda m: str(_TENS[m[1].lower()] + _ONES.get(m[2].lower(), 1)), text)
    text = _WORD.sub(lambda m: str({**_ONES, **_TENS}[m[1].lower()]), text)
    text = _HUNDRED.sub(_hundreds, text)
    text = _EIN.sub("1 ", _ONE.sub("1 ", text))
    text = re.sub(r"(?<![\w.,])(\d{1,3})((?:,\d{3})+)(?![\w,]|\.\d)", lambda m: m[1] + m[2].replace(",", ""), text)
    text = re.sub(r"(?<![\w.,])(\d+),(\d+)(?![\w,])", _decimal_comma, text)
    text = re.sub(r"(?<![\w.])(?:(\d+(?:\.\d+)?)\s*[*x×·]\s*)?10\s*(?:\^|\*\*)\s*\(?([-+]?\d+)\)?", _power, text)
    text = re.sub(r"(?<=\d)\s*(?:\.\.\.?|…|–|—)\s*(?=[\d.])", " to ", text)
    text = re.sub(rf"({NUMBER})\s?-\s?(?=[\d.])", r"\1 to ", text, flags=re.I)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)\s*k\b", lambda m: _shortest(1000 * float(m[1])), text, flags=re.I)
    text = re.sub(r"(?<![\w‹.])(\d+(?:\.\d+)?)\s*(?:%|percent\b|prozent\b)", _share, text, flags=re.I)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)(ms|s|sec|min|mins|h|hrs?|usd|gb|mb)\b", r"\1 \2", text, flags=re.I)
    return re.sub(r"\$\s*(\d+(?:\.\d+)?)", r"\1 usd", text)


def number(text: str) -> int | float:
    """The number that such a text holds: whole where it is written whole."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _shortest(value: float) -> str:
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)


def _hundreds(m: re.Match[str]) -> str:
    base = 100 if m[2].lower() in ("hundred", "hundert") else 1000
    return str(int(m[1] or 1) * base + int(m[3] or 0))


def _decimal_comma(m: re.Match[str]) -> str:
    # "16,64" are two numbers, "0,3" is one: only a zero before the comma is sure
    return f"{m[1]}.{m[2]}" if int(m[1]) == 0 else f"{m[1]}, {m[2]}"


def _power(m: re.Match[str]) -> str:
    return f"{m[1] or 1}e{int(m[2])}"


def _share(m: re.Match[str]) -> str:
    return repr(round(float(m[1]) / 100, 12))
