"""The networks of `torch_vision`: a residual network and a vision transformer, from images to scores of classes.

The residual network is the one for small images of He et al. 2016 (arXiv 1512.03385, section 4.2): three stages of
blocks with two 3x3 convolutions, each stage twice as wide and half as large as the one before. The transformer is a
pre-norm one on patches (Dosovitskiy et al. 2021, arXiv 2010.11929), with the mean of all patches in place of a class
token.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .torch_errors import ConflictError


@dataclass(frozen=True)
class Shape:
    """What a network is made of."""

    arch: str
    channels: int
    height: int
    width: int
    classes: int
    model_width: int
    """Channels of the residual network's first stage, or the size of the transformer's residual stream."""
    depth: int
    """Blocks of each of the three stages, or of the transformer."""
    heads: int
    patch_size: int
    stem_stride: int
    dropout: float


def network(shape: Shape) -> nn.Module:
    """The network, from (n, channels, height, width) to (n, classes).

    Raises:
        ConflictError: the images cannot be cut into patches of that size.
    """
    return ResNet(shape) if shape.arch == "resnet" else VisionTransformer(shape)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to what came in; where the size changes, to a 1x1 convolution of it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.second_norm.weight)  # each block begins as the identity
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """From (n, inputs, h, w) to (n, outputs, h / stride, w / stride), rounded up."""
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """A convolution, three stages of residual blocks, the mean over the image, and one linear layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        size = shape.model_width
        layers: list[nn.Module] = [
            nn.Conv2d(shape.channels, size, 3, shape.stem_stride, padding=1, bias=False),
            nn.BatchNorm2d(size),
            nn.ReLU(),
        ]
        inputs = size
        for stage in range(3):
            outputs = size << stage
            for block in range(shape.depth):
                layers.append(ResidualBlock(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.dropout = shape.dropout
        self.head = nn.Linear(inputs, shape.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (n, classes)."""
        features = functional.dropout(self.layers(images).mean((2, 3)), self.dropout, self.training)
        scores: Tensor = self.head(features)
        return scores


class VisionTransformer(nn.Module):
    """Patches with a learned place, transformer blocks, the mean over the patches, and one linear layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        side, size = shape.patch_size, shape.model_width
        if shape.height % side or shape.width % side:
            raise ConflictError(f"images of {shape.height}x{shape.width} are not whole patches of --patch-size {side}")
        self.embed = nn.Conv2d(shape.channels, size, side, side)
        self.places = nn.Parameter(torch.empty(1, (shape.height // side) * (shape.width // side), size))
        # As large as an embedded patch at the start (0.58): with 0.02 the digits are learned far more slowly.
        nn.init.normal_(self.places, std=0.5)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                size, shape.heads, 4 * size, shape.dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(shape.depth)
        )
        self.norm = nn.LayerNorm(size)
        self.head = nn.Linear(size, shape.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores (n, classes)."""
        x = self.embed(images).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks:
            x = block(x)
        scores: Tensor = self.head(self.norm(x).mean(1))
        return scores
