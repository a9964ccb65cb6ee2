"""Ray Tune's `param_space` as parameters of ours."""

from collections.abc import Mapping
from typing import Any

from ray.tune.search.sample import Categorical, Float, Integer, LogUniform, Quantized, Uniform
from ray.tune.search.variant_generator import parse_spec_vars

from tunewright import numeric
from tunewright.errors import SpaceError
from tunewright.integrations.foreign import Foreign, choice, grid, identifiers, native


def read_param_space(config: Mapping[str, Any], *, partly: bool = False) -> tuple[list[Foreign], dict[str, Any]]:
    """A parameter for each domain of a `param_space`, and the value of each choice that has but one.

    Constants are Ray's own business. Nested mappings become names with slashes.

    Args:
        partly: nothing at all where there is no domain.

    Raises:
        SpaceError: a grid, a sampling function or an unbounded distribution, a domain in a list or in a choice, with
            the nearest thing that is taken; no domain at all.
    """
    _, domains, grids = parse_spec_vars(dict(config))
    for path, _ in grids:
        raise SpaceError(f"{_shown(path)} is a grid search", "use tune.choice with the same values")
    for path, _ in domains:
        if any(not isinstance(key, str) or "/" in key for key in path):
            raise SpaceError(
                f"{_shown(path)} is in a list, or under a key that is no text or has a slash",
                "give each domain a name of its own, such as layer_0, and make the list of them in the trainable",
            )
    named = {"/".join(path): domain for path, domain in domains}
    fixed = {n: d.categories[0] for n, d in named.items() if isinstance(d, Categorical) and len(d.categories) == 1}
    if len(fixed) == len(named) and not partly:
        raise SpaceError("the param_space has nothing to search", "use tune.uniform, tune.loguniform, tune.choice, ...")
    ours = identifiers(named)
    return [_parameter(ours[n], n, domain) for n, domain in named.items() if n not in fixed], fixed


def _shown(path: tuple[Any, ...]) -> str:
    return repr("/".join(map(str, path)))


def _parameter(name: str, foreign: str, domain: Any) -> Foreign:
    sampler = domain.get_sampler()
    step = sampler.q if isinstance(sampler, Quantized) else None
    law = sampler.sampler if isinstance(sampler, Quantized) else sampler
    log = isinstance(law, LogUniform)
    if isinstance(domain, Categorical):
        if any(parse_spec_vars({"choices": list(domain.categories)})[1:]):
            raise SpaceError(
                f"{foreign!r} is a choice of which a value holds a domain itself",
                "give the searcher a Space, in which that parameter has `when`: Float(..., when={...})",
            )
        return choice(name, foreign, domain.categories)
    if not isinstance(law, Uniform | LogUniform) or not isinstance(domain, Float | Integer):
        raise SpaceError(
            f"{foreign!r} is {domain.domain_str or type(domain).__name__} by {type(law).__name__}, without bounds",
            "use tune.uniform, tune.loguniform, tune.randint, tune.choice, ... with the bounds that make sense",
        )
    if log and step not in (None, 1):
        raise SpaceError(f"{foreign!r} has steps on a log scale", "leave the steps out, or use tune.choice")
    low, high = native(domain.lower), native(domain.upper)
    if isinstance(domain, Integer):
        if step in (None, 1):
            return Foreign(foreign, numeric.Int(name, low, high - 1, log=log))  # Ray's upper bound is excluded
        first, last = grid(low, high, step)
        return Foreign(foreign, numeric.Int(name, int(first), int(last), step=int(step)))
    if step is not None:
        first, last = grid(low, high, step)
        return Foreign(foreign, numeric.Float(name, first, last, step=step))
    return Foreign(foreign, numeric.Float(name, low, high, log=log))
