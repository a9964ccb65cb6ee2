from decimal import Decimal

from tunewright.export.calls import Call, Item, made, names


def test_the_code_of_a_call_says_what_is_made() -> None:
    call = Call("fractions", "Fraction", (3, 4))
    assert repr(call) == "Fraction(3, 4)"
    assert made({"a": [call]})["a"][0] * 4 == 3


def test_calls_nest_are_looked_up_and_may_go_on() -> None:
    half = Call("decimal", "Decimal", ("-0.5",), then="copy_abs")
    assert repr(half) == "Decimal('-0.5').copy_abs()"
    assert made(half) == Decimal("0.5")
    both = Call("builtins", "dict", ([["x", Item("owner", "y")]],), {"z": half})
    assert repr(both) == "dict([['x', owner['y']]], z=Decimal('-0.5').copy_abs())"
    assert made(both, owner={"y": 7}) == {"x": 7, "z": Decimal("0.5")}
    assert names([both]) == {"dict", "Decimal"}


def test_a_name_that_code_cannot_say_as_a_keyword() -> None:
    call = Call("builtins", "dict", (), {"lambda": 1})
    assert repr(call) == "dict(**{'lambda': 1})"
    assert made(call) == {"lambda": 1}
