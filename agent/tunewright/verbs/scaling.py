"""The verb that tells scaling rules: what a change of size, batch or data does to other hyperparameters."""

import inspect
import math
from collections.abc import Callable
from typing import Literal, get_args

from pydantic import Field

from tunewright.errors import did_you_mean
from tunewright.report import number
from tunewright.verbs.base import Answer, Arguments, verb
from tunewright.verbs.faults import ArgumentFault, WrongCall, fault
from tunewright.verbs.session import Session
from tunewright_tools import scaling
from tunewright_tools.scaling import Advice

Rule = Literal[
    "step_law", "mup_width_transfer", "completep_transfer", "linear_batch_scaling", "square_root_batch_scaling"
]
RULES: dict[str, Callable[..., Advice]] = {name: getattr(scaling, name) for name in get_args(Rule)}


class Scaled(Arguments):
    """Which rule, and the numbers that it starts from."""

    rule: Rule = Field(description="Name of the rule.")
    given: dict[str, float] = Field(description="The rule's own numbers by name, each in the unit that its name says.")


@verb(Scaled, "look")
def scaling_rule(session: Session, arguments: Scaled) -> Answer:
    """Tell what a published rule gives for another model size, batch size or amount of data. Nothing is changed.

    step_law: learning rate and batch of LM pretraining, from non_embedding_parameters, training_tokens
    [sequence_tokens]. mup_width_transfer: Adam at another width, from width, base_width, learning_rate,
    hidden_init_std [adam_eps, head_width, base_head_width]. completep_transfer: AdamW at another width and depth, from
    width, base_width, depth_layers, base_depth_layers, learning_rate, hidden_init_std, weight_decay, adam_eps [alpha].
    linear_batch_scaling (SGD) and square_root_batch_scaling (Adam): from batch_examples, base_batch_examples,
    learning_rate [square root: beta1, beta2, adam_eps]. Those in brackets may be left out. The answer names the source
    and says where the rule was tried and how these numbers leave that range.
    """
    rule, given = RULES[arguments.rule], arguments.given
    takes = inspect.signature(rule).parameters
    faults = [
        fault(f"given.{name}", value, f"{did_you_mean(name, takes)}{arguments.rule} takes {', '.join(takes)}")
        for name, value in given.items()
        if name not in takes
    ]
    faults += [
        ArgumentFault(f"given.{name}", "", "a number in the unit that the name says")
        for name, parameter in takes.items()
        if parameter.default is parameter.empty and name not in given
    ]
    if faults:
        raise WrongCall("scaling_rule", faults)
    try:
        advice = rule(**given)
        finite = all(math.isfinite(v.value) for v in advice.values)  # JSON has no infinity
    except ValueError as e:
        raise WrongCall("scaling_rule", [fault("given", given, f"numbers that can be: {e}")]) from None
    except ArithmeticError:
        finite = False
    if not finite:
        raise WrongCall("scaling_rule", [fault("given", given, "numbers whose results are finite")])
    data = {
        "rule": advice.rule,
        "values": {v.name: v.value for v in advice.values},
        "units": {v.name: v.unit for v in advice.values if v.unit},
        "source": advice.source,
        "validity": advice.validity,
        "warnings": list(advice.warnings),
    }
    lines = [f"{advice.rule}:", *(f"{v.name:28} {number(v.value)} {v.unit}".rstrip() for v in advice.values)]
    lines += [f"outside of where it was tried: {text}" for text in advice.warnings]
    return Answer(data, "\n".join([*lines, f"tried with: {advice.validity}", f"source: {advice.source}"]))
