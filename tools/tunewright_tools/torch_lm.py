"""Pretrains a small GPT on a text and prints its validation bits per byte.

Run as `python -m tunewright_tools.torch_lm --seconds 60`, or with `--tokens 2e6` for a budget that does not depend on
the machine; on a CPU, or on one NVIDIA GPU. `--data FILE` names the text (see `torch_lm_text` for what is used without
one and how it is cut); `torch_lm_model` holds the network and its optimizers, `torch_lm_options` the options,
`torch_loop` the loop, with what it prints, its checkpoint and its exit codes.

`val_bpb` is the cross-entropy of the validation text in bits, divided by its bytes, so it can be compared across
tokenizers. `mfu` is printed where the device's peak is known: 6 operations for each weight and token, over that peak.
"""

import math
import sys
from typing import TYPE_CHECKING, Any

from .torch_device import half_precision
from .torch_errors import ConflictError, told
from .torch_lm_options import arguments, parser
from .torch_lm_text import Text, Tokens, as_bpe, as_bytes, read
from .torch_loop import Task, go

if TYPE_CHECKING:
    import torch

_PEAK_FLOPS = {
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H200": 989e12,
}
"""Dense bfloat16 operations a second, from NVIDIA's data sheets, by the name that torch gives the GPU."""


class Pretraining(Task):
    """Learning to say the next token of a text.

    Args:
        given: the checked options.
        text: what it trains and measures on.
        device: where the network is.

    Raises:
        TrainingError: the text cannot be made into tokens, or is shorter than one sequence.
    """

    unit = "tokens"

    def __init__(self, given: Any, text: Text, device: "torch.device") -> None:
        from .torch_lm_model import Gpt, Shape

        self.given, self.device, self.digest = given, device, text.digest
        self.text: Tokens = as_bytes(text) if given.tokenizer == "bytes" else as_bpe(text, given.vocab_size)
        if len(self.text.train) <= given.context:
            raise ConflictError(f"{len(self.text.train)} tokens to train on are no more than --context {given.context}")
        sizes = {key: getattr(given, key) for key in Shape.__dataclass_fields__ if key != "vocabulary"}
        self.shape = Shape(vocabulary=self.text.vocabulary, **sizes)
        self.model: Any = Gpt(self.shape).to(device)
        self.step_size = given.batch_size * given.context
        self.steps = None if given.tokens is None else math.ceil(given.tokens / self.step_size)

    def optimizers(self) -> "list[torch.optim.Optimizer]":
        """AdamW, or Muon and AdamW."""
        from .torch_lm_model import optimizers

        return optimizers(self.model, self.shape, self.given)

    def batch(self, step: int) -> tuple["torch.Tensor", ...]:
        """Sequences from anywhere in the text, (batch, context + 1)."""
        import torch

        given = self.given
        order = torch.Generator().manual_seed(given.data_seed * 1_000_003 + step)
        starts = torch.randint(len(self.text.train) - given.context, (given.batch_size, 1), generator=order)
        return (self.text.train[starts + torch.arange(given.context + 1)].long().to(self.device),)

    def loss(self, forward: Any, part: tuple["torch.Tensor", ...], whole: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        """Cross-entropy in nats: the mean over the part's tokens, by its share of the sequences."""
        return self.nats(forward, part[0]).mean() * (len(part[0]) / len(whole[0]))

    def nats(self, forward: Any, batch: "torch.Tensor") -> "torch.Tensor":
        """Cross-entropy in nats of each next token, shape (batch * context,), for (batch, context + 1) tokens."""
        from torch.nn import functional

        scores = forward(batch[:, :-1]).float().flatten(0, 1)
        return functional.cross_entropy(scores, batch[:, 1:].flatten(), reduction="none")

    def evaluate(self, model: Any) -> dict[str, float]:
        """`val_bpb`: bits that the model needs for the validation text, over its bytes; the first token is given."""
        import torch

        tokens, context = self.text.validation.long(), self.given.context
        whole = (len(tokens) - 1) // context * context
        windows: list[torch.Tensor] = []
        if whole:
            windows += torch.split(tokens[: whole + 1].unfold(0, context + 1, context), self.given.device_batch)
        if whole + 1 < len(tokens):
            windows.append(tokens[None, whole:])
        nats = sum(float(self.nats(model, window.to(self.device)).double().sum()) for window in windows)
        return {"val_bpb": nats / math.log(2) / int(self.text.validation_bytes[1:].sum())}

    def place(self, step: int) -> str:
        """`tokens=`."""
        return f"tokens={step * self.step_size}"

    def costs(self, speed: float) -> dict[str, float]:
        """`mfu`, where the device's peak is known."""
        import torch

        peak = self.given.peak_tflops and self.given.peak_tflops * 1e12
        if peak is None and self.device.type == "cuda" and half_precision(self.given.amp, self.device):
            peak = _PEAK_FLOPS.get(torch.cuda.get_device_name())
        return {} if peak is None else {"mfu": speed * self.model.flops_per_token() / peak}


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 3 where training diverged, 143 where it was asked to end (and has kept its state)."""
    given = arguments(argv)
    with told(parser()):
        text = read(given.data, given.validation_bytes)
        print(f"text: {text.origin}, sha256 {text.digest}, {len(text.train)} bytes to train on", flush=True)
        return go(given, lambda device: Pretraining(given, text, device))


if __name__ == "__main__":
    sys.exit(main())
