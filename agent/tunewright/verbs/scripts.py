"""A script of the project, or a built-in trainer, as a space and a command: what its reader found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tunewright.errors import CardError
from tunewright.init import Draft, Item, ScriptReading, propose, read_script
from tunewright.init.options import option
from tunewright.init.reading import Printed
from tunewright.parameters import Parameter, parameter_from_json
from tunewright.verbs.faults import ArgumentFault, WrongCall, fault
from tunewright_tools.catalog import Trainer


@dataclass(frozen=True)
class Script:
    """What was read of a script; nothing of it was run."""

    draft: Draft

    @property
    def reading(self) -> ScriptReading:
        """What was found, the options that are not tuned included."""
        return self.draft.reading

    @property
    def passable(self) -> dict[str, Item]:
        """Options that may be tuned, by name: there is a way in, and nothing speaks against it."""
        return {
            item.option.name: item
            for item in self.draft.items
            if not item.option.held_back and (item.option.argument or item.option.source in ("config", "constant"))
        }

    @property
    def proposed(self) -> dict[str, Item]:
        """Those of them that a range is known for."""
        return {name: item for name, item in self.passable.items() if item.tuned}

    def argv(self, names: Sequence[str]) -> list[str]:
        """The command that runs the script with these parameters, a placeholder for each."""
        return [a.text for a in self.draft.command if a.item is None or a.item.option.name in names]

    def lacking(self, names: Sequence[str]) -> list[str]:
        """What else it needs before it can run with these parameters alone, in words."""
        found = [
            f"{item.option.label}, which it requires"
            for item in self.draft.items
            if item.option.required and item.option.name not in names
        ]
        if self.reading.needs_config:
            found.append("to read the file that TUNEWRIGHT_CONFIG names, since no argument passes its values")
        return found


def read(path: Path, root: Path, **asked: str | None) -> Script:
    """The script as it stands.

    Args:
        asked: `goal` and `subcommand`, where they are known.

    Raises:
        CardError: it cannot be read, or has several subcommands and none was named.
    """
    return Script(propose(read_script(path, root=root), **asked))  # type: ignore[arg-type]


def of_trainer(trainer: Trainer, **asked: str | None) -> Script:
    """A built-in trainer, from its own option parser: ours, so that it may be imported."""
    parser = import_module(trainer.module).parser()
    options = [
        option(
            label=action.option_strings[-1],
            source="argparse",
            line=0,
            kind={int: "int", float: "float"}.get(action.type, "text"),  # type: ignore[arg-type]
            default=action.default,
            argument=f"{action.option_strings[-1]}={{}}",
            help=action.help or "",
            choices=action.choices,
        )
        for action in parser._actions
        if action.dest in trainer.options
    ]
    printed = tuple(Printed(name, 0, curve=False) for name, _ in trainer.metrics)
    return Script(propose(ScriptReading(trainer.name, tuple(options), printed, description=trainer.about), **asked))  # type: ignore[arg-type]


def parameters(verb: str, script: Script, wanted: Sequence[Mapping[str, Any]] | None) -> list[Parameter]:
    """The parameters of a study: those asked for, with what was proposed for what they leave open; else all proposed.

    No text of the caller reaches the command: the values of a text option are those that the script lists itself.

    Raises:
        WrongCall: every parameter that the script cannot be given, or whose range cannot be.
    """
    if wanted is None:
        proposed = [item.parameter for item in script.proposed.values() if item.parameter is not None]
        if not proposed:
            raise WrongCall(verb, [ArgumentFault("parameters", "", "what to search: no range is known of any option")])
        return proposed
    made: list[Parameter] = []
    faults: list[ArgumentFault] = []
    for i, stated in enumerate(wanted):
        found = _parameter(script, stated, f"parameters[{i}]")
        if isinstance(found, ArgumentFault):
            faults.append(found)
        else:
            made.append(found)
    if faults:
        raise WrongCall(verb, faults)
    return made


def _parameter(script: Script, stated: Mapping[str, Any], place: str) -> Parameter | ArgumentFault:
    name = stated["name"]
    item = script.passable.get(name)
    if item is None:
        return fault(f"{place}.name", name, f"an option that can be tuned: {', '.join(script.passable) or 'none'}")
    option = item.option
    if option.kind == "text" and not option.choices:
        return fault(f"{place}.name", name, "an option that is a number, a switch or a choice; this one takes any text")
    record: dict[str, Any] = {} if item.parameter is None else item.parameter.to_json()
    given = dict(stated)
    scale = given.pop("scale", None)
    if option.choices or option.kind == "bool":
        allowed = list(option.choices) or [True, False]
        odd = [c for c in given.get("choices", []) if repr(c) not in map(repr, allowed)]
        if odd:
            return fault(f"{place}.choices", odd[0], f"choices of the script: {', '.join(map(repr, allowed))}")
        record = {"choices": allowed, **record, "type": "choice"}
    else:
        record = {**record, "type": option.kind}
        if not {"low", "high"} <= {*record, *given}:
            return ArgumentFault(f"{place}.low", "", "low and high: nothing is known of the range of this option")
        if scale is not None:
            record = {key: value for key, value in record.items() if key not in ("log", "logit")}
            record |= {} if scale == "linear" else {scale: True}
        if "step" in given or scale in ("log", "logit"):
            record.pop("rounding", None)
    try:
        return parameter_from_json({"about": option.help, **record, **given})
    except CardError as e:
        return fault(place, stated, f"{e.hint} ({e.message})")
