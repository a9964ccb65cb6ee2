"""From a name to a model; and what importing the package must not import."""

import subprocess
import sys
from typing import Any

import pytest

from tunewright.errors import ModelError
from tunewright.llm.factory import open_chat
from tunewright.llm.litellm_chat import LiteLLMChat
from tunewright.llm.local import LocalChat
from tunewright.llm.openai_chat import OpenAIChat
from tunewright.llm.scripted import Scripted


def test_names() -> None:
    assert open_chat(None) is None
    assert open_chat("none") is None
    mine = Scripted([])
    assert open_chat(mine) is mine
    local = open_chat("local")
    assert isinstance(local, LocalChat)
    assert (local.name, local.trusted_tools) == ("local", False)
    remote = open_chat("openai/org/model-7b", base_url="http://127.0.0.1:1/v1")
    assert isinstance(remote, OpenAIChat)
    assert (remote.name, remote.model, remote.trusted_tools) == ("openai/org/model-7b", "org/model-7b", True)
    other = open_chat("anthropic/claude-sonnet-4-5")
    assert isinstance(other, LiteLLMChat)
    assert other.name == "anthropic/claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("gpt-5", "did you mean openai/gpt-5"),
        ("claude-sonnet-4-5", "did you mean anthropic/claude-sonnet-4-5"),
        ("locl", "did you mean local"),
        ("opnai", "did you mean openai/NAME"),
        ("openai/", "did you mean openai/NAME"),
        ("/x", "accepted: local"),
        ("", "accepted: local"),
        (3, "accepted: local"),
    ],
)
def test_other_names_are_refused_with_what_is_accepted(model: Any, meant: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_chat(model)
    assert meant in caught.value.hint
    assert "accepted: local; openai/NAME" in caught.value.hint


def test_local_takes_no_address() -> None:
    with pytest.raises(ModelError, match="takes no base_url"):
        open_chat("local", base_url="http://127.0.0.1:1/v1")


def test_prices_reach_the_chat_and_their_mistakes_surface() -> None:
    with pytest.raises(ModelError, match="price"):
        open_chat("openai/x", prices={"openai/x": {"in": -1, "out": 1}})


def test_imports_stay_light() -> None:
    code = (
        "import sys, tunewright.llm.base, tunewright.llm.factory, tunewright.llm.scripted, tunewright.llm.recorded\n"
        "from tunewright.llm.factory import open_chat\n"
        "open_chat('local'); open_chat('openai/x'); open_chat('anthropic/x')\n"
        "print([m for m in ('openai', 'litellm', 'httpx', 'xllamacpp', 'torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
