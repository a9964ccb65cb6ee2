"""What a trial ran with: package versions, the git commit and whether files differ from it."""

import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "tunewright",
    "optuna",
    "torch",
    "botorch",
    "gpytorch",
    "numpy",
    "scipy",
    "scikit-learn",
    "openai",
    "litellm",
    "xllamacpp",
)
"""Packages whose versions can change what a study does; those that are not installed are left out."""

_GIT_SECONDS = 5.0


def environment(folder: str | Path | None = None) -> dict[str, Any]:
    """Plain data with `python`, `host`, `platform`, `packages` and, inside a git checkout, `git`.

    Args:
        folder: where the run's code is; the current folder unless given.

    `git` holds `commit` (None before the first commit) and `dirty`, which counts changes to files that git follows.
    Where git is installed but cannot answer (a checkout of somebody else's, a status that takes over five seconds),
    it holds `error` with the reason.
    """
    seen: dict[str, Any] = {
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": dict(packages()),
    }
    git = _git(Path(folder) if folder is not None else Path.cwd())
    if git is not None:
        seen["git"] = git
    return seen


@cache
def packages() -> Mapping[str, str]:
    """Versions of the installed ones of `PACKAGES`."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(folder: Path) -> dict[str, Any] | None:
    try:
        run = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except FileNotFoundError:  # no git, or no such folder
        return None
    except (OSError, subprocess.TimeoutExpired) as e:
        return {"error": str(e)}
    if run.returncode != 0:
        text = run.stderr.decode(errors="replace").strip()
        return None if "not a git repository" in text else {"error": text.partition("\n")[0]}
    lines = run.stdout.decode(errors="replace").splitlines()
    head = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    return {
        "commit": None if head == "(initial)" else head,
        "dirty": any(not line.startswith("#") for line in lines),
    }
