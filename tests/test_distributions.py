import warnings

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from tunewright.distributions import distributions
from tunewright.errors import SpaceError
from tunewright.space import Choice, Float, Int, Space


def test_each_kind_has_its_own():
    space = Space(
        Float("lr", 1e-5, 1, log=True),
        Float("drop", 0.0, 0.35, step=0.1),
        Float("beta", 0.9, 0.999, logit=True),
        Int("width", 8, 512, log=True),
        Int("steps", 100, 1050, step=100),
        Int("batch", 16, 300, rounding="power_of_two"),
        Choice("opt", ["adamw", "sgd"]),
        Choice("nesterov", [True, False], when={"opt": "sgd"}),
    )
    assert distributions(space) == {
        "lr": FloatDistribution(1e-5, 1.0, log=True),
        "drop": FloatDistribution(0.0, 0.3, step=0.1),
        "beta": FloatDistribution(0.9, 0.999),
        "width": IntDistribution(8, 512, log=True),
        "steps": IntDistribution(100, 1000, step=100),
        "batch": IntDistribution(16, 300),
        "opt": CategoricalDistribution(("adamw", "sgd")),
        "nesterov": CategoricalDistribution((True, False)),
    }


@st.composite
def parameter(draw):
    low = draw(st.floats(-1e6, 1e6, allow_subnormal=False))
    width = draw(st.floats(1e-3, 1e6))
    kind = draw(st.sampled_from(["float", "step", "int", "int step", "power"]))
    try:
        match kind:
            case "float":
                return Float("x", low, low + width)
            case "step":
                return Float("x", low, low + width, step=draw(st.floats(1e-3, 1.0)) * width)
            case "int":
                return Int("x", int(low), int(low + width) + 1)
            case "int step":
                return Int("x", int(low), int(low) + 100, step=draw(st.integers(1, 100)))
        return Int("x", 1, 2 + int(width), rounding="power_of_two")
    except SpaceError:
        return Int("x", 0, 1)


@given(parameter(), st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_optuna_takes_every_value_of_the_space_without_a_warning(p, units):
    space = Space(p)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = distributions(space)
        for c in space.from_unit([[u] for u in units]):
            create_trial(state=TrialState.RUNNING, params=c, distributions=found)
