"""Files that a verb may read: inside the project or a study's own folder, whatever the links on the way say."""

import os
from collections.abc import Sequence
from pathlib import Path

from tunewright.verbs.faults import ArgumentFault, fault


class Outside(Exception):  # noqa: N818 (turned into a `WrongCall` by the verb)
    """A path that no verb may read; holds the fault of its argument."""

    def __init__(self, found: ArgumentFault) -> None:
        super().__init__(str(found))
        self.fault = found


def project_file(root: Path, text: str, argument: str, suffixes: Sequence[str]) -> Path:
    """The file of that name in the project, links resolved.

    Files of other kinds, and whatever lies under a name that starts with a dot (settings, keys, history), are no
    business of a verb.

    Raises:
        Outside: it leads out of the project, is hidden, of another kind, or not there.
    """
    accepted = (
        f"a {' or '.join(suffixes)} file inside the project, such as {'train.py' if '.py' in suffixes else 'tune.yaml'}"
    )
    try:
        path = (root / text).resolve()
        inside = path.relative_to(root)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or path.suffix not in suffixes or not path.is_file():
            raise Outside(fault(argument, text, accepted))
    except (ValueError, OSError, RuntimeError):  # outside; a NUL byte; a name too long; a ring of links
        raise Outside(fault(argument, text, accepted)) from None
    return path


def read_tail(folder: Path, name: str, most: int) -> tuple[str, bool] | None:
    """The last bytes of a run's own file as text, and whether that is all of it; None where it is not there.

    A run may have put a link in the place of its log, or of its whole folder; none that leads out is followed.

    Args:
        folder: of the run, absolute, without links unless a run made them.
    """
    try:
        path = (folder / name).resolve(strict=True)
        path.relative_to(folder)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (ValueError, OSError, RuntimeError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not os.path.isfile(path):
            return None
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - most, 0))
        return file.read(most).decode(errors="replace"), size <= most
