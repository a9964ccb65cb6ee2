"""Fine-tunes a local causal language model with LoRA on instructions and prints held-out loss and exact match.

    python -m tunewright_tools.finetune --model ./model --data instructions.jsonl --epochs 3

Needs `pip install 'tunewright[finetune]'`: transformers and peft. The model is a folder that `save_pretrained` wrote;
nothing is downloaded. `finetune_data` has the form of the instructions, `torch_loop` the loop, with what it prints, its
checkpoint (of the adapter alone) and its exit codes, `torch_options` the options that trainers share.

`val_loss` is the mean cross-entropy in nats of the tokens of the held-out answers, `val_exact_match` the share of
held-out answers, of the first `--generated`, that greedy decoding gives word for word (white space at the ends aside).
LoRA: Hu et al. 2021, arXiv 2106.09685; the answers alone are learned, not the instructions.
"""

# ruff: noqa: T201  (what a trainer prints is its result)
import argparse
import math
import sys
from typing import TYPE_CHECKING, Any

from .finetune_data import Example, Examples, read
from .torch_device import half_precision
from .torch_epochs import Epochs
from .torch_errors import TrainingError, told
from .torch_loop import go
from .torch_options import add_epochs, add_training, check_above, check_epochs, check_range

if TYPE_CHECKING:
    import numpy as np
    import torch

_NO_LOSS = -100
"""The label of a token that is not learned; what torch's cross-entropy passes over."""
_SLACK = 8
"""Tokens that an answer may be longer than the right one: the same text can be cut into other tokens."""


