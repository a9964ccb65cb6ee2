"""The network and the optimizers of `torch_lm`: a pre-norm GPT with rotary positions, in plain or muP parameterization.

With muP (`scaling.mup_width_transfer`; Yang et al. 2022, arXiv 2203.03466) hyperparameters that were tuned at a base
width hold at another: hidden matrices start smaller and take a lower AdamW learning rate, logits are divided by the
ratio of the widths. Muon's updates have the same spectral norm at every width, so its learning rate stays.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .scaling import mup_width_transfer

_ADAM_EPS = 1e-8


@dataclass(frozen=True)
class Shape:
    """What the network is made of."""

    vocabulary: int
    context: int
    depth: int
    width: int
    heads: int
    mlp_ratio: float
    activation: str
    dropout: float
    init_std: float
    """Of embeddings and hidden matrices; with muP, of hidden matrices at the base width."""
    mup_base_width: int | None = None
    mup_base_head_dim: int | None = None
    """Width of a head at the base; that of this network where None, so that wider means more heads."""

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.width // self.heads

    def mup(self, learning_rate: float = 1.0) -> dict[str, float]:
        """The numbers of muP for this width; without muP the same names with what changes nothing."""
        base = self.width if self.mup_base_width is None else self.mup_base_width
        base_head = self.mup_base_head_dim or self.head_dim
        advice = mup_width_transfer(self.width, base, learning_rate, self.init_std, _ADAM_EPS, self.head_dim, base_head)
        return {value.name: value.value for value in advice.values}


class Block(nn.Module):
    """Attention, then a two-layer network, each added to what came in."""

    def __init__(self, shape: Shape, attention_scale: float) -> None:
        super().__init__()
        width, hidden = shape.width, int(shape.width * shape.mlp_ratio)
        self.heads, self.scale, self.dropout = shape.heads, attention_scale, shape.dropout
        self.activation: Callable[[Tensor], Tensor] = _relu2 if shape.activation == "relu2" else functional.gelu
        self.attention_norm, self.mlp_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        # Three matrices rather than one, because Muon orthogonalizes each matrix as a whole.
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.attention_out = nn.Linear(width, width, bias=False)
        self.mlp_in = nn.Linear(width, hidden, bias=False)
        self.mlp_out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """From (batch, tokens, width) to the same shape."""
        batch, tokens, width = x.shape
        normed = self.attention_norm(x)
        q, k, v = (
            make(normed).view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)
            for make in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(
            _rotate(q, cos, sin),
            _rotate(k, cos, sin),
            v,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=True,
            scale=self.scale,
        )
        x = x + self._drop(self.attention_out(mixed.transpose(1, 2).reshape(batch, tokens, width)))
        return x + self._drop(self.mlp_out(self.activation(self.mlp_in(self.mlp_norm(x)))))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Gpt(nn.Module):
    """A decoder that says, at each token, the scores of the next."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        mup = shape.mup()
        self.output_multiplier = mup["output_multiplier"]
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape, mup["attention_logit_scale"]) for _ in range(shape.depth))
        self.norm = nn.RMSNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        angle = torch.outer(
            torch.arange(shape.context), 10_000.0 ** (-torch.arange(0, shape.head_dim, 2) / shape.head_dim)
        )
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        nn.init.normal_(self.embedding.weight, std=shape.init_std)
        nn.init.zeros_(self.head.weight)
        for name, weight in self.blocks.named_parameters():
            if weight.dim() == 2:
                # Each block adds twice to the residual stream; its size at the end should not depend on the depth.
                ends = name.endswith(("attention_out.weight", "mlp_out.weight"))
                nn.init.normal_(weight, std=mup["hidden_init_std"] / (math.sqrt(2 * shape.depth) if ends else 1.0))

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (batch, tokens, vocabulary) for token numbers (batch, tokens), at most `context` of them."""
        x = self.embedding(tokens)
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]  # type: ignore[index]
        for block in self.blocks:
            x = block(x, cos, sin)
        scores: Tensor = self.head(self.norm(x)) * self.output_multiplier
        return scores

    def flops_per_token(self) -> int:
        """Floating point operations of a training step for one token: 6 for each weight that multiplies (6N)."""
        return 6 * sum(weight.numel() for weight in self.parameters() if weight is not self.embedding.weight)


def _relu2(x: Tensor) -> Tensor:
    return functional.relu(x).square()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864): the two halves of x turned by an angle for each token."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)


def optimizers(model: Gpt, shape: Shape, given: Any) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the blocks' matrices and AdamW for the rest, each group with its peak rate.

    Args:
        given: the options `optimizer`, `learning_rate`, `muon_learning_rate`, `muon_momentum`, `beta1`, `beta2` and
            `weight_decay` of `torch_lm`. Vectors (norm gains) are never decayed.
    """
    mup = shape.mup(given.learning_rate)
    decay = given.weight_decay
    matrices = [weight for weight in model.blocks.parameters() if weight.dim() == 2]
    vectors = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [
        {"params": [model.embedding.weight], "lr": mup["embedding_learning_rate"], "weight_decay": decay},
        {"params": [model.head.weight], "lr": mup["output_learning_rate"], "weight_decay": decay},
        {"params": vectors, "lr": mup["vector_learning_rate"], "weight_decay": 0.0},
    ]
    made: list[torch.optim.Optimizer] = []
    if given.optimizer == "muon":
        # "match_rms_adamw" would let AdamW's learning rate stand; the original form is what published values are of.
        rate, momentum = given.muon_learning_rate, given.muon_momentum
        made.append(torch.optim.Muon(matrices, lr=rate, weight_decay=decay, momentum=momentum, adjust_lr_fn="original"))
    else:
        groups.append({"params": matrices, "lr": mup["hidden_learning_rate"], "weight_decay": decay})
    made.append(torch.optim.AdamW(groups, betas=(given.beta1, given.beta2), eps=mup["adam_eps"]))
    return made
