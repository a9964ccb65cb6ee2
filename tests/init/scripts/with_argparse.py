"""A short training that takes its options by argparse."""

import argparse
from pathlib import Path

OPTIMIZERS = ["adamw", "sgd"]
WIDTH = 2**6


def str2bool(text: str) -> bool:
    return text.lower() in ("true", "1", "yes")


def positive(text: str) -> float:
    return abs(float(text))


def main() -> None:
    parser = argparse.ArgumentParser(description="A toy network on toy data")
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="where the data lie")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--num-workers", type=int, default=4)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--api-key", default="sk-secret-0123456789abcdef")
    group = parser.add_argument_group("optimizer")
    group.add_argument(
        "-l", "--lr", "--learning-rate", type=float, default=1e-3, help="peak rate (default: %(default)s)"
    )
    group.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw")
    group.add_argument("--weight-decay", type=positive, default=0.01, help="decay, 50%% of it coupled")
    group.add_argument("-b", type=int, default=32, dest="batch_size")
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--heads", type=int, choices=[1, 2, 4], default=2)
    parser.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--ema", type=str2bool, default=False)
    parser.add_argument("--nesterov", action="store_true")
    parser.add_argument("--wrong-bool", type=bool, default=False)
    parser.add_argument("--untyped", default=0.5)
    parser.add_argument("--clip", type=float, default=None)
    parser.add_argument("--betas", type=float, nargs=2, default=[0.9, 0.99])
    parser.add_argument("--tuned-elsewhere", type=float, default=len(OPTIMIZERS) / 7)
    exclusive = parser.add_mutually_exclusive_group()
    exclusive.add_argument("--cosine", type=float, default=0.1)
    exclusive.add_argument("--linear", type=float, default=0.1)
    for name in ("alpha", "beta"):
        parser.add_argument(f"--{name}", type=float, default=1.0)
    args = parser.parse_args()

    loss = abs(args.lr - 0.01) * 10 + args.weight_decay + abs(args.width - 128) / 128 + 0.1 * (args.optimizer == "sgd")
    for epoch in range(args.epochs):
        print(f"epoch={epoch} train_loss={loss + 1 / (epoch + 1):.4f}")
        print(f"Epoch {epoch} done, validation loss {loss:.3f}")
    print(f"val_loss: {loss:.4f}")
    print(f"lr: {args.lr}")


if __name__ == "__main__":
    main()
