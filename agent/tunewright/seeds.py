"""Seeds of runs: those of trials and those of the final evaluation are disjoint by construction."""

_HALF = 2**30  # both halves fit a signed 32-bit integer, which some libraries ask for
_STRIDE = 7_919


def tuning_seed(study: int, number: int) -> int:
    """The seed of trial `number`, in [0, 2**30)."""
    return (study * _STRIDE + number) % _HALF


def final_seed(study: int, index: int) -> int:
    """Seed number `index` of the final evaluation, in [2**30, 2**31); no trial of any study has it."""
    return _HALF + (study * _STRIDE + index) % _HALF
