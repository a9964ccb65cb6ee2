"""The command line of `torch_lm`: its options, their defaults, and what cannot go together."""

import argparse
import math

from .torch_errors import conflict
from .torch_options import add_training, check_above, check_range, check_training, only_for


def parser() -> argparse.ArgumentParser:
    """The command line, with the default of each option."""
    options = argparse.ArgumentParser(
        prog="torch_lm",
        description="Pretrains a small GPT on a text and prints its validation bits per byte.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--data", help="the text to train on; the standard library's source where not given")
    add("--tokenizer", choices=["bytes", "bpe"], default="bytes", help="bytes, or a BPE made from the text")
    add("--vocab-size", type=int, help="tokens of the bpe, 1024 where not given; not for bytes")
    add("--validation-bytes", type=int, default=65536, help="bytes of the validation text that are measured")
    add("--depth", type=int, default=4, help="blocks")
    add("--width", type=int, default=128, help="size of the residual stream; a multiple of 2 x heads")
    add("--heads", type=int, default=4, help="attention heads")
    add("--mlp-ratio", type=float, default=4.0, help="hidden size of a block's network, over the width")
    add("--activation", choices=["gelu", "relu2"], default="gelu", help="of a block's network")
    add("--context", type=int, default=128, help="tokens of a sequence")
    add("--dropout", type=float, default=0.0, help="share of each block's output dropped in training")
    add("--init-std", type=float, default=0.02, help="standard deviation of the weights at the start")
    add("--mup-base-width", type=int, help="muP: the width at which the other numbers were tuned")
    add("--mup-base-head-dim", type=int, help="muP: width / heads at the base; as here where not given")
    add("--optimizer", choices=["adamw", "muon"], default="adamw", help="muon: for the blocks' matrices, rest adamw")
    add("--beta1", type=float, default=0.9, help="of adamw")
    add("--beta2", type=float, default=0.95, help="of adamw")
    add("--muon-learning-rate", type=float, help="peak learning rate of muon, 0.02 where not given")
    add("--muon-momentum", type=float, help="momentum of muon, 0.95 where not given")
    add("--tokens", type=float, help="budget: tokens trained on, rounded up to whole steps")
    add("--peak-tflops", type=float, help="of the device in 1e12 per second, for mfu; known for some GPUs")
    shared = {"batch_size": 16, "learning_rate": 2e-3, "weight_decay": 0.1, "min_lr_ratio": 0.1, "grad_clip": 1.0}
    add_training(options, shared, "sequences", "of the order of the text")
    return options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The checked command line; exits with a message where a value cannot be used."""
    options = parser()
    given = options.parse_args(argv)
    check_training(options, given, "tokens")
    check_range(
        options, given, "depth width heads context validation_bytes mup_base_width mup_base_head_dim", 1, math.inf
    )
    check_range(options, given, "dropout muon_momentum", 0, 1)
    check_above(options, given, "mlp_ratio init_std muon_learning_rate peak_tflops")
    check_range(options, given, "vocab_size", 257, math.inf)  # the bytes, and one more
    if given.mup_base_head_dim is not None and given.mup_base_width is None:
        options.error("--mup-base-head-dim needs --mup-base-width")
    for name, default in (("muon_learning_rate", 0.02), ("muon_momentum", 0.95)):
        only_for(options, given, name, "optimizer", "muon", default)
    only_for(options, given, "vocab_size", "tokenizer", "bpe", 1024)
    if given.width % (2 * given.heads):
        conflict(options, f"--width {given.width} is not a multiple of 2 x --heads {given.heads}")
    if int(given.width * given.mlp_ratio) < 1:
        conflict(options, f"--mlp-ratio {given.mlp_ratio:g} of --width {given.width} is no hidden unit")
    return given
