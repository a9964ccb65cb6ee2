"""Trains an MLP with embeddings on a table, for classes or for a number, and prints its validation loss.

Run as `python -m tunewright_tools.torch_tabular --data table.csv --target price --epochs 50`, on a CPU or on one NVIDIA
GPU. `torch_tabular_data` says how columns are read, `torch_tabular_model` holds the network, `torch_loop` the loop,
with what it prints, its checkpoint and its exit codes, `torch_epochs` and `torch_options` what trainers share.

For classes `val_loss` is the mean cross-entropy in nats, without label smoothing, and `val_accuracy` the share of right
ones. For a number `val_loss` is the mean squared error over the variance of the training targets, `val_rmse` the root
mean squared error in the target's own unit, and `val_r2` the share of the validation targets' variance explained.
"""

import argparse
import math
import sys
from typing import TYPE_CHECKING, Any

from .torch_epochs import Epochs
from .torch_errors import told
from .torch_loop import go
from .torch_options import add_epochs, add_training, check_above, check_epochs, check_range, only_for
from .torch_tabular_data import BUILT_IN, MOST_CLASSES, Part, Table, read

if TYPE_CHECKING:
    import numpy as np
    import torch


def parser() -> argparse.ArgumentParser:
    """The command line, with the default of each option."""
    options = argparse.ArgumentParser(
        prog="torch_tabular",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--data", default="breast_cancer", help=f"a CSV file, or of scikit-learn {', '.join(BUILT_IN)}")
    add("--target", help="the column to predict, the last if not given")
    add("--categorical", help="columns of numbers that are categories, separated by commas")
    classes = f"auto: classes if text or at most {MOST_CLASSES} whole numbers"
    add("--task", choices=["auto", "classification", "regression"], default="auto", help=classes)
    add(
        "--transform",
        choices=["standard", "quantile"],
        default="standard",
        help="of numbers: to unit variance, or to normal",
    )
    add("--validation-share", type=float, default=0.2, help="rows split off to measure on")
    add("--width", type=int, default=128, help="units of a hidden layer")
    add("--depth", type=int, default=2, help="hidden layers")
    add("--norm", choices=["none", "layer", "batch"], default="none", help="after each hidden linear layer")
    add("--activation", choices=["relu", "gelu", "silu"], default="relu", help="of the hidden layers")
    add("--dropout", type=float, default=0.0, help="share of hidden units dropped in training")
    add("--embedding-size", type=int, default=8, help="of a category, and of a number with a periodic embedding")
    add("--number-embedding", choices=["none", "periodic"], default="none", help="periodic: sines of learned frequency")
    add("--frequencies", type=int, help="of a periodic embedding, for each column, 16 if not given")
    add("--frequency-std", type=float, help="standard deviation of the frequencies at the start, 0.1 if not given")
    add("--label-smoothing", type=float, default=0.0, help="of classification: probability spread over all classes")
    add_training(options)
    add_epochs(options)
    return options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The checked command line; exits with a message where a value cannot be used."""
    options = parser()
    given = options.parse_args(argv)
    check_epochs(options, given)
    for name, default in (("frequencies", 16), ("frequency_std", 0.1)):
        only_for(options, given, name, "number_embedding", "periodic", default)
    check_range(options, given, "width depth embedding_size frequencies", 1, math.inf)
    check_range(options, given, "dropout label_smoothing", 0, 1)
    check_above(options, given, "validation_share", 1)
    check_above(options, given, "frequency_std")
    return given


class Rows(Epochs):
    """Classification or regression of a table's rows.

    Args:
        given: the checked options.
        table: what it trains and measures on.
        device: where the rows and the network are.

    Raises:
        ConflictError: there are fewer rows than a batch, or batch normalization would see a single one.
    """

    def __init__(self, given: Any, table: Table, device: "torch.device") -> None:
        from .torch_tabular_model import Tabular

        super().__init__(given, len(table.train.targets), table.digest)
        self.table, self.device = table, device
        outputs = 1 if table.classes is None else len(table.classes)
        if given.norm == "batch":
            self.check_norm()
        self.model: torch.nn.Module = Tabular(table.train.numbers.shape[1], table.sizes, outputs, given).to(device)
        self.train, self.validation = (self._tensors(part) for part in (table.train, table.validation))

    def _tensors(self, part: Part) -> tuple["torch.Tensor", ...]:
        import torch

        return tuple(torch.from_numpy(array).to(self.device) for array in (part.numbers, part.codes, part.targets))

    def rows(self, picked: "np.ndarray[Any, Any]", random: "np.random.Generator") -> tuple["torch.Tensor", ...]:
        """Numbers, codes and targets of these rows."""
        import torch

        rows = torch.from_numpy(picked).to(self.device)
        return tuple(tensor[rows] for tensor in self.train)

    def loss(self, forward: Any, part: tuple["torch.Tensor", ...], whole: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        """Cross-entropy, or squared error of the standardized target: the sum over the part, over the batch's rows."""
        numbers, codes, targets = part
        return self._loss(forward(numbers, codes), targets, self.given.label_smoothing) / len(whole[0])

    def _loss(self, scores: "torch.Tensor", targets: "torch.Tensor", smoothing: float) -> "torch.Tensor":
        from torch.nn import functional

        if self.table.classes is None:
            return functional.mse_loss(scores.float()[:, 0], targets, reduction="sum")
        return functional.cross_entropy(scores.float(), targets, reduction="sum", label_smoothing=smoothing)

    def evaluate(self, model: Any) -> dict[str, float]:
        """`val_loss`, and `val_accuracy` or `val_rmse` and `val_r2`."""
        import torch

        *inputs, targets = self.validation
        parts = zip(*(torch.split(tensor, max(4096, self.given.device_batch)) for tensor in inputs), strict=True)
        scores = torch.cat([model(*part).float() for part in parts])
        loss = float(self._loss(scores, targets, 0.0)) / len(targets)
        if self.table.classes is not None:
            return {"val_loss": loss, "val_accuracy": float((scores.argmax(1) == targets).float().mean())}
        r2 = 1 - loss / float(targets.var(correction=0))
        return {"val_loss": loss, "val_rmse": math.sqrt(loss) * self.table.target_std, "val_r2": r2}


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 3 where training diverged, 143 where it was asked to end (and has kept its state)."""
    given = arguments(argv)
    with told(parser()):
        table = read(given)
        kind = "a number" if table.classes is None else f"{len(table.classes)} classes"
        sizes = f"{len(table.train.targets)} rows to train on, {len(table.validation.targets)} to measure on"
        print(f"table: {table.origin}, {kind}, {sizes}, {len(table.sizes)} columns of categories", flush=True)
        return go(given, lambda device: Rows(given, table, device))


if __name__ == "__main__":
    sys.exit(main())