def parser() -> argparse.ArgumentParser:
    """The command line, with the default of each option."""
    options = argparse.ArgumentParser(
        prog="finetune",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--model", required=True, help="the folder of the model and its tokenizer")
    add("--data", required=True, help="JSONL with instruction, input and output, or prompt and completion")
    add("--validation-data", help="JSONL to measure on; a share of --data is held out where not given")
    add("--validation-share", type=float, default=0.1, help="of --data, held out")
    add("--max-tokens", type=int, default=512, help="longer examples are left out, and their number is printed")
    add(
        "--generated", type=int, default=64, help="held-out instructions that are answered for the exact match; 0: none"
    )
    add("--lora-rank", type=int, default=8, help="rank of the adapters")
    add("--lora-alpha", type=float, default=16.0, help="adapters are scaled by alpha / rank")
    add("--lora-dropout", type=float, default=0.0, help="share of an adapter's input dropped in training")
    add("--lora-targets", default="all-linear", help="names of layers, separated by commas, or all-linear")
    add(
        "--weights",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="of the model; auto: bfloat16 on a GPU that has it",
    )
    add("--adapter", help="folder to write the trained adapter to at the end")
    shared = {"batch_size": 8, "learning_rate": 2e-4, "weight_decay": 0.0, "evaluations": 3, "grad_clip": 1.0}
    add_training(options, shared)
    add_epochs(options, average=False)
    return options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The checked command line; exits with a message where a value cannot be used."""
    options = parser()
    given = options.parse_args(argv)
    check_epochs(options, given)
    check_range(options, given, "max_tokens lora_rank", 1, math.inf)
    check_range(options, given, "generated", 0, math.inf)
    check_range(options, given, "lora_dropout", 0, 1)
    check_above(options, given, "validation_share", 1)
    check_above(options, given, "lora_alpha")
    return given


class Answers(Epochs):
    """Learning to answer instructions with an adapter on a frozen model.

    Args:
        given: the checked options.
        tokenizer: the model's.
        examples: what it trains and measures on.
        device: where the model is.

    Raises:
        TrainingError: the model cannot be read, or has no layers of the names of `--lora-targets`.
    """

    def __init__(self, given: Any, tokenizer: Any, examples: Examples, device: "torch.device") -> None:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        super().__init__(given, len(examples.train), examples.digest)
        self.tokenizer, self.data, self.device = tokenizer, examples, device
        targets = given.lora_targets
        if targets != "all-linear":
            targets = [name.strip() for name in targets.split(",")]
        lora = LoraConfig(
            r=given.lora_rank,
            lora_alpha=given.lora_alpha,
            lora_dropout=given.lora_dropout,
            target_modules=targets,
            task_type="CAUSAL_LM",
        )
        try:
            base = AutoModelForCausalLM.from_pretrained(
                given.model,
                local_files_only=True,
                dtype=torch.bfloat16 if half_precision(given.weights, device) else torch.float32,
            )
            self.model: Any = get_peft_model(base, lora).to(device)
        except (OSError, ValueError) as error:
            raise TrainingError(f"--model {given.model} cannot be given adapters: {error}") from None
        self.padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def rows(self, picked: "np.ndarray[Any, Any]", random: "np.random.Generator") -> tuple["torch.Tensor", ...]:
        """Tokens, attention mask and labels, each (n, longest)."""
        return self.tensors([self.data.train[int(place)] for place in picked])

    def tensors(self, examples: list[Example]) -> tuple["torch.Tensor", ...]:
        """Tokens, attention mask and labels, each (n, longest), padded on the right."""
        import torch

        longest = max(map(len, examples))
        ids = torch.full((len(examples), longest), self.padding)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, _NO_LOSS)
        for row, example in enumerate(examples):
            whole, start = torch.tensor(example.prompt_ids + example.answer_ids), len(example.prompt_ids)
            ids[row, : len(whole)], mask[row, : len(whole)] = whole, 1
            labels[row, start : len(whole)] = whole[start:]
        return ids.to(self.device), mask.to(self.device), labels.to(self.device)

    def loss(self, forward: Any, part: tuple["torch.Tensor", ...], whole: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        """Cross-entropy in nats: the sum over the part's answers, over the number of their tokens in the batch."""
        return self._nats(forward, part) / (whole[2][:, 1:] != _NO_LOSS).sum()

    def _nats(self, forward: Any, part: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        import torch

        ids, mask, labels = part
        scores = forward(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        return torch.nn.functional.cross_entropy(
            scores.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_NO_LOSS, reduction="sum"
        )

    def evaluate(self, model: Any) -> dict[str, float]:
        """`val_loss`, and `val_exact_match` where it is asked for."""
        size, held = self.given.device_batch, self.data.validation
        nats = sum(
            float(self._nats(model, self.tensors(held[start : start + size]))) for start in range(0, len(held), size)
        )
        metrics = {"val_loss": nats / sum(len(example.answer_ids) for example in held)}
        if asked := held[: self.given.generated]:
            right = sum(self.answer(model, example) == example.answer for example in asked)
            metrics["val_exact_match"] = right / len(asked)
        return metrics

    def answer(self, model: Any, example: Example) -> str:
        """What greedy decoding says, up to a few tokens more than the right answer has."""
        import torch

        prompt = torch.tensor([example.prompt_ids], device=self.device)
        said = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=len(example.answer_ids) + _SLACK,
            pad_token_id=self.padding,
            eos_token_id=self.tokenizer.eos_token_id,
        )
        return str(self.tokenizer.decode(said[0, len(example.prompt_ids) :], skip_special_tokens=True)).strip()


def load_tokenizer(path: str) -> Any:
    """The tokenizer in a model's folder.

    Raises:
        TrainingError: transformers or peft is not installed, or there is none.
    """
    try:
        import peft  # noqa: F401
        from transformers import AutoTokenizer
    except ImportError as error:
        raise TrainingError(f"{error.name} is missing; pip install 'tunewright[finetune]'") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError) as error:
        raise TrainingError(f"--model {path} is no folder with a model and its tokenizer: {error}") from None
    if tokenizer.eos_token_id is None:
        raise TrainingError(f"the tokenizer in {path} has no end-of-sequence token; answers could not end")
    return tokenizer


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 3 where training diverged, 143 where it was asked to end (and has kept its state)."""
    given = arguments(argv)
    made: list[Answers] = []

    def make(device: "torch.device") -> Answers:
        made.append(Answers(given, tokenizer, examples, device))
        return made[0]

    with told(parser()):
        tokenizer = load_tokenizer(given.model)
        examples = read(given, tokenizer)
        print(f"examples: {len(examples.train)} to train on, {len(examples.validation)} to measure on", flush=True)
        print(f"left_out: {examples.left_out}", flush=True)
        code = go(given, make)
    if given.adapter and code == 0:
        made[0].model.save_pretrained(given.adapter)
    return code


if __name__ == "__main__":
    sys.exit(main())
