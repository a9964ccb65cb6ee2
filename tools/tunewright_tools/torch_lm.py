"""Pretrains a small GPT on a text and prints its validation bits per byte.

Run as `python -m tunewright_tools.torch_lm --seconds 60`, or with `--tokens 2e6` for a budget that does not depend on
the machine; on a CPU, or on one NVIDIA GPU. `--data FILE` names the text (see `torch_lm_text` for what is used without
one and how it is cut); `torch_lm_model` holds the network and its optimizers, `torch_lm_options` the options.

At each evaluation it prints `step=... train_loss=... val_bpb=... seconds=... tokens=... grad_norm=...
tokens_per_second=...` on one line, and at the end `val_bpb` on a line of its own. `val_bpb` is the cross-entropy of the
validation text in bits, divided by its bytes, so it can be compared across tokenizers. `seconds` and the budget count
training steps alone, without evaluations and without the first step of each process, in which torch.compile works.

With `--checkpoint FILE` (default: TUNEWRIGHT_CHECKPOINT) the whole state is written there at each evaluation and when
the run is asked to end; a run that finds the file goes on from it, and with `--tokens` ends at the number that the
undisturbed run would have. Where a loss is no longer finite it prints `status: diverged` and exits with 3.
"""

import contextlib
import math
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .torch_device import open_device
from .torch_lm_options import arguments, parser
from .torch_lm_text import Text, TextError, Tokens, as_bpe, as_bytes, read

if TYPE_CHECKING:
    import torch

EXIT_DIVERGED = 3
EXIT_ASKED = 128 + signal.SIGTERM
_PEAK_FLOPS = {
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
}
"""Dense bfloat16 operations a second, from NVIDIA's data sheets, by the name that torch gives the GPU."""
_NOT_STATE = ("checkpoint", "threads", "peak_tflops")
"""Options that may differ between a checkpoint and the run that goes on from it."""


