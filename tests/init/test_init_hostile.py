"""Files that are made to hang or to mislead the reader: each ends soon, with an error or with a harmless reading."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripts_here import SCRIPTS, tunable

from tunewright.card import TaskCard
from tunewright.errors import CardError
from tunewright.init import propose, read_script, to_yaml

ARGPARSE = "import argparse\np = argparse.ArgumentParser()\n"


def outcome(file: Path) -> tuple[str, int]:
    """The error's message, if there is one, and the number of options that would be tuned."""
    try:
        return "", len(tunable(read_script(file)))
    except CardError as e:
        return e.message, 0


def doubling(count: int) -> str:
    """Names that each stand for twice the one before."""
    return "a0 = 1\n" + "".join(f"a{i} = a{i - 1} + a{i - 1}\n" for i in range(1, count))


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "-" * 50_000 + "1",
        "x = " + "1+" * 50_000 + "1",
        "print(" + "'a: ' + " * 20_000 + "'')",
        "x = " + "[" * 90 + "]" * 90,
        "f" + "()" * 50_000,
        "f" + ".g" * 50_000 + "()",
        "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 99)) + " " * 99 + "pass\n",
        "x = 1\n" * 40_000,
        "\x00",
        "x = '" + "a" * 600_000 + "'",
    ],
)
def test_a_script_too_deep_or_too_large_ends_soon(tmp_path: Path, text: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(text)
    message, tunable = outcome(script)
    assert "train.py" in message or not tunable


@pytest.mark.parametrize(
    "text",
    [
        doubling(60) + ARGPARSE + "p.add_argument('--x', type=float, default=a59)\n",
        "A = B\nB = A\n" + ARGPARSE + "p.add_argument('--x', type=float, default=A)\n",
        ARGPARSE + "p.add_argument('--x', type=int, default=9**9**9**9)\n",
        ARGPARSE + "p.add_argument('--x', type=int, default=(10**60)**60)\n",
        ARGPARSE + "p.add_argument('--x', type=int, default=1 << 10**9)\n",
        ARGPARSE + "p.add_argument('--x', type=float, default=1e999)\n",
        ARGPARSE + f"p.add_argument('--x', type=int, default={'9' * 4000})\n",
        ARGPARSE + "p.add_argument('--x', type=int, choices=range(10**12), default=3)\n",
        ARGPARSE + "p.add_argument('--x', type=float, default=float('nan'))\n",
    ],
)
def test_a_default_that_would_take_for_ever_is_not_worked_out(tmp_path: Path, text: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(text)
    (option,) = read_script(script).options
    assert option.held_back
    assert option.default is None or abs(option.default) <= 1e12  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\nlr: 0.1\n",
        "a: &a {b: *a}\nlr: 0.1\n",
        "a0: &a0 {x: 1, y: 2}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 30)),
        "x: !!python/object/apply:os.system ['true']\nlr: 0.1\n",
        "{" * 1000,
        "a: " + "[" * 1000 + "]" * 1000,
        f"x: {'9' * 5000}\n",
        "? [1, 2]\n: 3\n",
        "lr: 1:2:3\nd: 2020-01-01\n1: 2\nfalse: 3\n",
        "defaults:\n  - config\n  - {a: {b: c}}\n  - [1]\n  - null\nlr: 0.1\n",
    ],
)
def test_hostile_yaml_ends_soon(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    message, tunable = outcome(file)
    assert "config.yaml" in message or tunable <= 500


def test_texts_of_the_script_stay_data_in_the_card(tmp_path: Path) -> None:
    nasty = "x\\n  - name: evil\\n    type: float # \\u2028 {lr} \\x1b[31m 'quoted' \\\"twice\\\": yes"
    script = tmp_path / "train.py"
    script.write_text(
        f'"""{nasty}"""\n{ARGPARSE}p.add_argument("--lr", type=float, default=0.1, help="{nasty}")\n'
        f'p.add_argument("--kind", choices=["a: b", "- c", "#d", "{{e}}", "yes", "1e3", "~", ""], default="yes")\n'
        f'p.add_argument("--data", default="{nasty}")\n'
        'print(f"loss: {1}")\n'
    )
    draft = propose(read_script(script))
    card_file = tmp_path / "tune.yaml"
    card_file.write_text(to_yaml(draft))
    card = TaskCard.load(card_file)
    assert card == draft.to_card()
    assert card.space.names == ("lr", "kind")
    assert card.space["kind"].choices == ("a: b", "- c", "#d", "{e}", "yes", "1e3", "~", "")
    assert "\x1b" not in card_file.read_text()


def test_an_option_with_braces_in_its_flag_is_no_placeholder(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(ARGPARSE + 'p.add_argument("--a{b}", type=float, default=0.1)\nprint(f"loss: {1}")\n')
    draft = propose(read_script(script))
    from tunewright.toolbox import open_tool

    open_tool(draft.to_card())
    assert draft.to_card().tool.command[-1] == "--a{{b}}={a_b_}"  # type: ignore[union-attr, index]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_cut_of_a_script_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(p.name for p in SCRIPTS.glob("*.py"))))
    text = (SCRIPTS / name).read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    other = data.draw(
        st.sampled_from(["", "None", "*", "**{}", "lambda: 0", "f'{x}'", "1j", "...", "b''", "print(*x)"])
    )
    script = tmp_path_factory.mktemp("cut") / "train.py"
    script.write_text(text[:start] + other + text[end:])
    try:
        draft = propose(read_script(script))
        card = draft.to_card()
    except CardError:
        return
    written = script.with_name("tune.yaml")
    written.write_text(to_yaml(draft))
    assert TaskCard.load(written) == card
