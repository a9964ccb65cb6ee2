"""The network of `torch_tabular`: embeddings of categories and, if asked for, of numbers, then an MLP."""

import math
from typing import Any

import torch
from torch import Tensor, nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


class Periodic(nn.Module):
    """Each number as sines and cosines of learned frequencies, then a linear layer of its own and ReLU.

    The "PLR" embedding of Gorishniy et al. 2022 (arXiv 2203.05556, section 3.3).
    """

    def __init__(self, columns: int, frequencies: int, std: float, size: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(columns, frequencies) * std)
        bound = (2 * frequencies) ** -0.5
        self.weight = nn.Parameter(torch.empty(columns, 2 * frequencies, size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(columns, size))

    def forward(self, numbers: Tensor) -> Tensor:
        """From (n, columns) to (n, columns * size)."""
        angles = 2 * math.pi * self.frequencies * numbers[..., None]
        waves = torch.cat((angles.sin(), angles.cos()), dim=-1)
        return torch.relu(torch.einsum("ncf,cfs->ncs", waves, self.weight) + self.bias).flatten(1)


class Tabular(nn.Module):
    """From numbers (n, columns) and codes (n, categorical columns) to scores (n, outputs).

    Args:
        columns: of numbers.
        sizes: for each categorical column how many codes there are; code 0, unknown, stays at zero.
        outputs: classes, or 1.
        given: the options `embedding_size`, `number_embedding`, `frequencies`, `frequency_std`, `width`, `depth`,
            `norm`, `activation` and `dropout`.
    """

    def __init__(self, columns: int, sizes: tuple[int, ...], outputs: int, given: Any) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, given.embedding_size, padding_idx=0) for size in sizes)
        self.numbers: nn.Module = nn.Identity()
        inputs = columns + len(sizes) * given.embedding_size
        if given.number_embedding == "periodic" and columns:
            self.numbers = Periodic(columns, given.frequencies, given.frequency_std, given.embedding_size)
            inputs = (columns + len(sizes)) * given.embedding_size
        layers: list[nn.Module] = []
        for _ in range(given.depth):
            layers.append(nn.Linear(inputs, given.width))
            if given.norm != "none":
                layers.append(nn.LayerNorm(given.width) if given.norm == "layer" else nn.BatchNorm1d(given.width))
            layers += [_ACTIVATIONS[given.activation](), nn.Dropout(given.dropout)]
            inputs = given.width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Scores (n, outputs)."""
        embedded = [embedding(codes[:, place]) for place, embedding in enumerate(self.embeddings)]
        scores: Tensor = self.layers(torch.cat([self.numbers(numbers), *embedded], dim=1))
        return scores