@dataclass
class Progress:
    """How far a run is; all of it is in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    timed_tokens: int = 0
    """Tokens of the steps that `seconds` counts."""
    evaluated: int = 0
    losses: list[float] = field(default_factory=list)
    """Training loss of each step since the last evaluation."""
    grad_norm: float = 0.0
    """The largest since the last evaluation."""
    printed: list[str] = field(default_factory=list)


class Run:
    """One training run.

    Args:
        given: the checked options.
        text: what it trains on.

    Raises:
        TextError: the text cannot be made into tokens, or is shorter than one sequence.
    """

    def __init__(self, given: Any, text: Text) -> None:
        import torch

        from .torch_lm_model import Gpt, Shape, optimizers

        torch.set_num_threads(given.threads)
        torch.manual_seed(given.seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_float32_matmul_precision("high")
        self.given, self.progress, self.asked = given, Progress(), False
        self.device = open_device(given.device)
        on_gpu = self.device.type == "cuda"
        self.half = given.amp == "bfloat16" or (given.amp == "auto" and on_gpu)
        self.text: Tokens = as_bytes(text) if given.tokenizer == "bytes" else as_bpe(text, given.vocab_size or 1024)
        if len(self.text.train) <= given.context:
            raise TextError(f"{len(self.text.train)} tokens to train on are no more than --context {given.context}")
        sizes = {key: getattr(given, key) for key in Shape.__dataclass_fields__ if key != "vocabulary"}
        shape = Shape(vocabulary=self.text.vocabulary, **sizes)
        self.model = Gpt(shape).to(self.device)
        self.optimizers = optimizers(self.model, shape, given)
        self.forward: Any = torch.compile(self.model) if given.compile == "on" else self.model
        self.step_tokens: int = given.batch_size * given.context
        self.steps: int | None = None if given.tokens is None else math.ceil(given.tokens / self.step_tokens)
        # What must be the same for a checkpoint to be this run's.
        self.identity = {key: value for key, value in vars(given).items() if key not in _NOT_STATE}
        self.identity |= {"text": text.digest, "torch": str(torch.__version__), "on": self.device.type}

    def share(self, ahead: int = 0) -> float:
        """How much of the budget is used, 0 to 1, or will be after some more steps of the mean length."""
        step = self.progress.step
        if self.steps is not None:
            return (step + ahead) / self.steps
        return min(1.0, self.progress.seconds * (1 + ahead / max(1, step)) / float(self.given.seconds))

    def rate(self, share: float) -> float:
        """The learning rate at this share of the budget, over the peak."""
        given = self.given
        if share < given.warmup:
            return share / float(given.warmup)
        if given.schedule == "constant":
            return 1.0
        left = (1 - share) / (1 - given.warmup)
        if given.schedule == "cosine":
            left = (1 - math.cos(math.pi * left)) / 2
        return float(given.min_lr_ratio + (1 - given.min_lr_ratio) * left)

    def step(self) -> bool:
        """Train on one batch; whether the loss stayed finite."""
        import torch

        given, progress = self.given, self.progress
        # By the step's own number, so that a run that goes on reads what the undisturbed one would.
        order = torch.Generator().manual_seed(given.data_seed * 1_000_003 + progress.step)
        starts = torch.randint(len(self.text.train) - given.context, (given.batch_size, 1), generator=order)
        batch = self.text.train[starts + torch.arange(given.context + 1)].long().to(self.device)
        # At the step's end, as a warmup that begins at its start would waste the first step.
        factor = self.rate(self.share(ahead=1))
        loss_sum = 0.0
        for part in torch.split(batch, given.device_batch):
            loss = self.losses(part).mean() * (len(part) / given.batch_size)
            torch.autograd.backward(loss)
            loss_sum += float(loss.detach())
        limit = given.grad_clip or math.inf
        progress.grad_norm = max(
            progress.grad_norm, float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        )
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * factor
            optimizer.step()
            optimizer.zero_grad()
        progress.losses.append(loss_sum)
        progress.step += 1
        return math.isfinite(loss_sum)

    def losses(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Cross-entropy in nats of each next token, shape (batch * context,), for (batch, context + 1) tokens."""
        import torch

        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            scores = self.forward(batch[:, :-1])
        return torch.nn.functional.cross_entropy(scores.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="none")

    def bits_per_byte(self) -> float:
        """Bits that the model needs for the validation text, over its bytes; the first token is given."""
        import torch

        tokens, context = self.text.validation.long(), self.given.context
        whole = (len(tokens) - 1) // context * context
        windows: list[torch.Tensor] = []
        if whole:
            windows += torch.split(tokens[: whole + 1].unfold(0, context + 1, context), self.given.device_batch)
        if whole + 1 < len(tokens):
            windows.append(tokens[None, whole:])
        self.model.eval()
        with torch.no_grad():
            nats = sum(float(self.losses(window.to(self.device)).double().sum()) for window in windows)
        self.model.train()
        return nats / math.log(2) / int(self.text.validation_bytes[1:].sum())

    def train(self) -> int:
        """Train to the end of the budget; the exit code."""
        import torch

        progress, given = self.progress, self.given
        if self.device.type == "cuda":  # said before it can run out of memory
            total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
            print(f"total_gpu_bytes: {total}", flush=True)
        self.model.train()
        warm, bits = False, math.nan
        while self.share() < 1:
            began = time.monotonic()
            if not self.step():
                print("status: diverged", flush=True)
                return EXIT_DIVERGED
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            if warm:
                progress.seconds += time.monotonic() - began
                progress.timed_tokens += self.step_tokens
            warm = True
            due = math.floor(self.share() * given.evaluations + 1e-9)
            if due > progress.evaluated:
                progress.evaluated = due
                bits = self.bits_per_byte()
                if not math.isfinite(bits):
                    print("status: diverged", flush=True)
                    return EXIT_DIVERGED
                self.say_point(bits)
                self.save()
            if self.asked:
                self.save()
                return EXIT_ASKED
        print(f"val_bpb: {self.bits_per_byte() if math.isnan(bits) else bits:.5f}", flush=True)
        self.say_cost()
        return 0

    def say_point(self, bits: float) -> None:
        """Print one point of the curve, and begin to collect for the next."""
        progress = self.progress
        line = (
            f"step={progress.step} train_loss={sum(progress.losses) / len(progress.losses):.5f} val_bpb={bits:.5f} "
            f"seconds={progress.seconds:.2f} tokens={progress.step * self.step_tokens} "
            f"grad_norm={progress.grad_norm:.4g}" + "".join(f" tokens_per_second={s:.0f}" for s in self.speed())
        )
        print(line, flush=True)
        progress.printed.append(line)
        progress.losses, progress.grad_norm = [], 0.0

    def speed(self) -> list[float]:
        """Tokens a second; empty before the second step."""
        return [self.progress.timed_tokens / self.progress.seconds] if self.progress.seconds else []

    def say_cost(self) -> None:
        """Print what the run needed; mfu only where the device's peak is known."""
        import torch

        print(f"parameters: {sum(weight.numel() for weight in self.model.parameters())}")
        peak = None if self.given.peak_tflops is None else self.given.peak_tflops * 1e12
        if self.device.type == "cuda":
            print(f"peak_gpu_bytes: {torch.cuda.max_memory_reserved()}")
            if peak is None and self.half:
                peak = _PEAK_FLOPS.get(torch.cuda.get_device_name())
        for tokens_per_second in self.speed():
            print(f"tokens_per_second: {tokens_per_second:.0f}")
            if peak is not None:
                print(f"mfu: {tokens_per_second * self.model.flops_per_token() / peak:.4f}")
        sys.stdout.flush()

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        import torch

        if not self.given.checkpoint:
            return
        state = {
            "identity": self.identity,
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        path = Path(self.given.checkpoint)
        path.parent.mkdir(parents=True, exist_ok=True)
        half_written = path.with_name(path.name + ".part")
        torch.save(state, half_written)
        half_written.replace(path)

    def resume(self) -> None:
        """Go on from the checkpoint where there is one, after printing the points that it has.

        Raises:
            TextError: it is another run's.
        """
        import torch

        if not self.given.checkpoint or not Path(self.given.checkpoint).exists():
            return
        state = torch.load(self.given.checkpoint, map_location=self.device, weights_only=True)
        now, then = self.identity, state["identity"]
        if other := [key for key in now if now[key] != then.get(key)]:
            said = ", ".join(f"{key} {then.get(key)} (now {now[key]})" for key in other)
            raise TextError(f"the checkpoint {self.given.checkpoint} is of another run: {said}; name another file")
        self.progress = Progress(**state["progress"])
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        torch.set_rng_state(state["random"].cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"].cpu())
        for line in self.progress.printed:
            print(line, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 3 where training diverged, 143 where it was asked to end (and has kept its state)."""
    given = arguments(argv)
    # cuBLAS is deterministic only with this, set before it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        text = read(given.data, given.validation_bytes)
        print(f"text: {text.origin}, sha256 {text.digest}, {len(text.train)} bytes to train on", flush=True)
        run = Run(given, text)
        run.resume()
    except TextError as error:
        parser().error(str(error))
    with contextlib.suppress(ValueError):  # a signal handler belongs to the main thread alone
        signal.signal(signal.SIGTERM, lambda *_: setattr(run, "asked", True))
    return run.train()


if __name__ == "__main__":
    sys.exit(main())
