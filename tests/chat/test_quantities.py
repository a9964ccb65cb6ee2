import re

import pytest

from tunewright.chat.quantities import NUMBER, digits, number


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("run twenty five more", "run 25 more"),
        ("a dozen", "12"),
        ("two hundred and ten", "210"),
        ("a couple of trials", "2 trials"),
        ("another trial", "1 trial"),
        ("fünfundzwanzig Versuche", "25 Versuche"),
        ("noch einen Versuch", "noch 1 Versuch"),
        ("anderthalb Stunden", "1.5 hours"),
        ("1e-4..1e-2", "1e-4 to 1e-2"),
        ("16-512", "16 to 512"),
        ("0.1–0.3", "0.1 to 0.3"),
        ("1,000 trials", "1000 trials"),
        ("16,64", "16, 64"),
        ("0,3", "0.3"),
        ("30%", "0.3"),
        ("5k", "5000"),
        ("3x10^-4", "3e-4"),
        ("half an hour", "30 minutes"),
        ("$5", "5 usd"),
        ("50ms", "50 ms"),
    ],
)
def test_numbers_as_people_write_them(said: str, meant: str) -> None:
    assert digits(said) == meant


@pytest.mark.parametrize("said", ["the best one", "bert-lm-2", "log10", "x1", "someone", "tend to"])
def test_what_is_no_number_stays(said: str) -> None:
    assert digits(said) == said


def test_whole_numbers_stay_whole() -> None:
    assert [number(n) for n in re.findall(NUMBER, "64 0.5 1e-4 -3 x7 ‹p0› 2.")] == [64, 0.5, 1e-4, -3, 2.0]
    assert isinstance(number("64"), int)
