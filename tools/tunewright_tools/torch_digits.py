"""Trains a small network on scikit-learn's handwritten digits: a real training run of a few seconds.

Run as `python -m tunewright_tools.torch_digits --learning-rate 0.01`, on a CPU core or an NVIDIA GPU (where it
computes in bfloat16, if it has that). After each epoch it prints `epoch=... train_loss=... val_accuracy=...
val_loss=...`, and at the end the last values on lines of their own. Half of the 1,797 images are for validation, so
that one image is 0.1 points of accuracy. The same arguments give the same result on the same machine. Where a loss is
no longer finite it prints `status: diverged` and exits with 3.
"""

import argparse
import math
import os
import sys
from typing import TYPE_CHECKING, Any

from .torch_device import half_precision, open_device
from .torch_errors import told

if TYPE_CHECKING:
    import torch

Images = tuple["torch.Tensor", "torch.Tensor"]
"""Pixels (n, 64) as float32 between 0 and 1, and digits (n,) as int64."""


def parser() -> argparse.ArgumentParser:
    """The command line, with the default of each option."""
    options = argparse.ArgumentParser(
        prog="torch_digits",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--arch", choices=["mlp", "cnn"], default="mlp", help="fully connected, or convolutions and one linear layer")
    add("--width", type=int, default=64, help="units of a hidden layer, or channels of a convolution")
    add("--depth", type=int, default=2, help="hidden layers, or convolutions")
    add("--learning-rate", type=float, default=0.05, help="peak learning rate; falls to 0 along a cosine")
    add("--batch-size", type=int, default=64, help="images a step")
    add("--optimizer", choices=["adamw", "sgd"], default="sgd", help="the optimizer")
    add("--momentum", type=float, help="of sgd, 0.9 where not given; not for adamw")
    add("--weight-decay", type=float, default=0.0, help="decay of the weights")
    add("--dropout", type=float, default=0.0, help="share of hidden units dropped in training")
    add("--label-smoothing", type=float, default=0.0, help="probability spread evenly over all digits")
    add("--epochs", type=int, default=15, help="passes over the training half")
    add("--seed", type=int, default=int(os.environ.get("TUNEWRIGHT_SEED", "0")), help="of weights, order and dropout")
    add("--data-seed", type=int, default=0, help="of the split; keep it fixed, so that runs can be compared")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: a GPU where there is one")
    add("--threads", type=int, default=1, help="CPU threads of torch")
    return options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The checked command line; exits with 2 and a message where a value cannot be used."""
    options = parser()
    given = options.parse_args(argv)
    for name in ("width", "depth", "batch_size", "epochs", "threads"):
        if getattr(given, name) < 1:
            options.error(f"--{name.replace('_', '-')} must be at least 1, not {getattr(given, name)}")
    for name in ("dropout", "label_smoothing", "momentum"):
        if not 0 <= (getattr(given, name) or 0) < 1:
            options.error(f"--{name.replace('_', '-')} must be at least 0 and below 1, not {getattr(given, name)}")
    if not (0 < given.learning_rate < math.inf and 0 <= given.weight_decay < math.inf):
        options.error("--learning-rate must be above 0, --weight-decay at least 0, and both finite")
    if not 0 <= given.data_seed < 2**32:
        options.error(f"--data-seed must be at least 0 and below 2**32, not {given.data_seed}")
    if given.momentum is not None and given.optimizer != "sgd":
        options.error("--momentum is for --optimizer sgd")
    return given


def data(data_seed: int, device: "torch.device") -> tuple[Images, Images]:
    """The training half and the validation half, each digit equally often in both."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, digits = load_digits(return_X_y=True)
    halves = train_test_split(pixels / 16.0, digits, test_size=0.5, random_state=data_seed, stratify=digits)
    train_x, val_x = (torch.tensor(half, dtype=torch.float32, device=device) for half in halves[:2])
    train_y, val_y = (torch.tensor(half, dtype=torch.int64, device=device) for half in halves[2:])
    return (train_x, train_y), (val_x, val_y)


def network(arch: str, width: int, depth: int, dropout: float) -> "torch.nn.Module":
    """A network from pixels (n, 64) to scores (n, 10)."""
    from torch import nn

    layers: list[nn.Module] = []
    if arch == "mlp":
        inputs = 64
        for _ in range(depth):
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
            inputs = width
        return nn.Sequential(*layers, nn.Linear(inputs, 10))
    layers.append(nn.Unflatten(1, (1, 8, 8)))
    channels = 1
    for index in range(depth):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
        if index < 2:
            layers.append(nn.MaxPool2d(2))
        channels = width
    side = 8 >> min(depth, 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(width * side * side, 10))


def evaluate(model: "torch.nn.Module", images: Images, half_precision: bool) -> tuple[float, float]:
    """Accuracy (share of 1) and mean cross-entropy on these images."""
    import torch

    pixels, digits = images
    model.eval()
    with torch.no_grad(), torch.autocast(pixels.device.type, torch.bfloat16, enabled=half_precision):
        scores = model(pixels).float()
    loss = torch.nn.functional.cross_entropy(scores, digits)
    return float((scores.argmax(1) == digits).float().mean()), float(loss)


def train(given: Any) -> bool:
    """Train and print; whether the loss stayed finite."""
    import torch

    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    device = open_device(given.device)
    half = half_precision("auto", device)
    (pixels, digits), validation = data(given.data_seed, device)
    model = network(given.arch, given.width, given.depth, given.dropout).to(device)
    shared = {"lr": given.learning_rate, "weight_decay": given.weight_decay}
    optimizer: torch.optim.Optimizer
    if given.optimizer == "sgd":
        momentum = 0.9 if given.momentum is None else given.momentum
        optimizer = torch.optim.SGD(model.parameters(), momentum=momentum, **shared)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), **shared)
    steps = given.epochs * math.ceil(len(pixels) / given.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    # On the CPU whatever the device, so that the order of images is the same on both.
    shuffle = torch.Generator().manual_seed(given.seed)
    accuracy = val_loss = math.nan
    for epoch in range(1, given.epochs + 1):
        model.train()
        total = torch.zeros((), device=device)
        for batch in torch.split(torch.randperm(len(pixels), generator=shuffle).to(device), given.batch_size):
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                scores = model(pixels[batch])
            loss = torch.nn.functional.cross_entropy(
                scores.float(), digits[batch], label_smoothing=given.label_smoothing
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(batch)
        train_loss = float(total) / len(pixels)
        accuracy, val_loss = evaluate(model, validation, half)
        if not math.isfinite(train_loss) or not math.isfinite(val_loss):
            print("status: diverged", flush=True)
            return False
        print(
            f"epoch={epoch} train_loss={train_loss:.5f} val_accuracy={accuracy:.5f} val_loss={val_loss:.5f}", flush=True
        )
    print(f"val_accuracy: {accuracy:.5f}\nval_loss: {val_loss:.5f}", flush=True)
    return True


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, or 3 where training diverged."""
    given = arguments(argv)
    # cuBLAS is deterministic only with this, set before it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with told(parser()):
        return 0 if train(given) else 3


if __name__ == "__main__":
    sys.exit(main())
