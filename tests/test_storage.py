import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from record_worker import at_once, card, config, die, start, swap_at_once

import tunewright.storage
from tunewright.errors import StudyError
from tunewright.study import Study
from tunewright.trial import Proposal, Verdict
from tunewright_tools.base import Outcome, Point

DONE = Outcome("done", {"loss": 0.5})


@pytest.mark.parametrize(
    ("storage", "said", "hint"),
    [
        ("tune.db", "'tune.db' is not an address", "sqlite:///tune.db"),
        ("mysql://u:secret@h/d", "of kind 'mysql'", "postgresql://"),
        ("sqlite://", "names no file", "sqlite:///tunewright.db"),
        ("sqlite:///:memory:", "names no file", "sqlite:///tunewright.db"),
        ("sqlite:////no/such/folder/tune.db", "the folder /no/such/folder", "mkdir -p"),
        ("sqlite:////", "is a folder", "name a file in it"),
        ("sqlite:///~nobody-at-all/tune.db", "the folder .*~nobody-at-all", "mkdir -p"),
        ("postgresql://u:secret@127.0.0.1:port/d", "is not an address", "postgresql://USER@HOST"),
    ],
)
def test_a_wrong_address_is_named_with_what_would_be_right(storage, said, hint):
    with pytest.raises(StudyError, match=said) as e:
        Study.open(card(), storage)
    assert hint in e.value.hint
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("password", ["s3cr3t-word", "x/s3cr3t-word", "s3cr3t-word%40", "x s3cr3t-word"])
def test_a_server_that_is_not_there_is_named_without_the_password(password):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with pytest.raises(StudyError, match="could not be opened") as e:
        Study.open(card(), f"postgresql://tuner:{password}@127.0.0.1:{port}/tuning")
    assert "s3cr3t-word" not in str(e.value)
    assert e.value.__suppress_context__
    assert "tuner:***@127.0.0.1" in e.value.message
    assert "check that the server runs" in e.value.hint


def test_without_psycopg_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StudyError, match="needs psycopg") as e:
        Study.open(card(), "postgresql://tuner@127.0.0.1/tuning")
    assert "pip install" in e.value.hint


def test_a_folder_whose_name_is_not_utf_8_is_named(tmp_path):
    folder = tmp_path / os.fsdecode(b"se\xf1or")
    folder.mkdir()
    with pytest.raises(StudyError, match="not text in UTF-8") as e:
        Study.open(card(), f"sqlite:///{folder}/tune.db")
    assert r"se\udcf1or" in e.value.message
    assert "--storage" in e.value.hint


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "tune.db"
    path.write_text("goal: not a database at all, but a card\n" * 50)
    with pytest.raises(StudyError, match=str(path)) as e:
        Study.open(card(), f"sqlite:///{path}")
    assert "another program" in e.value.hint


def let_in(folder):
    """Let other users reach a folder of pytest's, which are root's alone."""
    for parent in folder.parents:
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture
def locked(tmp_path):
    """A folder with a record that the user of this process may read and not write; root becomes somebody else."""
    folder = tmp_path / "locked"
    folder.mkdir()
    Study.open(card(), f"sqlite:///{folder / 'tune.db'}").close()
    folder.chmod(0o555)
    (folder / "tune.db").chmod(0o444)
    before = os.geteuid()
    if before == 0:
        let_in(folder)
        os.seteuid(65534)
    yield folder
    os.seteuid(before)
    folder.chmod(0o755)


def test_what_may_not_be_written_is_named(locked):
    for name in ("tune.db", "new.db"):
        with pytest.raises(StudyError, match="could not be opened") as e:
            Study.open(card(), f"sqlite:///{locked / name}")
        assert f"its folder {locked} writable" in e.value.hint


def test_a_relative_path_stays_where_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Study.open(card(), "sqlite:///a {b} ü.db")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    study.close()
    start(study, config(0), 0)
    study.close()
    assert list((tmp_path / "deeper").iterdir()) == []
    assert study.storage == f"sqlite:///{tmp_path}/a {{b}} ü.db"


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"cannot mount a small disk here: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    with path.open("wb", buffering=0) as f:
        for _ in range(1000):  # twice the disk
            try:
                f.write(b"x" * 4096)
            except OSError:
                return
    raise AssertionError("the disk did not fill")


def test_a_full_disk_is_named_and_finished_trials_are_safe(small_disk):
    study = Study.open(card(), f"sqlite:///{small_disk / 'tune.db'}")
    done = study.finish(start(study, config(0), 0), DONE)
    running = start(study, config(1), 1)
    filler = small_disk / "filler"
    fill(filler)
    curve = tuple(Point(i, {"loss": i / 7}, i / 3) for i in range(3000))
    with pytest.raises(StudyError, match="is full") as e:
        study.finish(running, Outcome("done", {"loss": 0.1}, curve))
    assert "free some space" in e.value.hint
    assert str(small_disk) in e.value.message
    assert study.trials()[0] == done
    filler.unlink()
    study.finish(running, Outcome("done", {"loss": 0.1}, curve[:3]))
    assert study.best().number == 1
    study.close()


