"""The database of a record: its address, opened with settings that suit us, its errors in words.

Two kinds: an SQLite file (one machine) and PostgreSQL (many). Optuna's tables, read and written through Optuna.
"""

import logging
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunewright.errors import StudyError
from tunewright.redact import hide_password

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

ACCEPTED = "sqlite:///tunewright.db for a file, or postgresql://USER@HOST/DATABASE"
BUSY_SECONDS = 60
"""How long a call waits for a file that another process writes, or for a server that restarts."""
CONNECT_SECONDS = 10
_OPEN_SECONDS = 30.0  # for all tries, when several processes make one database at once
_FULL = 1 << 20
_UNLESS_ASKED = logging.NullHandler()
"""Where nobody has set up logging, Python prints what a library logs as an error to a person's terminal."""


@dataclass(frozen=True)
class Address:
    """Where a record is."""

    url: str
    """For SQLAlchemy; may hold a password, so it is never shown."""
    shown: str
    """For people."""
    path: Path | None
    """The file, for SQLite."""

    @classmethod
    def of(cls, storage: str) -> "Address":
        """The address in the text that a person gave; a relative path counts from the current folder.

        Raises:
            StudyError: it is of another kind, the SQLite file's folder is missing or its name is not UTF-8, psycopg is
                not installed.
        """
        from sqlalchemy.engine import URL, make_url
        from sqlalchemy.exc import ArgumentError

        if not isinstance(storage, str):
            raise StudyError(f"storage is {storage!r:.80}", f"use {ACCEPTED}")
        shown = hide_password(storage)
        try:
            url = make_url(storage)
        except (ArgumentError, ValueError):
            known = storage.endswith((".db", ".sqlite", ".sqlite3"))
            raise StudyError(
                f"storage {shown!r} is not an address", f"write sqlite:///{storage}" if known else f"use {ACCEPTED}"
            ) from None
        if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
            _need_psycopg(shown)
            return cls(url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False), shown, None)
        if url.drivername not in ("sqlite", "sqlite+pysqlite"):
            raise StudyError(f"storage {shown!r} is of kind {url.drivername!r}", f"use {ACCEPTED}")
        if not url.database or url.database == ":memory:" or url.host:
            raise StudyError(
                f"storage {shown!r} names no file", "use sqlite:///tunewright.db, or sqlite:////full/path.db"
            )
        # absolute: a later chdir must not move the record; of nobody's "~name" this expanduser makes no error
        path = Path(os.path.expanduser(url.database)).absolute()
        if path.is_dir():
            raise StudyError(f"{path} is a folder", f"name a file in it, such as sqlite:///{path / 'tunewright.db'}")
        if not path.parent.is_dir():
            raise StudyError(f"the folder {path.parent} of {shown!r} is not there", f"make it: mkdir -p {path.parent}")
        try:
            str(path).encode()
        except UnicodeEncodeError:
            raise StudyError(
                f"the path {str(path)!a} of the record is not text in UTF-8, as addresses are",
                "name a file in another folder with --storage, or rename the folder",
            ) from None
        full = URL.create("sqlite", database=str(path), query=url.query).render_as_string()
        return cls(full, f"sqlite:///{path}", path)


def _need_psycopg(shown: str) -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as e:
        raise StudyError(
            f"{shown} needs psycopg, which cannot be imported ({e})", "pip install 'tunewright[postgres]'"
        ) from e


def connect(address: Address, *, create: bool) -> "tuple[BaseStorage, RDBStorage]":
    """Optuna's storage, with its cache of finished trials, and the one beneath it.

    SQLite runs in WAL mode with synchronous=NORMAL: a crash of the process loses nothing; a power cut may lose the
    last trials, and leaves a sound file.

    Raises:
        StudyError: it cannot be opened; without `create`, also when there is no record yet.
    """
    if not create and address.path is not None and not address.path.exists():
        raise StudyError(f"there is no record at {address.path}", "check the path, or start a study with `run`")
    # `tunewright run` in two terminals: both make the tables at once, and one of them fails; the next try finds them
    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            return _connect(address, create=create)
        except Exception as e:
            if not _a_race(e) or time.monotonic() > deadline:
                raise in_words(e, address, "be opened") from None
        time.sleep(0.05 + 0.2 * random.random())


