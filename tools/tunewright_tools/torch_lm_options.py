"""The command line of `torch_lm`: its options, their defaults, and what cannot go together."""

import argparse
import math
import os


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
    add("--depth", type=int, default=4, help="blocks")
    add("--width", type=int, default=128, help="size of the residual stream; a multiple of 2 x heads")
    add("--heads", type=int, default=4, help="attention heads")
    add("--mlp-ratio", type=float, default=4.0, help="hidden size of a block's network, over the width")
    add("--activation", choices=["gelu", "relu2"], default="gelu", help="of a block's network")
    add("--context", type=int, default=128, help="tokens of a sequence")
    add("--batch-size", type=int, default=16, help="sequences of an optimizer step")
    add("--device-batch", type=int, help="sequences at a time on the device (gradients accumulate); all if not given")
    add("--optimizer", choices=["adamw", "muon"], default="adamw", help="muon: for the blocks' matrices, rest adamw")
    add("--learning-rate", type=float, default=2e-3, help="peak learning rate of adamw")
    add("--muon-learning-rate", type=float, help="peak learning rate of muon, 0.02 where not given")
    add("--muon-momentum", type=float, help="momentum of muon, 0.95 where not given")
    add("--schedule", choices=["cosine", "linear", "constant"], default="cosine", help="after the warmup")
    add("--min-lr-ratio", type=float, default=0.1, help="learning rate at the end, over the peak; not for constant")
    add("--warmup", type=float, default=0.05, help="share of the budget in which the learning rate rises from 0")
    add("--weight-decay", type=float, default=0.1, help="decay of all matrices")
    add("--beta1", type=float, default=0.9, help="of adamw")
    add("--beta2", type=float, default=0.95, help="of adamw")
    add("--grad-clip", type=float, default=1.0, help="largest norm of the gradient; 0 clips nothing")
    add("--dropout", type=float, default=0.0, help="share of each block's output dropped in training")
    add("--init-std", type=float, default=0.02, help="standard deviation of the weights at the start")
    add("--mup-base-width", type=int, help="muP: the width at which the other numbers were tuned")
    add("--mup-base-head-dim", type=int, help="muP: width / heads at the base; as here where not given")
    add("--seconds", type=float, help="budget: seconds of training")
    add("--tokens", type=float, help="budget: tokens trained on, rounded up to whole steps")
    add("--evaluations", type=int, default=10, help="how often to measure, the end included")
    add("--validation-bytes", type=int, default=65536, help="bytes of the validation text that are measured")
    add("--seed", type=int, default=int(os.environ.get("TUNEWRIGHT_SEED", "0")), help="of weights and dropout")
    add("--data-seed", type=int, default=0, help="of the order of the text")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: a GPU where there is one")
    add("--amp", choices=["auto", "off", "bfloat16"], default="auto", help="auto: bfloat16 on a GPU")
    add("--compile", choices=["off", "on"], default="off", help="torch.compile; wants a C++ compiler on a CPU")
    add("--threads", type=int, default=1, help="CPU threads of torch")
    add("--peak-tflops", type=float, help="of the device in 1e12 per second, for mfu; known for some GPUs")
    add("--checkpoint", default=os.environ.get("TUNEWRIGHT_CHECKPOINT"), help="file to go on from and to write")
    return options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The checked command line; exits with 2 and a message where a value cannot be used."""
    options = parser()
    given = options.parse_args(argv)
    given.device_batch = given.batch_size if given.device_batch is None else given.device_batch
    for name in ("depth", "width", "heads", "context", "batch_size", "device_batch", "evaluations", "threads"):
        if getattr(given, name) < 1:
            options.error(f"--{name.replace('_', '-')} must be at least 1, not {getattr(given, name)}")
    for name in ("mlp_ratio", "learning_rate", "init_std", "muon_learning_rate", "seconds", "tokens", "mup_base_width"):
        if (value := getattr(given, name)) is not None and not 0 < value < math.inf:
            options.error(f"--{name.replace('_', '-')} must be a finite number above 0, not {value}")
    for name in ("dropout", "warmup", "beta1", "beta2", "muon_momentum"):
        if (value := getattr(given, name)) is not None and not 0 <= value < 1:
            options.error(f"--{name.replace('_', '-')} must be at least 0 and below 1, not {value}")
    if not (0 <= given.min_lr_ratio <= 1 and given.weight_decay >= 0 and given.grad_clip >= 0):
        options.error("--min-lr-ratio must be from 0 to 1, --weight-decay and --grad-clip at least 0")
    if given.width % (2 * given.heads):
        options.error(f"--width {given.width} is not a multiple of 2 x --heads {given.heads}")
    if given.device_batch > given.batch_size:
        options.error(f"--device-batch {given.device_batch} is above --batch-size {given.batch_size}")
    if (given.seconds is None) == (given.tokens is None):
        options.error("give one budget: --seconds or --tokens")
    if given.optimizer != "muon" and (given.muon_learning_rate, given.muon_momentum) != (None, None):
        options.error("--muon-learning-rate and --muon-momentum are for --optimizer muon")
    if given.mup_base_head_dim is not None and (given.mup_base_width is None or given.mup_base_head_dim < 1):
        options.error("--mup-base-head-dim is at least 1, and needs --mup-base-width")
    if given.tokenizer == "bytes" and given.vocab_size is not None:
        options.error("--vocab-size is for --tokenizer bpe; bytes have 256")
    if given.vocab_size is not None and given.vocab_size <= 256:
        options.error(f"--vocab-size must be above 256, the number of bytes, not {given.vocab_size}")
    given.muon_learning_rate = 0.02 if given.muon_learning_rate is None else given.muon_learning_rate
    given.muon_momentum = 0.95 if given.muon_momentum is None else given.muon_momentum
    return given
