"""Documents cannot drift: the command line's reference is generated, the README's claims are checked."""

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import tunewright

ROOT = Path(__file__).parent.parent


def test_the_reference_of_the_command_line_is_what_the_program_says(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "typer", "tunewright.cli", "utils", "docs", "--name", "tunewright", "--output"]
    subprocess.run([*command, str(tmp_path / "cli.md")], check=True, capture_output=True)
    written = (ROOT / "docs" / "cli.md").read_text()
    assert (tmp_path / "cli.md").read_text() == written, f"write it again: {' '.join(command)} docs/cli.md"


def test_the_readme_lists_every_module_of_the_product_with_its_first_sentence() -> None:
    rows = dict(re.findall(r"^\| `(\w+\.py)` \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    for path in Path(tunewright.__file__).parent.glob("*.py"):
        if path.name == "__init__.py":
            continue
        first = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].split())
        assert rows.pop(path.name) == first.removesuffix("."), f"{path.name} in the README's files"
    assert not rows, "the README lists files that are not there"


@pytest.mark.parametrize("root", ["agent", "tools"])
def test_docstrings_name_arguments_that_there_are(root: str) -> None:
    """`Args:` of functions; of classes too, whose arguments are those of `__init__` or their fields."""
    for path in sorted((ROOT / root).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                said = _said_arguments(ast.get_docstring(node) or "")
                assert said <= _arguments(node), f"{path.name}: {node.name} has no {said - _arguments(node)}"


def _said_arguments(docstring: str) -> set[str]:
    found = re.search(r"^Args:\n((?:    .*\n?|\n)+)", docstring, re.MULTILINE)
    entries = re.findall(r"^    ((?:\w+, )*(?:\w+,\n\s+)?(?:\w+, )*\w+):", found[1], re.MULTILINE) if found else []
    return {name for entry in entries for name in re.findall(r"\w+", entry)}


def _arguments(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    fields_ = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)}
    own = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    functions = [node] if isinstance(node, ast.FunctionDef) else own
    args = [arg.arg for f in functions for arg in ast.walk(f.args) if isinstance(arg, ast.arg)]
    return {*fields_, *args}


def test_the_page_of_the_benchmarks_tells_how_to_run_each_of_them() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    for path in (ROOT / "benchmarks").rglob("*.py"):
        if '__name__ == "__main__"' in path.read_text():
            name = path.relative_to(ROOT / "benchmarks").with_suffix("").parts[0]
            assert re.search(rf"python (-m )?benchmarks[./]{name}\b", text), f"{path.name} is not on the page"


FOLDERS = ("agent", "tools", "prompts", "tests", "examples", "benchmarks", "docs")
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).rglob("*.md"))])
MADE = {"gpu.md"}
"""Files that a page names and that come to be when something is run."""
OPTION = r"(?<![\w-])--[a-z][a-z-]+"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_what_is_there(path: Path) -> None:
    """Files that it links to or names, commands, their options, targets of make."""
    text = path.read_text()
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (path.parent / target).exists(), f"it links to {target}"
    files = {file.name for folder in FOLDERS for file in (ROOT / folder).rglob("*")} | {f.name for f in ROOT.iterdir()}
    assert set(re.findall(r"`(?:[\w./-]*/)?([\w.-]+\.(?:py|md|yaml|json|csv|txt))`", text)) <= files | MADE
    reference = (ROOT / "docs" / "cli.md").read_text()
    commands = re.findall(r"(?:`|^\$ )tunewright ([a-z][a-z-]*)", text, re.MULTILINE)
    assert set(commands) <= set(re.findall(r"^## `tunewright ([a-z-]+)`", reference, re.MULTILINE))
    programs = [p.read_text() for name in ("tools", "benchmarks", "examples") for p in (ROOT / name).rglob("*.py")]
    options = {*re.findall(OPTION, reference), *re.findall(OPTION, "\n".join(programs))}
    assert set(re.findall(OPTION, text)) <= options
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)


