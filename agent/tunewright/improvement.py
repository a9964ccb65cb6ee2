"""Expected improvement without underflow, and how far below the best value to aim."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_PATIENCE, _STEP, _MOST = 2, 0.02, 0.2
"""Trials without gain that are let pass, margin for each further one, and the largest margin, in units of z."""
_APART = 0.05
"""How much further the boldest of the trials that run at once aims than the most cautious one, in units of z."""


def log_expected_improvement(mean: Tensor, std: Tensor, best: Tensor) -> Tensor:
    """Log E[max(best - z, 0)] for z ~ N(mean, std**2), without underflow; any broadcastable shapes.

    Ament et al. 2023 (arXiv 2310.20708), the analytic LogEI; its log_h is `plain` above -1 and `tail` below.
    """
    u = (best - mean) / std
    near = u.clamp_min(-1.0)
    plain = (torch.exp(-0.5 * near * near) / math.sqrt(2 * math.pi) + near * torch.special.ndtr(near)).log()
    far = u.clamp_max(-1.0)
    # phi(u) + u Phi(u) = phi(u) (1 - |u| sqrt(pi / 2) erfcx(|u| / sqrt 2)); the bracket tends to 1 / u**2
    bracket = 1 + far * math.sqrt(math.pi / 2) * torch.special.erfcx(-far / math.sqrt(2.0))
    bracket = torch.where(far < -1e4, 1 / far**2, bracket.clamp_min(1e-300))
    tail = -0.5 * far * far - 0.5 * math.log(2 * math.pi) + bracket.log()
    return torch.where(u > -1.0, plain, tail) + std.log()


def margin(z: NDArray[np.float64], unaware: int = 0, boldness: float = 0.0) -> float:
    """How far below `best` a trial has to aim, in units of z: nothing while trials gain, more the longer none does.

    Where the model promises only crumbs around the best trial, or nothing but ties on a plateau, the margin makes what
    is uncertain worth more than what is known (the xi of Lizotte 2008, grown by need).

    Args:
        z: values of the feasible trials in the order in which they were started, shape (n,).
        unaware: how many of those after the best were started before it had ended: chosen without knowing it, they
            do not show that nothing better is near.
        boldness: 0 to 1, spread over the trials that run at once: those that all exploit the same few results would
            settle on one optimum together (after Hutter, Hoos and Leyton-Brown 2012, "Parallel algorithm
            configuration", who draw the weight of exploration anew for each worker).
    """
    if len(z) == 0:
        return 0.0
    without = len(z) - 1 - int(np.argmin(z)) - unaware
    return min(_STEP * max(without - _PATIENCE, 0), _MOST) + _APART * boldness
