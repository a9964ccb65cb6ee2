"""Cards in YAML files: every error names file and line; the traps of YAML 1.1 stay shut."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.card import TaskCard
from tunewright.card_yaml import read
from tunewright.errors import CardError, SpaceError
from tunewright.space import Choice, Float

GOOD = """\
# digits
goal: Classify digits
metrics:
  - {name: val_accuracy, direction: maximize}
tool: {command: [python, train.py, --lr, "{lr}"]}
space:
  - {name: lr, type: float, low: 1e-5, high: 1e-1, log: true}
  - name: opt
    type: choice
    choices: [on, off, yes]
  - {name: momentum, type: float, low: .1, high: 9E-1, when: {opt: on}}
  - name: batch
    type: int
    low: 16
    high: 256
budget: {trials: 12, seconds_per_trial: 60}
derived: {cost: {batch: 1, lr: -1}}
start: none
"""


def write(folder: Path, text: str | bytes, name: str = "tune.yaml") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def values(folder: Path, text: str) -> dict[str, Any]:
    return read(write(folder, text)).data


def test_a_good_card(tmp_path: Path) -> None:
    card = TaskCard.load(write(tmp_path, GOOD))
    assert card.space["lr"] == Float("lr", 1e-5, 0.1, log=True)
    assert card.space["opt"] == Choice("opt", ["on", "off", "yes"])
    assert card.space["momentum"].when == {"opt": ("on",)}
    assert card.budget.trials == 12
    assert card.tool is not None
    assert card.tool.command == ["python", "train.py", "--lr", "{lr}"]
    assert card.start == "none"
    assert TaskCard.load(str(tmp_path / "tune.yaml")) == card


def test_a_space_may_be_a_mapping(tmp_path: Path) -> None:
    text = """\
goal: g
metric: loss
direction: minimize
space:
  lr: {type: float, low: 1e-5, high: 0.1, log: true}
  width: {type: int, low: 1, high: 8}
