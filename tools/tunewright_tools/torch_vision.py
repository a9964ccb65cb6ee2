"""Trains an image classifier, a ResNet or a vision transformer, and prints its validation accuracy and loss.

Run as `python -m tunewright_tools.torch_vision --epochs 20`, on a CPU or on one NVIDIA GPU. `--data` names a folder
with a subfolder of images for each class, or a NumPy archive (`torch_vision_data` has their form); without it the
images are scikit-learn's 1,797 handwritten digits of 8x8 pixels, which need no download. `torch_vision_model` holds
the networks; `torch_loop` the loop, with what it prints, its checkpoint and its exit codes; `torch_epochs` and
`torch_options` what trainers share.

`val_accuracy` is the share of validation images whose class has the highest score, `val_loss` their mean cross-entropy
in nats, without label smoothing. With `--ema` both are of the averaged weights.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

from .torch_epochs import Epochs
from .torch_errors import conflict, told
from .torch_loop import go
from .torch_options import add_epochs, add_training, check_above, check_epochs, check_range, only_for
from .torch_vision_data import Augmentation, Images, read

if TYPE_CHECKING:
    import numpy as np
    import torch


def parser() -> argparse.ArgumentParser:
    """The command line, with the default of each option."""
    options = argparse.ArgumentParser(
        prog="torch_vision",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--data", help="a folder of class folders or a .npz archive; scikit-learn's digits where not given")
    add("--image-size", type=int, help="for a folder: the side in pixels that all images are brought to")
    add("--validation-share", type=float, default=0.2, help="split off to measure on, where the data has no such part")
    add("--arch", choices=["resnet", "vit"], default="resnet", help="convolutions, or a transformer on patches")
    add("--width", type=int, help="channels of the first stage, 16 if not given; of vit the residual stream, 64")
    add("--depth", type=int, help="blocks in each of three stages, 1 if not given; of vit all blocks, 4")
    add("--heads", type=int, help="attention heads of vit, 4 if not given")
    add("--patch-size", type=int, help="side in pixels of a patch of vit, 2 if not given")
    add("--stem-stride", type=int, help="stride of resnet's first convolution, 1 if not given")
    add("--dropout", type=float, default=0.0, help="share dropped before the last layer, in vit within each block")
    add("--label-smoothing", type=float, default=0.0, help="probability spread evenly over all classes")
    add("--shift", type=int, default=0, help="augmentation: pixels that an image moves at most")
    add("--flip", choices=["off", "on"], default="off", help="augmentation: mirror half of the images; not for digits")
    add("--cutout", type=int, default=0, help="augmentation: side in pixels of a square that is blackened")
    add("--mixup", type=float, default=0.0, help="augmentation: parameter of mixup's Beta distribution; 0: no mixup")
    add_training(options)
    add_epochs(options)
    return options


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The checked command line; exits with a message where a value cannot be used."""
    options = parser()
    given = options.parse_args(argv)
    check_epochs(options, given)
    vit = given.arch == "vit"
    for name, arch, default in (("heads", "vit", 4), ("patch_size", "vit", 2), ("stem_stride", "resnet", 1)):
        only_for(options, given, name, "arch", arch, default)
    given.width = (64 if vit else 16) if given.width is None else given.width
    given.depth = (4 if vit else 1) if given.depth is None else given.depth
    check_range(options, given, "width depth heads patch_size stem_stride image_size", 1, float("inf"))
    check_range(options, given, "dropout label_smoothing", 0, 1)
    check_range(options, given, "shift cutout mixup", 0, float("inf"))
    check_above(options, given, "validation_share", 1)
    if vit and given.width % given.heads:
        conflict(options, f"--width {given.width} is not a multiple of --heads {given.heads}")
    return given


class Vision(Epochs):
    """Classification of images.

    Args:
        given: the checked options.
        images: what it trains and measures on.
        device: where the images and the network are.

    Raises:
        ConflictError: the network cannot take images of this size or so few at a time, or there are fewer than a batch.
    """

    def __init__(self, given: Any, images: Images, device: "torch.device") -> None:
        import numpy as np
        import torch

        from .torch_vision_model import Shape, network

        super().__init__(given, len(images.train), images.digest)
        self.device = device
        _, height, width, channels = images.train.shape
        if given.arch == "resnet" and max(height, width) <= 4 * given.stem_stride:  # its last stage is one pixel
            self.check_norm()
        sizes = (channels, height, width, images.classes, given.width, given.depth, given.heads)
        shape = Shape(given.arch, *sizes, given.patch_size, given.stem_stride, given.dropout)
        self.model = network(shape).to(device)
        self.pixels, self.validation = (
            torch.from_numpy(np.ascontiguousarray(part.transpose(0, 3, 1, 2))).to(device)
            for part in (images.train, images.validation)
        )
        self.targets = torch.nn.functional.one_hot(torch.from_numpy(images.train_labels), images.classes).float()
        self.targets = self.targets.to(device)
        self.labels = torch.from_numpy(images.validation_labels).to(device)
        scaled = images.train.reshape(-1, channels) / 255
        self.mean, spread = (
            torch.tensor(values, dtype=torch.float32, device=device)[:, None, None]
            for values in (scaled.mean(0), scaled.std(0))
        )
        # A channel that is the same everywhere stays at 0. Its deviation is often not quite that: what a shift leaves
        # black would be huge over it.
        varies = torch.from_numpy(np.ptp(images.train.reshape(-1, channels), axis=0) > 0).to(device)[:, None, None]
        self.spread = torch.where(varies, spread, 1.0)
        self.augmentation = Augmentation(given.shift, given.flip == "on", given.cutout, given.mixup)

    def rows(self, picked: "np.ndarray[Any, Any]", random: "np.random.Generator") -> tuple["torch.Tensor", ...]:
        """Normalized, augmented images (n, c, h, w) and the probability of each class (n, classes)."""
        import torch

        rows = torch.from_numpy(picked).to(self.device)
        images, targets = self.augmentation.apply(self.pixels[rows] / 255, self.targets[rows], random)
        return (images - self.mean) / self.spread, targets

    def loss(self, forward: Any, part: tuple["torch.Tensor", ...], whole: tuple["torch.Tensor", ...]) -> "torch.Tensor":
        """Cross-entropy in nats with label smoothing: the sum over the part, over the batch's number of images."""
        import torch

        images, targets = part
        smoothing = self.given.label_smoothing
        losses = torch.nn.functional.cross_entropy(
            forward(images).float(), targets, reduction="sum", label_smoothing=smoothing
        )
        return losses / len(whole[0])

    def evaluate(self, model: Any) -> dict[str, float]:
        """`val_accuracy` and `val_loss`."""
        import torch

        parts = torch.split(self.validation, max(256, self.given.device_batch))
        scores = torch.cat([model((part / 255 - self.mean) / self.spread).float() for part in parts])
        right = (scores.argmax(1) == self.labels).float().mean()
        loss = torch.nn.functional.cross_entropy(scores, self.labels)
        return {"val_accuracy": float(right), "val_loss": float(loss)}


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0, 3 where training diverged, 143 where it was asked to end (and has kept its state)."""
    given = arguments(argv)
    with told(parser()):
        images = read(given.data, given.image_size, given.validation_share, given.data_seed)
        sizes = f"{len(images.train)} to train on, {len(images.validation)} to measure on, {images.classes} classes"
        print(f"images: {images.origin}, {sizes}", flush=True)
        return go(given, lambda device: Vision(given, images, device))


if __name__ == "__main__":
    sys.exit(main())