@pytest.mark.parametrize("name", ["Makefile", "README.md", "CONTRIBUTING.md", "constraints.txt"])
def test_extras_that_are_named_exist(name: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for named in re.findall(r"'(?:\.|tunewright)\[([a-z,]+)\]'", (ROOT / name).read_text()):
        assert set(named.split(",")) <= set(extras), f"{name} names {named}"


def test_the_readme_names_every_extra_and_every_key_of_a_card() -> None:
    from tunewright.card import _INPUTS, TaskCard
    from tunewright.card_parts import Budget, HardwareCard, Stop, ToolCard

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    parts = (TaskCard, Budget, HardwareCard, Stop, ToolCard)
    keys = {field.alias or key for part in parts for key, field in part.model_fields.items()}
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", (ROOT / "README.md").read_text()))))
    assert {*extras, *keys, *_INPUTS} - {"dev"} <= named


def test_the_documents_name_every_key_of_a_parameter_a_source_and_the_data() -> None:
    from tunewright import dataset
    from tunewright.card_earlier import EarlierCard
    from tunewright.card_pruner import NAMES, PrunerCard
    from tunewright.parameters import KINDS

    of_parameters = {field.name for kind in KINDS.values() for field in fields(kind)}
    assert {*of_parameters, *KINDS} <= _coded("README.md")
    assert {*dataset._READ, *EarlierCard.model_fields, *PrunerCard.model_fields, *NAMES} <= _coded("docs/method.md")


def test_the_readme_tells_what_a_command_may_hold_a_run_may_print_and_is_measured() -> None:
    from tunewright_tools.arguments import EXTRAS
    from tunewright_tools.contract import RESERVED, SELF_REPORTED
    from tunewright_tools.measured import MEASURES

    measured = {name.removeprefix("telemetry.") for name in MEASURES}
    assert {*EXTRAS, *RESERVED, *SELF_REPORTED, *measured} - {"fidelity"} <= _coded("README.md")


def _coded(page: str) -> set[str]:
    """The words that a page has in code, on a line of its own or among others."""
    text = (ROOT / page).read_text()
    code = [*re.findall(r"`[^`\n]+`", text), *re.findall(r"^    .*$", text, re.MULTILINE)]
    return set(re.findall(r"\w+", " ".join(code)))


def test_the_readme_names_every_environment_variable_that_is_read_or_given() -> None:
    from tunewright_tools.environment import REMOVED_KEYS

    sources = [path.read_text() for root in ("agent", "tools") for path in (ROOT / root).rglob("*.py")]
    named = set(re.findall(r'"((?:TUNEWRIGHT|OPENAI|XDG|CUDA_VISIBLE)_[A-Z_]+)"', "\n".join(sources)))
    given_by_no_loop_of_ours = {"TUNEWRIGHT_FIDELITY"}
    text = (ROOT / "README.md").read_text()
    assert {name for name in named - REMOVED_KEYS - given_by_no_loop_of_ours if f"`{name}`" not in text} == set()


def test_the_readme_shows_the_programs_exit_codes() -> None:
    from tunewright import errors

    text = " ".join((ROOT / "README.md").read_text().split())
    said = re.search(r"Exit codes: (.*?)\.", text)
    assert said
    for kind in (errors.CardError, errors.StudyError, errors.ModelError, errors.ToolError):
        assert f" {kind.exit_code} " in f" {said[1]} "
    assert str(errors.INTERRUPTED_EXIT_CODE) in said[1]


@pytest.mark.timeout(400)
def test_the_readmes_python_runs(tmp_path: Path) -> None:
    from tunewright.errors import ModelError
    from tunewright.llm.local import LocalChat

    try:
        LocalChat().check()
    except ModelError as e:
        pytest.skip(f"the local model is not set up: {e.message}")
    text = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    shown = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert code
    assert shown
    script = tmp_path / "readme.py"
    script.write_text(code[1])
    ran = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=380)
    assert ran.returncode == 0, ran.stderr
    # the model's words differ between types of machine: the form must be the same, and the default's value
    assert re.sub(r"-> .*", "", ran.stdout) == re.sub(r"-> .*", "", shown[1])
