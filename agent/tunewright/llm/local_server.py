"""The child process of the local model: an xllamacpp server on loopback that lives as long as its standard input.

Reads one JSON line {"key", "model", "alias", "threads", "context"} from stdin, so that the key is in no argument list
and no environment; writes one JSON line {"url"} or {"error"} to stdout; ends when stdin closes, that is, also when its
parent is killed. Started by path: imports nothing of ours.
"""

import json
import os
import select
import sys
from typing import Any

_LOOK_S = 1.0
_ERRORS_ONLY = 1


def main() -> int:
    """Serve until stdin closes; return the exit code."""
    # The library writes to both streams; only our one line may go to stdout.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    parent = os.getppid()
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        server = _serve(asked)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        return 1
    print(json.dumps({"url": server.listening_address}), file=answers, flush=True)
    while os.getppid() == parent:
        # Two signs of the parent's end: another process may have inherited its end of the pipe.
        readable, _, _ = select.select([sys.stdin], [], [], _LOOK_S)
        if readable and not os.read(0, 1):
            break
    os._exit(0)  # not the library's orderly shutdown: it waits for the reply in progress


def _serve(asked: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["model"]
    params.model_alias = {asked["alias"]}
    params.api_keys = [asked["key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = 1
    params.n_ctx = asked["context"]
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = asked["threads"]
    params.cpuparams_batch.n_threads = asked["threads"]
    params.verbosity = _ERRORS_ONLY
    params.ui = False
    params.endpoint_slots = False
    params.cache_ram_mib = 0
    params.offline = True
    return xllamacpp.Server(params)


if __name__ == "__main__":
    sys.exit(main())
