"""Why a run ended as it did: status and fault from its exit code and from what it wrote on stderr.

Evidence, strongest first: out of memory and NaN anywhere on stderr (a launcher such as torchrun writes its own error
after the worker's; of the two the later one counts), then what names the host, then what names a mistake in the
program or its command, then the exit code. A message that says nothing of this leaves a crash that counts against the
configuration.
"""

import re
import signal
from dataclasses import dataclass

from .base import Fault, Status

_OUT_OF_MEMORY = re.compile(
    r"MemoryError\b|\bOutOfMemory(?:Error|Exception)\b|(?:CUDA|HIP|MPS backend)(?: error:)? out of memory"
    r"|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED|RESOURCE_EXHAUSTED: Out of memory|std::bad_alloc"
    r"|can't allocate memory|[Cc]annot allocate memory|\bResourceExhaustedError\b"
    # Perl, awk, Node, Go and many a C program end a line with the words; advice for when it is so does too
    r"|(?:^|: |- |ERROR |\bheap |\bran )[Oo]ut of memory[.!]?$|^memory allocation of \d+ bytes failed"
    r"|cannot allocate vector of size",
    re.MULTILINE,
)
_NOT_FINITE = re.compile(
    r"\bFloatingPointError\b|\bloss(?:es)? (?:is|are|was|were|became|has become|=|:) ?(?:nan|[+-]?inf|infinite"
    r"|not finite|non-?finite)\b|\b(?:nan|non-?finite|infinite) (?:loss|gradients?|values? (?:in|for) (?:the )?loss)\b"
    r"|\b(?:input|loss|gradients?|tensor|output|weights?)\b[^\n]{0,40}\bcontains? (?:nan|inf)",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"No space left on device|\[Errno 28\]|Disk quota exceeded|\[Errno 27\] File too large|no CUDA-capable device"
    r"|No CUDA GPUs are available|Torch not compiled with CUDA enabled|CUDA driver (?:version|error|"
    r"initialization)|CUDA initialization: |Failed to initialize NVML|cudaErrorNoDevice|uncorrectable ECC error"
    r"|CUDA error: (?:unknown error|all CUDA-capable devices are busy|device is busy|initialization error)"
    r"|Too many open files|Resource temporarily unavailable|insufficient shared memory|Input/output error"
    r"|Stale file handle|fell off the bus"
)
_MISTAKE = re.compile(
    r"^(?:ModuleNotFoundError|ImportError|SyntaxError|IndentationError|TabError)\b|^\S+: No module named "
    r"|^\S+: can't open file ",
    re.MULTILINE,
)
_USAGE = re.compile(
    r"^usage:|error: unrecognized arguments|error: the following arguments are required|error: argument "
    r"|No such option|invalid option|unrecognized option|unknown option",
    re.IGNORECASE | re.MULTILINE,
)
_SAID = re.compile(r"^.{0,99}?\berror: .*$", re.MULTILINE)
"""The message of argparse and of programs that write theirs in its form."""
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b.*$", re.MULTILINE)
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True)
class Cause:
    """How a failed run ended, whose fault it is, and the reason in one line."""

    status: Status
    fault: Fault
    reason: str


def shortened(line: str, most: int) -> str:
    """The first words of a line, at most so many characters of it; half a key would no longer be known for one."""
    if len(line) <= most:
        return line
    return f"{line[: most + 1].rpartition(' ')[0]} [...]".lstrip()


def from_text(text: str) -> Cause | None:
    """What an error text says by itself; None where it names nothing known."""
    memory, not_finite = _last(_OUT_OF_MEMORY, text), _last(_NOT_FINITE, text)
    if memory and (not not_finite or memory.start() > not_finite.start()):
        return Cause("oom", "config", f"out of memory: {_line(text, memory)}")
    if not_finite:
        return Cause("diverged", "config", f"not a finite number: {_line(text, not_finite)}")
    if host := _last(_HOST, text):
        return Cause("crashed", "host", f"the host failed: {_line(text, host)}")
    final = _last(_EXCEPTION, text)
    ending = final[0] if final else text
    if mistake := _last(_MISTAKE, ending):
        return Cause("crashed", "person", f"the program cannot start as it is: {_line(ending, mistake)}")
    return None


def from_exit(code: int, stderr: str, *, kernel_killed: bool) -> Cause:
    """Why a run that failed by itself did so.

    Args:
        code: exit code, negative for the signal that ended it.
        stderr: the last part of what it wrote there.
        kernel_killed: whether the kernel ended processes for lack of memory meanwhile.
    """
    number = -code if code < 0 else code - 128 if code in (129, 130, 131, 137, 143) else 0
    if number == signal.SIGKILL and kernel_killed:
        return Cause("oom", "config", "killed by the kernel for lack of memory")
    if found := from_text(stderr):
        return found
    if number in _FROM_OUTSIDE:
        return Cause("crashed", "host", f"ended from outside by {signal.Signals(number).name}")
    if number:
        return Cause("crashed", "config", f"ended by {_signal_name(number)}")
    if code in (126, 127):
        return Cause("crashed", "person", f"exit code {code}: a command in the program cannot be run")
    usage = _USAGE.search(stderr)
    if usage and code in (1, 2, 64):
        said = _last(_SAID, stderr)
        reason = f"exit code {code}: the program does not take these arguments"
        return Cause("crashed", "person", reason + (f": {shortened(said[0], 300)}" if said else ""))
    final = _last(_EXCEPTION, stderr) or _last(_SAID, stderr)
    return Cause("crashed", "config", f"exit code {code}" + (f": {shortened(final[0], 300)}" if final else ""))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=lambda found: found.start(), default=None)


def _line(text: str, found: re.Match[str]) -> str:
    begin = text.rfind("\n", 0, found.start()) + 1
    end = text.find("\n", found.end())
    return shortened(text[begin : end if end >= 0 else len(text)].strip(), 300)
