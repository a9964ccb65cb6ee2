"""Images for `torch_vision`: read from a folder, an archive or scikit-learn's digits, and augmented.

A folder has one subfolder of images for each class, or two subfolders `train` and `val` that do. An archive of NumPy
(.npz) has `images`, (n, height, width) or (n, height, width, channels) of uint8, and `labels`, n whole numbers from 0;
with `val_images` and `val_labels` in it these are what is measured, else a share is split off. All images are held in
memory.
"""

import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .torch_errors import TrainingError

if TYPE_CHECKING:
    import numpy as np
    import torch

    Array = np.ndarray[Any, Any]

_MOST_CLASSES = 1_000_000
"""Of an archive: the network has a score for each number up to the largest label."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


@dataclass(frozen=True)
class Images:
    """Pixels (n, height, width, channels) as uint8, labels (n,) as int64 from 0 to `classes` - 1."""

    origin: str
    classes: int
    train: "Array"
    train_labels: "Array"
    validation: "Array"
    validation_labels: "Array"

    @property
    def digest(self) -> str:
        """The first 12 digits of the SHA-256 of all pixels and labels, as they are split."""
        whole = hashlib.sha256()
        for part in (self.train, self.train_labels, self.validation, self.validation_labels):
            whole.update(repr(part.shape).encode() + part.tobytes())
        return whole.hexdigest()[:12]


def read(path: str | None, image_size: int | None, validation_share: float, data_seed: int) -> Images:
    """The images to train on and those to measure on; the digits where `path` is None.

    Raises:
        TrainingError: they cannot be read, or there are too few to split.
    """
    import numpy as np

    if path is None:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        # 0 to 16 in the original.
        parts, origin = [((pixels * 15.9375).astype(np.uint8).reshape(-1, 8, 8), labels)], "scikit-learn's digits, 8x8"
    elif path.endswith(".npz"):
        parts, origin = _archive(path), path
    else:
        parts, origin = _folder(Path(path), image_size), path
    if image_size is not None and (path is None or path.endswith(".npz")):
        raise TrainingError("--image-size is for a folder of images; images of an archive have their size")
    parts = [_checked(pixels, labels, origin) for pixels, labels in parts]
    if len(parts) == 1:
        parts = _split(*parts[0], validation_share, data_seed, origin)
    (train, train_labels), (validation, validation_labels) = parts
    if train.shape[1:] != validation.shape[1:]:
        raise TrainingError(
            f"{origin} trains on {train.shape[1:]} and measures on {validation.shape[1:]}; make them one size"
        )
    classes = int(train_labels.max()) + 1
    if len(np.unique(train_labels)) < 2:
        raise TrainingError(f"all images to train on in {origin} are of one class; there is nothing to tell apart")
    if unknown := sorted(set(validation_labels.tolist()) - set(train_labels.tolist())):
        raise TrainingError(f"{origin} has a class to measure, {unknown[0]}, that is not trained on")
    return Images(origin, classes, train, train_labels, validation, validation_labels)


def _archive(path: str) -> list[tuple["Array", "Array"]]:
    import zipfile
    import zlib

    import numpy as np

    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            if isinstance(file, np.ndarray):
                raise ValueError("it is a single array")
            names = [("images", "labels")]
            if "val_images" in file:
                names.append(("val_images", "val_labels"))
            return [(file[images], file[labels]) for images, labels in names]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise TrainingError(f"--data {path} cannot be read: {error}; it needs the arrays images and labels") from None


def _folder(path: Path, size: int | None) -> list[tuple["Array", "Array"]]:
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise TrainingError(
            "a folder of images needs `pip install pillow`; an archive of NumPy needs nothing"
        ) from None
    if size is None:
        raise TrainingError("a folder of images needs --image-size, the side in pixels that all are brought to")
    if not path.is_dir():
        raise TrainingError(f"--data {path} is neither a folder nor a .npz archive that is there")
    parts = [path / "train", path / "val"] if (path / "train").is_dir() and (path / "val").is_dir() else [path]
    # Not a folder without images, such as the hidden one of a notebook: it would be one class more.
    files = [sorted(file for file in part.glob("*/*") if file.suffix.lower() in SUFFIXES) for part in parts]
    names = sorted({file.parent.name for file in itertools.chain(*files)})
    found = []
    for part, own in zip(parts, files, strict=True):
        pixels, labels = [], []
        for file in own:
            try:
                with Image.open(file) as image:
                    pixels.append(np.asarray(_square(_rgb(image), size)))
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise TrainingError(f"the image {file} cannot be read: {error}") from None
            labels.append(names.index(file.parent.name))
        if not pixels:
            raise TrainingError(f"{part} has no subfolders with images ({', '.join(SUFFIXES)}), one for each class")
        found.append((np.stack(pixels), np.array(labels)))
    return found


def _rgb(image: Any) -> Any:
    """The image in three colours of 8 bits each."""
    import numpy as np
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits of grey, of which Pillow's own conversion makes white nearly everywhere
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def _square(image: Any, size: int) -> Any:
    """The middle of the image, its shorter side brought to `size`."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    return image.resize((width, height)).crop((left, top, left + size, top + size))


