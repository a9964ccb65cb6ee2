import json
import os
import subprocess

import optuna
import pytest

from tunewright.environment import environment


def git(folder, *args):
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false", *args]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("print(1)\n")
    return tmp_path


def test_versions_and_host_are_plain_data(tmp_path):
    seen = environment(tmp_path)
    assert seen["packages"]["optuna"] == optuna.__version__
    assert seen["host"] == os.uname().nodename
    assert "git" not in seen
    assert json.loads(json.dumps(seen)) == seen


def test_the_commit_and_whether_files_differ_from_it(checkout):
    assert environment(checkout)["git"] == {"commit": None, "dirty": False}
    git(checkout, "add", "train.py")
    git(checkout, "commit", "-q", "-m", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    (checkout / "notes.txt").write_text("not followed")
    assert environment(checkout)["git"] == {"commit": commit, "dirty": False}
    (checkout / "train.py").write_text("print(2)\n")
    (checkout / "deeper").mkdir()
    assert environment(checkout / "deeper")["git"] == {"commit": commit, "dirty": True}


def test_the_current_folder_is_the_default(checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    assert environment()["git"]["commit"] is None


def test_without_git_there_is_none(checkout, monkeypatch):
    monkeypatch.setenv("PATH", str(checkout))
    assert "git" not in environment(checkout)


def test_a_git_that_cannot_answer_says_why(checkout):
    (checkout / ".git" / "HEAD").write_text("ref: refs/heads/x\n")
    (checkout / ".git" / "config").write_text("[core\n")
    assert "config" in environment(checkout)["git"]["error"]


def test_a_folder_that_is_not_there_has_no_git(tmp_path):
    assert "git" not in environment(tmp_path / "none")
