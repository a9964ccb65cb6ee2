import pytest
from toy import card

from tunewright.card import TaskCard
from tunewright.card_earlier import EarlierCard
from tunewright.errors import CardError


@pytest.mark.parametrize(
    ("text", "fields", "name"),
    [
        ("past.csv", {"csv": "past.csv"}, "past.csv"),
        ("sqlite:///old.db", {"storage": "sqlite:///old.db"}, "sqlite:///old.db"),
        ("resnet@sqlite:///old.db", {"storage": "sqlite:///old.db", "study": "resnet"}, "resnet@sqlite:///old.db"),
        ("postgresql://me@host/db", {"storage": "postgresql://me@host/db"}, "postgresql://me@host/db"),
        (
            "resnet@postgresql://me@host/db",
            {"storage": "postgresql://me@host/db", "study": "resnet"},
            "resnet@postgresql://me@host/db",
        ),
        ("runs@home/past.csv", {"csv": "runs@home/past.csv"}, "runs@home/past.csv"),
    ],
)
def test_a_short_text_names_a_source(text, fields, name):
    assert EarlierCard.of(text) == EarlierCard(**fields)
    assert EarlierCard.of(text).name == name


def test_the_card_keeps_its_sources():
    made = card(earlier=["past.csv", {"storage": "sqlite:///old.db", "study": "a", "assume": {"depth": 3}}])
    assert TaskCard.from_json(made.to_json()) == made
    assert made.earlier[1].assume == {"depth": 3}
    assert "earlier" not in card().to_json()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("past.csv", "earlier is 'past.csv'"),
        ([{"csv": "a.csv", "storage": "sqlite:///b.db"}], r"earlier\[0\]: a source of earlier trials has both"),
        ([{}], "neither csv nor storage"),
        ([{"csv": "a.csv", "study": "b"}], r"earlier\[0\].study"),
        ([{"cvs": "a.csv"}], "there is no key 'cvs'"),
        ([3], r"earlier\[0\]: 3 is no source"),
        ([{"storage": "postgresql://me:secret@host/db"}], "storage holds a password"),
        (["postgresql://me:secret@host/db"], "storage holds a password"),
        (["postgresql://me:secr/secret@host/db"], "storage holds a password"),
        (["postgresql://me@server:secret@host/db"], "storage holds a password"),
        (["resnet@postgresql://host/db?user=me&password=secret"], "storage holds a password"),
    ],
)
def test_what_is_no_source_is_refused_where_it_stands(given, said):
    with pytest.raises(CardError, match=said) as e:
        card(earlier=given)
    assert "secret" not in str(e.value)