def _checked(pixels: "Array", labels: "Array", origin: str) -> tuple["Array", "Array"]:
    import numpy as np

    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or not np.issubdtype(labels.dtype, np.integer):
        raise TrainingError(
            f"{origin} has images of {pixels.dtype} {pixels.shape} and labels of {labels.dtype}; images are uint8 "
            "(n, height, width) or (n, height, width, channels), labels whole numbers"
        )
    if labels.shape != pixels.shape[:1] or not len(labels) or labels.min() < 0:
        raise TrainingError(f"{origin} has {len(pixels)} images and labels {labels.shape}; one from 0 for each image")
    if not pixels.size:
        raise TrainingError(
            f"{origin} has images without pixels, {pixels.shape}; each has a height, a width and a channel"
        )
    if labels.max() >= _MOST_CLASSES:
        raise TrainingError(
            f"{origin} has the label {labels.max()}; labels are the numbers of the classes, from 0 and below "
            f"{_MOST_CLASSES}"
        )
    return (pixels if pixels.ndim == 4 else pixels[..., None]), labels.astype(np.int64)


def _split(pixels: "Array", labels: "Array", share: float, seed: int, origin: str) -> list[tuple["Array", "Array"]]:
    from sklearn.model_selection import train_test_split

    try:
        halves = train_test_split(pixels, labels, test_size=share, random_state=seed, stratify=labels)
    except ValueError as error:
        raise TrainingError(f"{origin} cannot be split with --validation-share {share}: {error}") from None
    return [(halves[0], halves[2]), (halves[1], halves[3])]


@dataclass(frozen=True)
class Augmentation:
    """What is done to images of a batch, anew at each step; 0 everywhere is nothing."""

    shift: int = 0
    """Pixels that an image moves at most, each way; what it leaves is black before normalization."""
    flip: bool = False
    """Whether half of the images are mirrored left to right."""
    cutout: int = 0
    """Side in pixels of a square at a random place that becomes black (DeVries & Taylor 2017, arXiv 1708.04552)."""
    mixup: float = 0.0
    """Both parameters of the Beta distribution of Zhang et al. 2018 (arXiv 1710.09412)."""

    def apply(
        self, images: "torch.Tensor", targets: "torch.Tensor", random: "np.random.Generator"
    ) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Images (n, c, h, w) as floats and targets (n, classes), both changed."""
        import torch

        n, _, height, width = images.shape
        rows, columns = torch.arange(height)[None], torch.arange(width)[None]  # (1, h), (1, w)
        if self.flip:
            mirrored = torch.from_numpy(random.random(n) < 0.5).to(images.device)
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        if self.shift:
            down, right = torch.from_numpy(random.integers(-self.shift, self.shift + 1, (2, n, 1)))
            padded = torch.nn.functional.pad(images, (self.shift,) * 4)
            at = (rows + down + self.shift, columns + right + self.shift)
            images = padded[torch.arange(n)[:, None, None], :, at[0][:, :, None], at[1][:, None]].permute(0, 3, 1, 2)
        if self.cutout:
            top, left = (
                torch.from_numpy(random.integers(0, side, (n, 1))) - self.cutout // 2 for side in (height, width)
            )
            inside = [
                (place >= start) & (place < start + self.cutout) for place, start in ((rows, top), (columns, left))
            ]
            images = images.masked_fill((inside[0][:, None, :, None] & inside[1][:, None, None]).to(images.device), 0.0)
        if self.mixup:
            share, other = float(random.beta(self.mixup, self.mixup)), torch.from_numpy(random.permutation(n))
            images = share * images + (1 - share) * images[other]
            targets = share * targets + (1 - share) * targets[other]
        return images, targets