def test_a_ctrl_c_while_a_connection_is_given_back_leaves_no_traceback_in_the_terminal(tmp_path):
    program = """
import sys
from sqlalchemy import event
from tunewright.storage import Address, connect

def ctrl_c(*_):
    raise KeyboardInterrupt

storage, rdb = connect(Address.of(sys.argv[1]), create=True)
event.listen(rdb.engine, "reset", ctrl_c)
try:
    storage.get_all_studies()
except KeyboardInterrupt:
    print("interrupted")
"""
    url = f"sqlite:///{tmp_path}/tune.db"
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_sqlite_runs_with_the_settings_that_make_it_quick(study):
    with study._table.rdb.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


def postgres_folder():
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


class PostgresServer:
    def __init__(self, folder, home, user):
        self.quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": home, **user}
        subprocess.run(
            [folder / "initdb", "-D", home / "data", "-U", "tuner", "-A", "trust", "--no-sync"],
            check=True,
            **self.quiet,
        )
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.command = [folder / "postgres", "-D", home / "data", "-p", str(self.port), "-c", "fsync=off", "-k", home]
        self.url = f"postgresql://tuner:unused@127.0.0.1:{self.port}/postgres"

    def start(self):
        self.process = subprocess.Popen(self.command, **self.quiet)

    def wait(self):
        import psycopg

        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(f"host=127.0.0.1 port={self.port} user=tuner dbname=postgres").close()
                break
            except psycopg.OperationalError:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # a fast shutdown: connections are ended
        self.process.wait()


@pytest.fixture
def server(tmp_path_factory):
    folder = postgres_folder()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: neither initdb on PATH nor /usr/lib/postgresql/*/bin")
    home = tmp_path_factory.mktemp("pg")
    user = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        user = {"user": 65534, "group": 65534, "extra_groups": []}
        os.chown(home, 65534, 65534)
        let_in(home)
    made = PostgresServer(folder, home, user)
    made.start()
    made.wait()
    yield made
    made.stop()


@pytest.fixture
def postgres(server):
    return server.url


def test_postgresql_keeps_the_same_record(postgres):
    study = Study.open(card(), postgres)
    assert study.storage.startswith("postgresql://tuner:***@")
    study.ledger  # noqa: B018 (the property is made)
    trial = study.start(
        Proposal({"lr": 0.01, "width": 8}, "llm", "nul \x00 and \ud800"),
        number=0,
        seed=1,
        turn="llm",
        verdict=Verdict(True),
        asked={"lr": 0.01, "text": "nul \x00"},
    )
    told = study.finish(trial, Outcome("done", {"loss": 0.5}, detail="a\x00b"))
    die("die_running", postgres, 1)
    at_once("sweep", postgres, 2)
    assert [e.number for e in study.queue()] == [1]
    again = Study.load(postgres)
    assert again.trials()[0] == told
    again.close()
    with pytest.raises(StudyError, match='database "nowhere" does not exist') as e:
        Study.open(card(), postgres.replace("/postgres", "/nowhere"))
    assert "unused" not in str(e.value)
    study.close()


def test_postgresql_two_processes_never_run_the_same_trial(postgres):
    assert at_once("open_only", postgres, 3) == ["0\n"] * 3
    at_once("race", postgres, 2, 30)
    study = Study.load(postgres)
    assert [(t.number, t.done, t.config) for t in study.trials()] == [(k, True, config(k)) for k in range(30)]
    assert len(study.attempts()) == 30
    swap_at_once(study, postgres)
    study.close()


def test_a_postgresql_server_that_restarts_loses_no_outcome(server):
    study = Study.open(card(), server.url)
    trial = start(study, config(0), 0)
    server.stop()
    restart = threading.Timer(0.5, server.start)
    restart.start()
    told = study.finish(trial, DONE)
    restart.join()
    assert study.trials() == [told]
    study.close()


def test_a_postgresql_server_that_is_gone_is_waited_for_once(server, monkeypatch):
    monkeypatch.setattr(tunewright.storage, "BUSY_SECONDS", 1.0)
    study = Study.open(card(), server.url)
    server.stop()
    with pytest.raises(StudyError, match="Connection refused"):
        study.trials()
    slept = []
    monkeypatch.setattr(tunewright.storage.time, "sleep", slept.append)
    with pytest.raises(StudyError, match="Connection refused"):
        study.trials()
    assert slept == []
