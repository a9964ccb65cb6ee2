"""The command line: `python -m benchmarks.warmstart`, from the root of the repository."""

import os

# one thread a process, set before numpy and torch are imported: two processes on two cores must not fight
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

from benchmarks.warmstart.run import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