def _connect(address: Address, *, create: bool) -> "tuple[BaseStorage, RDBStorage]":
    import sqlalchemy
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy.engine import make_url

    sqlite = address.path is not None
    options: dict[str, Any] = (
        {"connect_args": {"timeout": BUSY_SECONDS}}
        if sqlite
        else {"connect_args": {"connect_timeout": CONNECT_SECONDS}, "pool_pre_ping": True}
    )
    # a look at what is there, and the journal mode, which stays with the file
    engine = sqlalchemy.create_engine(make_url(address.url), **options)
    try:
        with engine.connect() as connection:
            if not create and not sqlalchemy.inspect(connection).has_table("studies"):
                raise StudyError(f"{address.shown} holds no study", "check the address, or start a study with `run`")
            if sqlite and connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    finally:
        engine.dispose()
    escaped = address.url.replace("{", "{{").replace("}", "}}")  # Optuna formats it as a template
    with quiet():
        # a name of its own, so that other engines in this process log as they did
        rdb = RDBStorage(escaped, engine_kwargs={**options, "pool_logging_name": "tunewright"})
    # SQLAlchemy logs with a traceback that a connection could not be given back; a Ctrl-C then is raised as well
    logger = rdb.engine.pool.logger
    assert isinstance(logger, logging.Logger)  # the other kind stands where echo_pool is asked for
    logger.addHandler(_UNLESS_ASKED)
    if sqlite:
        sqlalchemy.event.listen(rdb.engine, "connect", _relax)
        rdb.engine.dispose()  # connections made so far have not heard of it
    else:
        sqlalchemy.event.listen(rdb.engine, "do_connect", _Patience())
    return get_storage(rdb), rdb


def _relax(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")  # a setting that each connection needs anew


class _Patience:
    """Connects anew to a server that was there before: while it restarts, no outcome is lost and no run given up."""

    def __init__(self) -> None:
        self._seconds = BUSY_SECONDS

    def __call__(self, dialect: Any, _: Any, args: Any, options: Any) -> Any:
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                made = dialect.connect(*args, **options)
            except dialect.loaded_dbapi.OperationalError:
                if time.monotonic() >= deadline:
                    self._seconds = 0  # gone for good: what is still to be written fails at once
                    raise
                time.sleep(0.2)
            else:
                self._seconds = BUSY_SECONDS
                return made


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's notes about what it creates stay out of a person's terminal; its own setting is put back."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def speaking(address: Address, doing: str) -> Iterator[None]:
    """A block in which the database's errors come out as `StudyError`; `doing` ends "the record could not ..."."""
    import optuna
    import sqlalchemy.exc

    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError, sqlite3.Error) as e:
        raise in_words(e, address, doing) from None


def _causes(e: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[Any] = [e]
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            todo += [getattr(one, "orig", None), one.__cause__, one.__context__]


def _a_race(e: Exception) -> bool:
    text = " ".join(str(one) for one in _causes(e))
    return any(sign in text for sign in ("already exists", "UNIQUE constraint", "duplicate key", "is locked"))


def in_words(e: Exception, address: Address, doing: str) -> StudyError:
    """The error that a person sees, without passwords."""
    if isinstance(e, StudyError):
        return e
    causes = list(_causes(e))
    if address.path is not None:
        sqlite = next((one for one in causes if isinstance(one, sqlite3.Error)), None)
        if sqlite is not None:
            return _sqlite_in_words(sqlite, address.path, doing)
    if any("no longer compatible with the table schema" in str(one) for one in causes):
        return StudyError(
            f"{address.shown} was written by another version of Optuna: {e}",
            f"keep a copy, then: optuna storage upgrade --storage '{address.shown}'",
        )
    deepest = next((one for one in causes if type(one).__module__.startswith("psycopg")), causes[-1])
    reason = hide_password(" ".join(str(deepest).split()))
    for secret in _passwords(address.url):
        reason = reason.replace(secret, "***")
    return StudyError(
        f"the record {address.shown} could not {doing}: {reason}",
        "check that the server runs, and its host, port, user, password and database; finished trials are safe"
        if address.path is None
        else "finished trials are safe; run the same command again",
    )


def _passwords(url: str) -> Iterator[str]:
    """The passwords of an address, as the server has them and as the address spells them."""
    from urllib.parse import quote, quote_plus

    from sqlalchemy.engine import make_url

    parts = make_url(url)
    for secret in (parts.password, *(parts.query.get(key) for key in ("password", "sslpassword"))):
        for one in (secret,) if isinstance(secret, str) else secret or ():
            yield from filter(None, dict.fromkeys((one, quote(one, safe=""), quote_plus(one))))


def _sqlite_in_words(e: sqlite3.Error, path: Path, doing: str) -> StudyError:
    name = getattr(e, "sqlite_errorname", "") or ""
    said = f"the record {path} could not {doing}: {e}"
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and shutil.disk_usage(path.parent).free < _FULL):
        return StudyError(
            f"the disk of {path} is full; the record could not {doing}",
            "free some space and run the same command again; finished trials are safe",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        allowed = _writable(path.parent) and (not path.exists() or _writable(path))
        return StudyError(
            said,
            "see whether its file system is read-only"
            if allowed
            else f"make the file and its folder {path.parent} writable for you, or name another file with --storage",
        )
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return StudyError(
            said, "it is damaged or was written by another program: name another file, or put a sound copy in its place"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StudyError(
            said + f" (for more than {BUSY_SECONDS} s)",
            "see which program holds the file open for writing; a shared network folder needs PostgreSQL instead",
        )
    return StudyError(said, "finished trials are safe; run the same command again")


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
