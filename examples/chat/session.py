"""A whole talk in the terminal: set up a PyTorch training, run trials in the background, pin a parameter, be killed,
resume, explain the result, export it to Optuna.

    python examples/chat/session.py [--transcript FILE] [--folder FOLDER]

`tunewright chat` runs on a real pseudo-terminal; its model is a real OpenAI-compatible server on this machine whose
replies are written below. The trainings, their values and the exported file are real.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from server import ScriptedServer
from terminal import Terminal

HERE = Path(__file__).parent
TRIALS = 5
MODEL = "openai/scripted"
PARAMETERS = [
    {"name": "learning_rate", "low": 1e-4, "high": 1e-1, "scale": "log"},
    {"name": "batch_size", "low": 16, "high": 128, "rounding": "power_of_two"},
    {"name": "optimizer"},
]


def answers(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What the tools answered since the person last spoke."""
    found: list[dict[str, Any]] = []
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            break
        if message["role"] == "tool":
            found.insert(0, json.loads(message["content"]))
    return found


def described(body: dict[str, Any]) -> dict[str, Any]:
    options = [option["name"] for option in answers(body)[-1]["options"]]
    given = {"script": "train.py", "goal": "A small PyTorch network that reads handwritten digits", "name": "digits"}
    aim = {"metric": "val_accuracy", "direction": "maximize", "parameters": PARAMETERS}
    text = f"The script has {len(options)} options and prints val_accuracy. I search three of them and leave dropout."
    return {"text": text, "calls": [("set_up_study", {**given, **aim})]}


def go_on(body: dict[str, Any]) -> dict[str, Any]:
    missing = TRIALS - len([t for t in answers(body)[-1]["trials"] if t["status"] == "done"])
    text = f"{missing} of the {TRIALS} trials have no result yet. I run them."
    return {"text": text, "calls": [("run_trials", {"trials": missing})]}


def why(body: dict[str, Any]) -> dict[str, Any]:
    return {"calls": [("why_trial", {"trial": answers(body)[-1]["best"]["trial"]})]}


def explained(body: dict[str, Any]) -> dict[str, Any]:
    best, reason = answers(body)[-2:]
    default, found = best["default"]["metrics"]["val_accuracy"], best["best"]["metrics"]["val_accuracy"]
    config = ", ".join(
        f"{k} {v if isinstance(v, str) else format(v, '.3g')}" for k, v in best["best"]["config"].items()
    )
    text = f"Trial {reason['trial']} is the best: val_accuracy {found:.4f}, the default has {default:.4f}. It was "
    return {"text": text + f"proposed by the source {reason['source']} and ran with {config}."}


def exported(body: dict[str, Any]) -> dict[str, Any]:
    return {"text": f"Written to {Path(answers(body)[-1]['file']).name}, in the study's own folder."}


def proposal(body: dict[str, Any]) -> dict[str, Any]:
    """A configuration, where the tuner asks for some: three textbook values, a little apart for each request."""
    rate = 0.002 * (1 + len(body["messages"][-1]["content"]) % 7)
    proposals = [
        {"config": {"learning_rate": rate * k, "batch_size": 32, "optimizer": "adamw"}, "rationale": "textbook"}
        for k in (1, 2, 3)
    ]
    return {"text": json.dumps({"proposals": proposals})}


class Talk:
    """The model's script: the talk's replies in order; what the tuner asks beside it is answered anew each time."""

    def __init__(self) -> None:
        self._replies: Iterator[Any] = iter(
            [
                {"text": "I look at the script first.", "calls": [("look_at_script", {"script": "train.py"})]},
                described,
                {"text": "The study digits is set up. Say when to run it."},
                {"text": "I start them in the background.", "calls": [("run_trials", {"trials": TRIALS})]},
                {"text": "They run; ask me anything meanwhile."},
                {"calls": [("pin", {"parameter": "batch_size", "value": 32})]},
                {"text": "Batch size is pinned at 32 for every trial that starts from now on."},
                {"text": "I look at what is there.", "calls": [("show_study", {})]},
                go_on,
                {"text": "The rest is running."},
                {"calls": [("show_best", {})]},
                why,
                explained,
                {"calls": [("export", {"target": "optuna", "save": True})]},
                exported,
            ]
        )

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        names = {tool["function"]["name"] for tool in body.get("tools", ())}
        if "run_trials" not in names:
            return proposal(body)
        reply = next(self._replies, {"text": "(the script is over)"})
        return reply(body) if callable(reply) else reply


