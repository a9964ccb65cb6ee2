import pytest

from tunewright.redact import HIDDEN, Redactor, hide_password, is_secret_name, public_url, redact, redact_all


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
    ("text", "left"),
    [
        ("to postgresql://u:hunter2@db:5432/x failed", "to postgresql://u:[key removed]@db:5432/x failed"),
        ("redis://:p%40ss@h", "redis://:[key removed]@h"),
        ("'https://oauth2:abcd1234@host/x.git'", "'https://oauth2:[key removed]@host/x.git'"),
        ("GET /v1?n=1&api_key=abcdef-123&m=2 404", "GET /v1?n=1&api_key=[key removed]&m=2 404"),
        ("url: /v1?token=abcdef-123 (timed out)", "url: /v1?token=[key removed] (timed out)"),
    ],
)
def test_passwords_and_keys_in_addresses_go(text, left):
    assert redact(text) == left
    assert redact(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8000/v1 and root@host",
        "sqlite:////tmp/a:b@c.db",
        "really? key=value-of-it",
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


def test_known_secrets_and_the_shapes_of_keys() -> None:
    redact = Redactor(["my own secret", "my own secret and more", None, ""])
    assert redact("a my own secret and more b") == f"a {HIDDEN} b"
    assert redact("my own secret!") == f"{HIDDEN}!"
    assert Redactor(["secret-one", "a-secret-one-more"])("a-secret-one-more!") == f"{HIDDEN}!"
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
    text = "task-based risk-averse lr=0.001, sk-learn, disk-usage-monitor; HTTP 429; x is none"
    assert Redactor(["x", "none"])(text) == text


def test_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_API_KEY", "value-of-the-key")
    monkeypatch.setenv("EDITOR", "some-editor")
    assert Redactor()("value-of-the-key some-editor") == f"{HIDDEN} some-editor"


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "db_password",
        "MY_APIKEY",
        "PGPASSWORD",
        "AZURE_OPENAI_KEY",
        "AWS_SECRET_KEY",
        "GITHUB_PAT",
        "TOKEN",
        "SECRET",
        "SMTP_PASS",
        "KAGGLE_KEY",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


def test_other_names() -> None:
    assert not is_secret_name("MAX_TOKENS")
    assert not is_secret_name("KEYBOARD")
    assert not is_secret_name("COMPASS")
    assert not is_secret_name("PATH")
    assert not is_secret_name("PYTHONPATH")


def test_public_url() -> None:
    assert public_url("https://me:pass@host.example:8/v1?key=abc#x") == "https://host.example:8/v1"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:s3cret@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:s3/cret@host:5432/db", "postgresql://u:***@host:5432/db"),
        ("postgresql://u:s3 cret@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u@server:s3cret@host/db", "postgresql://u@server:***@host/db"),
        ("postgresql://u@host/db?sslpassword=s3cret&a=b", "postgresql://u@host/db?sslpassword=***&a=b"),
        ("postgresql://host/db?user=u&password=s3cret", "postgresql://host/db?user=u&password=***"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert hide_password(address) == shown


@pytest.mark.parametrize(
    "address", ["postgresql://u@host:5432/db", "postgresql://u:@host/db", "sqlite:////tmp/a:b@c/d.db", "u@host: x@y"]
)
def test_an_address_without_a_password_stays(address):
    assert hide_password(address) == address
