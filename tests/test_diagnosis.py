import pytest

from tunewright_tools.diagnosis import from_exit, from_text, shortened


@pytest.mark.parametrize(
    "line",
    [
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB for an array",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
        "torch.cuda.OutOfMemoryError: HIP out of memory.",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.",
        "RuntimeError: MPS backend out of memory (MPS allocated: 1 GB)",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes.",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "OSError: [Errno 12] Cannot allocate memory",
        "Out of memory!",  # perl
        "2026-01-02 10:00:00,123 ERROR out of memory",
        "worker 3 ran out of memory.",
        "awk: run time error: out of memory",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "memory allocation of 50000000 bytes failed",  # rust
        "fatal error: runtime: out of memory",  # go
        "fatal error: runtime: cannot allocate memory",
        "Error: cannot allocate vector of size 7.5 Gb",  # R
    ],
)
def test_out_of_memory(line: str) -> None:
    found = from_text(f"Traceback\n  x\n{line}\nsrun: error: task 0: Exited\n")
    assert found is not None
    assert (found.status, found.fault) == ("oom", "config")
    assert line in found.reason


@pytest.mark.parametrize(
    "line",
    [
        "FloatingPointError: divide by zero",
        "AssertionError: Loss is NaN, stopping",
        "ValueError: Input contains NaN.",
        "RuntimeError: loss is not finite at step 3",
        "found NaN loss in epoch 2",
        "The loss tensor contains inf",
    ],
)
def test_not_finite(line: str) -> None:
    found = from_text(line)
    assert found is not None
    assert (found.status, found.fault) == ("diverged", "config")


def test_of_memory_and_nan_the_later_one_counts() -> None:
    nan, memory = "warning: loss is nan, skipped\n", "MemoryError\n"
    assert [from_text(text).status for text in (nan + memory, memory + nan)] == ["oom", "diverged"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "line",
    [
        "OSError: [Errno 28] No space left on device",
        "RuntimeError: No CUDA GPUs are available",
        "AssertionError: Torch not compiled with CUDA enabled",
        "RuntimeError: CUDA error: no CUDA-capable device is detected",
        "OSError: [Errno 27] File too large",
        "RuntimeError: CUDA driver version is insufficient for CUDA runtime version",
        "ERROR: Unexpected bus error. This might be caused by insufficient shared memory (shm).",
    ],
)
def test_the_host(line: str) -> None:
    found = from_text(line)
    assert found is not None
    assert (found.status, found.fault) == ("crashed", "host")


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'x'",
        "AssertionError: loss information missing",
        "the loss is finance-related",
        "memory is fine",
        "warning: this may run out of memory\nsegmentation fault",
        "out of memory handler installed",
        "UserWarning: use a smaller batch if you get out of memory.\nTypeError: unexpected argument",
        "INFO: checkpointing is on, so that no step is out of memory\nKeyError: 'x'",
        # A warning about a module that is only optional, then the real error.
        "ModuleNotFoundError: No module named 'triton'\nTraceback\nRuntimeError: shapes differ",
    ],
)
def test_what_names_nothing_known(text: str) -> None:
    assert from_text(text) is None


@pytest.mark.parametrize(
    ("code", "stderr", "kernel_killed", "expected"),
    [
        (1, "", False, ("crashed", "config", "exit code 1")),
        (1, "RuntimeError: shapes differ\n", False, ("crashed", "config", "exit code 1: RuntimeError: shapes differ")),
        (2, "Usage: train [OPTIONS]\nError: No such option: --lr\n", False, ("crashed", "person", "exit code 2")),
        (2, "usage: t [-h]\nt: error: --data x cannot be read\n", False, ("crashed", "person", "t: error: --data x")),
        (1, "t: error: --width 30 is not a multiple\n", False, ("crashed", "config", "exit code 1: t: error: --width")),
        (
            2,
            "python: can't open file 'a.py'",
            False,
            ("crashed", "person", "cannot start as it is: python: can't open"),
        ),
        (
            2,
            "/usr/bin/python3.11: can't open file '/x/a.py': [Errno 2] No such file or directory\n",
            False,
            ("crashed", "person", "cannot start as it is: /usr/bin/python3.11: can't open file"),
        ),
        (1, "python: No module named trainer", False, ("crashed", "person", "No module named trainer")),
        (127, "sh: 1: nvcc: not found", False, ("crashed", "person", "exit code 127")),
        (-9, "", True, ("oom", "config", "by the kernel")),
        (137, "", True, ("oom", "config", "by the kernel")),
        (-9, "", False, ("crashed", "host", "SIGKILL")),
        (143, "", False, ("crashed", "host", "SIGTERM")),
        (-15, "slurmstepd: error: step cancelled", True, ("crashed", "host", "SIGTERM")),
        (-11, "", True, ("crashed", "config", "SIGSEGV")),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'", False, ("oom", "config", "bad_alloc")),
        (-60, "", False, ("crashed", "config", "signal 60")),
    ],
)
def test_exit_codes(code: int, stderr: str, kernel_killed: bool, expected: tuple[str, str, str]) -> None:
    cause = from_exit(code, stderr, kernel_killed=kernel_killed)
    assert (cause.status, cause.fault) == expected[:2]
    assert expected[2] in cause.reason


@pytest.mark.parametrize("part", ["x", "_", " ", "a.", "://a:", "error: ", "0"])
def test_a_line_without_end_is_read_in_one_go(part: str) -> None:
    long = part * 500_000  # a pattern that tries anew from each place would take hours
    assert from_text(long) is None
    assert from_exit(1, f"{long}\nMemoryError", kernel_killed=False).status == "oom"


def test_a_long_line_is_cut_between_words() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 12) == "one two [...]"
    assert shortened("one two three", 7) == "one two [...]"
    assert shortened("one two three", 6) == "one [...]"
    assert shortened("onetwothree", 6) == "[...]"
