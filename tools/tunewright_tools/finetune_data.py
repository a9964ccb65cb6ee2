"""Instructions for `finetune`: a JSONL file as the numbers of tokens that a causal language model reads.

Each line is an object with `instruction`, `output` and, if there is one, `input`; or with `prompt` and `completion`.
Where the tokenizer has a chat template, the instruction becomes a user's message in it; else instruction and input are
lines, and the answer follows on the next line. The answer ends with the tokenizer's end-of-sequence token.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .torch_errors import TrainingError

FORM = "each line is an object with instruction, output and perhaps input, or with prompt and completion, all text"


@dataclass(frozen=True)
class Example:
    """What is asked and what should be answered, as text and as tokens."""

    answer: str
    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    """The end-of-sequence token included."""

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.answer_ids)


@dataclass(frozen=True)
class Examples:
    """What is trained on and what is held out."""

    train: list[Example]
    validation: list[Example]
    left_out: int
    """How many had more tokens than the limit."""

    @property
    def digest(self) -> str:
        """The first 12 digits of the SHA-256 of all tokens."""
        whole = [[(e.prompt_ids, e.answer_ids) for e in part] for part in (self.train, self.validation)]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:12]


def read(given: Any, tokenizer: Any) -> Examples:
    """The examples of the options `data` and `validation_data`, or a share of the former held out.

    Raises:
        TrainingError: a file cannot be read, or too few examples are left.
    """
    import numpy as np

    pairs = _pairs(given.data)
    if given.validation_data:
        train, held = pairs, _pairs(given.validation_data)
    else:
        order = np.random.default_rng(given.data_seed).permutation(len(pairs))
        cut = max(1, round(len(pairs) * given.validation_share))
        train, held = ([pairs[place] for place in part] for part in (order[cut:], order[:cut]))
    made = [[encode(tokenizer, *pair) for pair in part] for part in (train, held)]
    kept = [[example for example in part if len(example) <= given.max_tokens] for part in made]
    if not all(kept):
        raise TrainingError(
            f"of {len(pairs)} examples {given.data} leaves {len(kept[0])} to train on and {len(kept[1])} to measure on "
            f"with at most --max-tokens {given.max_tokens}; give more examples or more tokens"
        )
    return Examples(kept[0], kept[1], sum(map(len, made)) - sum(map(len, kept)))


def _pairs(path: str) -> list[tuple[str, str]]:
    try:
        # Not splitlines: within a JSON text may stand what it takes for a line's end, such as U+2028 or a next line.
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}; it is JSONL, {FORM}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise TrainingError(f"line {number} of {path} is no JSON ({error}); {FORM}") from None
        found.append(_pair(record, f"line {number} of {path}"))
    return found


def _pair(record: Any, where: str) -> tuple[str, str]:
    names = set(record) if isinstance(record, dict) else set()
    asked, answer = ("prompt", "completion") if "prompt" in names else ("instruction", "output")
    parts = [record[name] for name in (asked, "input", answer) if name in names]
    if not {asked, answer} <= names or not all(isinstance(part, str) for part in parts) or not record[answer].strip():
        raise TrainingError(f"{where} has {sorted(names) or record!r}; {FORM}, and an answer that is not empty")
    extra = record.get("input", "") if asked == "instruction" else ""
    return (f"{record[asked]}\n{extra}" if extra else record[asked]), record[answer].strip()


def encode(tokenizer: Any, asked: str, answer: str) -> Example:
    """The example as tokens."""
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": asked}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]  # the template has written them
    else:
        prompt = tokenizer(asked + "\n")["input_ids"]
    end = tokenizer.eos_token_id
    return Example(answer, tuple(prompt), (*tokenizer(answer, add_special_tokens=False)["input_ids"], end))