"""
    assert TaskCard.load(write(tmp_path, text)).space.names == ("lr", "width")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("-1e+5", -1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.5e3", 1500.0),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("0", 0),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("12:30", "12:30"),
        ("2024-01-02", "2024-01-02"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("OFF", "OFF"),
        ("y", "y"),
        ("none", "none"),
        ("None", "None"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ('"1e-5"', "1e-5"),
        ("'true'", "true"),
        ("=", "="),
        ("1e", "1e"),
        ("e5", "e5"),
        ("-", None),
        ("1.2.3", "1.2.3"),
        ("sgd", "sgd"),
        ("1 # note", 1),
        ("9" * 30, int("9" * 30)),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    if text == "-":
        assert values(tmp_path, "a:\n-\n") == {"a": [None]}
        return
    found = values(tmp_path, f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


# (text, line, what the message says, what the hint says)
BROKEN: list[tuple[str, int, str, str]] = [
    ("goal: a\ngoal: b\n", 2, "'goal' is there twice (first on line 1)", "keep one"),
    ("a: {b: 1,\n  b: 2}\n", 2, "'b' is there twice", "keep one"),
    ("a: 1\n\tb: 2\n", 2, "", "tab"),
    ("a:\n\tb: 2\n", 2, "", "tab"),
    ("a: [1, 2\nb: 3\n", 2, "", "brackets"),
    ("a: b: c\n", 1, "mapping values are not allowed", "the line is 'a: b: c'"),
    ("a: 'x\n\n", 1, "quoted scalar, found unexpected end", "quotes"),
    ("a:\n  b: 1\n c: 2\n", 3, "", "indentation"),
    ("a: @x\n", 1, "cannot start any token", "quotes"),
    ("- a\n- b\n", 1, "the file holds a list", "keys with values"),
    ("# note\nword\n", 2, "the single value 'word'", "keys with values"),
    ("a: 1\n---\nb: 2\n", 2, "single document", "line is '---'"),
    ("a: .inf\n", 1, ".inf is not a finite number", "finite"),
    ("a: -.Inf\n", 1, "-.Inf is not a finite number", "finite"),
    ("a: .nan\n", 1, ".nan is not a finite number", "finite"),
    ("a: 1\nb: 1e999\n", 2, "1e999 is not a finite number", "finite"),
    ("a: " + "9" * 5000 + "\n", 1, "cannot be read", "plain text"),
    ("a: !!python/object/apply:os.system ['true']\n", 1, "python/object", "take the tag"),
    ("a: !!python/name:os.system ''\n", 1, "cannot be read", "plain text"),
    ("a: !!set {x: null}\n", 1, "the tag", "take the tag"),
    ("a: !!timestamp 2024-01-01\n", 1, "cannot be read", "plain text"),
    ("a: !mine x\n", 1, "cannot be read", "plain text"),
    ("a: !!float abc\n", 1, "cannot be read", "plain text"),
    ("a: !!int 1.5\n", 1, "cannot be read", "plain text"),
    ("a: !!bool maybe\n", 1, "cannot be read", "plain text"),
    ("a: &x [*x]\n", 1, "levels", "aliases"),
    ("a: *gone\n", 1, "undefined alias", "line is"),
    ("base: &b {x: 1}\na:\n  <<: *b\n", 3, "merge keys", "write the keys out"),
    ("1: a\n", 1, "the key 1 is not text", 'write "1" in quotes'),
    ("a:\n  true: b\n", 2, "the key true is not text", "quotes"),
    ("? [a, b]\n: c\n", 1, "a key is not text", "quotes"),
    ("a: {{lr}}\n", 1, "a key is not text", "placeholders"),
    ("{lr}: 1\n", 1, "a key is not text", "placeholders"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), BROKEN, ids=lambda v: repr(v)[:30])
def test_broken_yaml_names_file_and_line(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(CardError) as caught:
        read(file)
    assert caught.value.message.startswith(f"{file}:{line}: ")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.message) < 400 + len(str(file))


@pytest.mark.parametrize(
    ("old", "new", "line", "kind", "message"),
    [
        ("goal: Classify digits", "gaol: x", 2, CardError, "gaol: there is no key 'gaol'"),
        ("goal: Classify digits\n", "", 2, CardError, "no goal"),
        ("direction: maximize", "direction: maximise", 4, CardError, "metrics[0].direction is 'maximise'"),
        ("name: val_accuracy", "name: batch", 4, CardError, "metrics[0]: the metric 'batch'"),
        ("low: 1e-5", "low: 0", 7, SpaceError, "space[0]: 'lr' has log: true and low 0"),
        ("log: true}", "log: yes}", 7, SpaceError, "log of 'lr' is 'yes'"),
        ("choices: [on", "chioces: [on", 10, SpaceError, "space[1].chioces"),
        ("type: choice", "type: chioce", 9, SpaceError, "space[1].type"),
        ("    high: 256", "    high: 8", 12, SpaceError, "space[3]: 'batch' has low 16 and high 8"),
        ("when: {opt: on}", "when: {opt: of}", 11, SpaceError, "space[2].when.opt: 'momentum'"),
        ("when: {opt: on}", "when: {optt: on}", 11, SpaceError, "space[2].when.optt: 'momentum' depends on 'optt'"),
        ("name: batch", "name: lr", 12, SpaceError, "space[3].name: the parameter 'lr' is there twice"),
        ("trials: 12", "trials: '12'", 16, CardError, "budget.trials is '12'"),
        ("{batch: 1", "{bacth: 1", 17, CardError, "derived.cost.bacth"),
        ("start: none", "start: null", 18, CardError, "start is None"),
        ("start: none", "relations:\n  - lr < 1\n  - lr <", 20, SpaceError, "relations[1]"),
        ("start: none", "name: a/b", 18, CardError, "name is 'a/b'"),
        ('"{lr}"', "{lr}", 5, CardError, "tool.command[3] is {'lr': None}"),
    ],
)
def test_faults_of_the_card_name_the_line(
    tmp_path: Path, old: str, new: str, line: int, kind: type[CardError], message: str
) -> None:
    assert GOOD.count(old) == 1
    file = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(CardError) as caught:
        TaskCard.load(file)
    assert type(caught.value) is kind
    assert caught.value.message.startswith(f"{file}:{line}: ")
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "\n\n", "# only a note\n", "---\n", "null\n"])
def test_empty_files(tmp_path: Path, text: str) -> None:
    with pytest.raises(CardError, match=r"is empty|holds the single value") as caught:
        read(write(tmp_path, text))
    assert "goal" in caught.value.hint


def test_a_missing_file_and_one_that_is_near(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(CardError, match=r"there is no file .*tune.yml") as caught:
        read(tmp_path / "tune.yml")
    assert "did you mean 'tune.yaml'?" in caught.value.hint
    (tmp_path / "train.py").write_text("import torch\nfor epoch in range(3):\n    print(epoch)\n")
    with pytest.raises(CardError, match=r"train.py is a script, and no card") as caught:
        read(tmp_path / "train.py")
    assert caught.value.hint == f"`tunewright init {tmp_path / 'train.py'}` writes a card for it"
    with pytest.raises(CardError, match="there is no file") as caught:
        read(tmp_path / "nowhere" / "a.yaml")
    assert "give the path" in caught.value.hint
    with pytest.raises(CardError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"tune.yaml:2: byte 0xff is not UTF-8"):
        read(write(tmp_path, b"a: 1\nb: \xff\n"))
    with pytest.raises(CardError, match=r"tune.yaml:2: character 0x0 is not text"):
        read(write(tmp_path, b"a: 1\nb: \x00\n"))
    assert read(write(tmp_path, b"\xef\xbb\xbfa: \xc3\xa9\r\nb: 1\r\n")).data == {"a": "é", "b": 1}


def test_bombs_are_refused(tmp_path: Path) -> None:  # unfolded they would take hours
    aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    for text in (aliases, "a: " + "[" * 5000 + "]" * 5000, "a: " + "{b: " * 60 + "1" + "}" * 60, "a: " + "x" * 300_000):
        with pytest.raises(CardError) as caught:
            read(write(tmp_path, text))
        assert caught.value.hint
        assert len(str(caught.value)) < 1000


def test_a_modest_alias_is_fine(tmp_path: Path) -> None:
    assert values(tmp_path, "a: &x {k: 1}\nb: *x\n") == {"a": {"k": 1}, "b": {"k": 1}}


def test_where_falls_back_to_the_nearest_key(tmp_path: Path) -> None:
    file = write(tmp_path, "\na:\n  b:\n    - 1\n    - c: 2\n")
    document = read(file)
    assert document.where(("a", "b", 1, "c")) == f"{file}:5"
    assert document.where(("a", "b", 1, "zz", 3)) == f"{file}:5"
    assert document.where(("zz",)) == f"{file}:2"
    assert document.where(()) == f"{file}:2"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab:-[]{}\"'&*!|>#%@`\n\t 1.e?,<=~", max_size=40))
def test_any_text_is_a_mapping_or_a_card_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = write(tmp_path_factory.getbasetemp(), text, "any.yaml")
    try:
        document = read(file)
    except CardError as e:
        hint = e.hint
    else:
        assert isinstance(document.data, dict)
        return
    assert hint