def talk(folder: Path) -> tuple[list[str], list[str], str]:
    """What the two sessions showed, and the status line as it was while trials ran."""
    shutil.copy(HERE / "train.py", folder)
    always = Talk()
    with ScriptedServer([always] * 200) as server:
        command = [sys.executable, "-m", "tunewright.cli", "chat", "--model", MODEL, "--base-url", server.url]
        env = {"OPENAI_API_KEY": "sk-example-of-no-use-0", "OMP_NUM_THREADS": "1"}
        with Terminal(command, folder, env, columns=110) as first:
            first.wait_for("no study yet")
            idle(first)
            first.enter("Tune the PyTorch training in train.py: val_accuracy should be high.")
            first.wait_for("Say when to run it.")
            idle(first)
            first.enter(f"Run {TRIALS} trials.")
            first.wait_for("Do it? [y/N]")
            first.enter("y")
            first.wait_for("They run; ask me anything meanwhile.")
            first.wait_for(f"0 of {TRIALS} trials, trial 0")
            idle(first)
            status = first.rows()[-1].strip()
            first.enter("Keep the batch size at 32 from now on, please.")
            first.wait_for("every trial that starts from now on.")
            first.wait_for("digits: trial 1 val_accuracy=", 120.0)
            first.kill()
            before = shown(first)
        with Terminal(command, folder, env, columns=110) as second:
            second.wait_for("of an earlier talk")
            idle(second)
            second.enter("I am back. What is left to do?")
            second.wait_for("Do it? [y/N]")
            second.enter("y")
            second.wait_for("The rest is running.")
            second.wait_for("digits: the run has ended", 120.0)
            idle(second)
            second.enter("Why is the best one the best?")
            second.wait_for("optimizer adamw.")
            idle(second)
            second.enter("/unpin batch_size")
            second.wait_for("batch_size varies again")
            idle(second)
            second.enter("Export it to Optuna, into a file.")
            second.wait_for("in the study's own folder.")
            idle(second)
            second.type("\x04")
            code = second.end()
            after = shown(second)
    if code != 0:
        raise RuntimeError(f"the chat ended with {code}")
    written = folder / "runs" / "digits" / "exports" / "digits-optuna.py"
    compile(written.read_text(), str(written), "exec")
    return before, after, status


def idle(terminal: Terminal) -> None:
    """Wait until the model is silent: the status line says so."""
    while "thinking" in terminal.rows()[-1] or "|" not in terminal.rows()[-1]:
        if not terminal.read():
            raise RuntimeError(f"the chat has ended:\n{terminal.text()}")


def shown(terminal: Terminal) -> list[str]:
    """The lines on the screen, without the status line and the blank ones above it."""
    rows = terminal.rows()
    while rows and (not rows[-1] or "  |  " in rows[-1] or rows[-1] == ">"):
        rows.pop()
    return rows


def transcript(folder: Path, before: list[str], after: list[str], status: str) -> str:
    """The talk as a Markdown page; this machine's own folders are written as they would be on another one."""

    def plain(rows: list[str]) -> str:
        text = "\n".join(rows).replace(str(folder), "/project").replace(sys.executable, "python")
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text)

    template = (HERE / "page.md").read_text()
    return (
        template.replace("[first]", plain(before))
        .replace("[second]", plain(after))
        .replace("[status]", plain([status]))
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transcript", type=Path, help="write the page of the documentation to this file")
    parser.add_argument("--folder", type=Path, help="where the project is made; a temporary one unless given")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        before, after, status = talk(folder)
        print("\n".join([*before, "", "--- killed; started again ---", "", *after, "", f"[status line] {status}"]))
        if given.transcript is not None:
            given.transcript.write_text(transcript(folder, before, after, status), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
