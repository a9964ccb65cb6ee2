"""Seeds of runs, disjoint for trials and the final evaluation, and of the draws behind each decision."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Purpose = Literal["turn", "prior", "fit", "suggest", "earlier", "halfway"]
_PURPOSES: dict[Purpose, int] = {"turn": 1, "prior": 2, "fit": 3, "suggest": 4, "earlier": 5, "halfway": 6}
_HALF = 2**30  # both halves fit a signed 32-bit integer, which some libraries ask for
_STRIDE = 7_919


def tuning_seed(study: int, number: int) -> int:
    """The seed of trial `number`, in [0, 2**30)."""
    return (study * _STRIDE + number) % _HALF


def final_seed(study: int, index: int) -> int:
    """Seed number `index` of the final evaluation, in [2**30, 2**31); no trial of any study has it."""
    return _HALF + (study * _STRIDE + index) % _HALF


def draws(study: int, number: int, purpose: Purpose) -> "np.random.Generator":
    """What is drawn for one purpose in the decision on trial `number`; the same again in a study that goes on."""
    import numpy as np

    return np.random.default_rng([study, number, _PURPOSES[purpose]])
