"""Starts a child and a grandchild that ignore SIGTERM, writes all pids to the trial's folder, and sleeps or ends.

The grandchild is in a session of its own when the first argument says `session`, and a daemon (its parent gone) when it
says `daemon`. The second argument is `stay` or `leave`: what the program itself does once all are up.
"""

import os
import signal
import sys
import time
from pathlib import Path

kind, then = sys.argv[1:]
folder = Path(os.environ["TUNEWRIGHT_TRIAL_DIR"])


def up(name: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / f"{name}.tmp").write_text(str(os.getpid()))
    (folder / f"{name}.tmp").rename(folder / f"{name}.pid")


def grandchild() -> None:
    if kind in ("session", "daemon"):
        os.setsid()
    up("grandchild")
    time.sleep(30)


if os.fork() == 0:
    up("child")
    if os.fork() == 0:
        grandchild()
    elif kind != "daemon":
        time.sleep(30)
    os._exit(0)

if then == "stay":
    up("leader")
while not (folder / "grandchild.pid").exists():
    time.sleep(0.01)
print("val_loss: 0.5", flush=True)
if then == "stay":
    time.sleep(30)
