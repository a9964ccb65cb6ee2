"""Dataclasses handed to HfArgumentParser: flat flags, true/false with a value."""

from dataclasses import dataclass, field

from transformers import HfArgumentParser


@dataclass
class ModelArguments:
    model_name_or_path: str = field(default="bert", metadata={"help": "a path"})
    dropout: float = field(default=0.1, metadata={"help": "share of units dropped"})
    tie: bool = field(default=True)


@dataclass
class Unused:
    other: float = 1.0


parser = HfArgumentParser((ModelArguments,))
(args,) = parser.parse_args_into_dataclasses()
print("eval_loss: {:.4f}".format(args.dropout))  # noqa: UP032
