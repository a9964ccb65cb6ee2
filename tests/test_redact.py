import pytest

from tunewright.redact import redact, redact_all


@pytest.mark.parametrize(
    "key",
    [
        "sk-abcdefghijklmnop0123456789",
        "sk-proj-Ab_9-abcdefghijklmnop",
        "sk-ant-api03-abcdefghijklmnopqrstuv",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "hf_abcdefghijklmnopqrstuvwxyz",
        "ghp_0123456789abcdefghijABCDEFGHIJ",
        "gsk_abcdefgh0123456789abcdefgh",
    ],
)
def test_what_looks_like_a_key_is_taken_out(key):
    assert redact(f"401: wrong key {key}, see the docs") == "401: wrong key [key removed], see the docs"
    assert redact(f'{{"key":"{key}"}}') == '{"key":"[key removed]"}'


def test_bearer_tokens_go_whatever_they_look_like():
    assert redact("Authorization: Bearer eyJhbGciOi.eyJzdWIi.abc_123=") == "Authorization: Bearer [key removed]"


@pytest.mark.parametrize(
    "text",
    [
        "task-specific-learning-rate-2",
        "sk-learn",
        "risk-averse",
        "bearer of bad news",
        "",
        "lr=1e-4",
        "hf_hub_download_with_progress",
    ],
)
def test_words_stay(text):
    assert redact(text) == text


def test_the_values_of_key_variables_go_unless_they_are_placeholders(monkeypatch):
    monkeypatch.setenv("MYHOST_API_KEY", "correct horse battery")
    monkeypatch.setenv("LOCAL_API_KEY", "none")
    assert redact("correct horse battery, none of it") == "[key removed], none of it"


def test_everything_in_plain_data_is_looked_at(monkeypatch):
    monkeypatch.setenv("MYHOST_API_KEY", "topsecret-1")
    data = {"a": ["x topsecret-1", 1, None, {"topsecret-1": True}], "b": 0.5}
    assert redact_all(data) == {"a": ["x [key removed]", 1, None, {"[key removed]": True}], "b": 0.5}
