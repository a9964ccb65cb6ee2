"""Keys do not pass."""

import pytest

from tunewright.llm.redact import HIDDEN, Redactor, is_secret_name, public_url


def test_known_secrets_and_the_shapes_of_keys() -> None:
    redact = Redactor(["my own secret", "my own secret and more", None, ""])
    assert redact("a my own secret and more b") == f"a {HIDDEN} b"
    assert redact("my own secret!") == f"{HIDDEN}!"
    for key in (
        "sk-proj-abc_DEF123456",
        "sk-ant-api03-xyzxyzxyz",
        "gsk_0123456789abcdef",
        "hf_abcdefghijkl",
        "sk-ab***6789",
    ):
        assert redact(f"Incorrect API key provided: {key}.") == f"Incorrect API key provided: {HIDDEN}."
    assert redact('{"Authorization": "Bearer abc.def"}') == f'{{"Authorization": "Bearer {HIDDEN}"}}'


def test_ordinary_words_pass() -> None:
    text = "task-based risk-averse lr=0.001, sk-learn, disk-usage-monitor; HTTP 429"
    assert Redactor(["x", "none"])(text) == text


def test_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_API_KEY", "value-of-the-key")
    monkeypatch.setenv("EDITOR", "some-editor")
    assert Redactor()("value-of-the-key some-editor") == f"{HIDDEN} some-editor"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "db_password", "MY_APIKEY"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


def test_other_names() -> None:
    assert not is_secret_name("MAX_TOKENS")
    assert not is_secret_name("KEYBOARD")


def test_public_url() -> None:
    assert public_url("https://me:pass@host.example:8/v1?key=abc#x") == "https://host.example:8/v1"
