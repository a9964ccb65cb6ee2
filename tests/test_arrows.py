"""Imports run one way: the level table of the design against the real imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tunewright
import tunewright_prompts
import tunewright_tools
from tunewright_tools.catalog import TRAINERS

LEVELS: dict[str, int] = {}
for level, names in enumerate(
    [
        "errors redact seeds hypervolume clean",
        "relations",
        "parameter",
        "numeric",
        "parameters held",
        "space render",
        "llm hardware lease environment distributions schema",
        "card_parts card_yaml",
        "card_input card_earlier card_pruner data_table derived",
        "data_statistics",
        "dataset",
        "card",
        "trial textbook_entries points signs",
        "reply textbook brief_history",
        "trial_json revision storage prior init",
        "founding rows rivals",
        "table",
        "attempts waiting",
        "sweeping ledger",
        "study earlier",
        "earlier_csv",
        "encoding targets gp improvement export earlier_sources success_labels success_amounts",
        "surrogate_success surrogate_transfer branching starting stopped",
        "surrogate_values",
        "surrogate",
        "acquisition brief",
        "questions guard credit stopping telling health pruning confirmation libraries",
        "proposer executors toolbox view",
        "turns",
        "asking",
        "planner zero_shot jobs opening result",
        "next_trial events preview preload",
        "confirm ask_tell",
        "loop",
        "report importance",
        "plots tables",
        "verbs",
        "live",
        "chat mcp_server",
        "commands integrations",
        "cli",
        "__main__",
    ]
):
    LEVELS |= dict.fromkeys(names.split(), level)

ROOT = Path(tunewright.__file__).parent
PARTS = [f"tunewright_tools.{name}" for name in ("catalog", "command", "function")]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module if node.level == 0 else "." + node.module)
    return found


def module(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_imports_only_lower_levels(path: Path) -> None:
    name = module(path)
    if name == "__init__":
        return
    assert name in LEVELS, f"{name} has no level in the table of this test"
    for other in imports(path):
        if other.startswith("tunewright."):
            target = other.split(".")[1]
            assert target == name or LEVELS[target] < LEVELS[name], f"{name} imports {target}"


@pytest.mark.parametrize("package", [tunewright_tools, tunewright_prompts])
def test_tools_and_prompts_import_nothing_of_the_product(package: object) -> None:
    for path in Path(package.__file__).parent.rglob("*.py"):  # type: ignore[attr-defined]
        assert not any(name.split(".")[0] == "tunewright" for name in imports(path)), path


def test_type_checkers_see_the_packages_own_names_alone() -> None:
    """A `__getattr__` that they see makes every mistyped name pass, such as `from tunewright import Tunerr`."""
    tree = ast.parse((ROOT / "__init__.py").read_text())
    assert not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)
    with pytest.raises(AttributeError, match=r"it has Choice, .*warmstart"):
        _ = tunewright.Tunerr  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("names", "heavy"),
    [
        ("tunewright.cli, tunewright", "optuna sqlalchemy openai litellm mcp ray pandas botorch"),
        (", ".join([*PARTS, *(trainer.module for trainer in TRAINERS.values())]), "tunewright pynvml PIL yaml peft"),
    ],
    ids=["command line", "tools and trainers"],
)
def test_what_starts_in_every_process_imports_nothing_heavy(names: str, heavy: str) -> None:
    script = f"import sys, {names}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    always = {"torch", "numpy", "scipy", "sklearn", "transformers", "tokenizers"}
    assert not (always | set(heavy.split())) & set(ran.stdout.split())
