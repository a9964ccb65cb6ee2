"""Numbers that a script prints in the form that counts as a metric, and prints that come close to it."""

import ast
import json
import re
from dataclasses import dataclass, field

from tunewright.init.reading import Printed, Unread, one_line
from tunewright.init.syntax import Module
from tunewright_tools.contract import RESERVED, Reader

_NUMBER = "\0"  # stands for every value that is worked out when the script runs
_SPEC = re.compile(r"%[-+ 0#]*\d*(?:\.\d+)?([diouxXeEfFgGsr])")
_FIELD = re.compile(r"\{[^{}]*\}")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_./@%-]*)[\"']?\s*[=:]\s*\0")
_NEAR = re.compile(
    r"(loss|acc|accuracy|error|score|auc|f1|perplexity|ppl|rmse|mae|mse|reward|bleu|iou)\b", re.IGNORECASE
)
_LOGGERS = re.compile(
    r"(^|\.)(wandb\.log|mlflow\.log_metrics?|log_metrics?|add_scalars?|log_dict)$|^(self|trainer)\.log$"
)
_MOST_LINES = 20
_MOST = 200
_LONGEST = 2_000


@dataclass
class Metrics:
    """What the script prints."""

    printed: list[Printed] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def read(module: Module) -> Metrics:
    """The metrics that calls of `print` and `sys.stdout.write` report, each once, in the order of the file."""
    found = Metrics()
    for call in module.calls:
        if len(found.printed) + len(found.unread) >= _MOST:
            break
        name = module.called(call.func)
        if name in ("print", "typer.echo", "click.echo", "sys.stdout.write", "tqdm.write", "tqdm.tqdm.write"):
            text = _text(module, call)
            if text is not None:
                for line in text.split("\n")[:_MOST_LINES]:
                    _line(line, call.lineno, found)
        elif _LOGGERS.search(name) or (isinstance(call.func, ast.Attribute) and call.func.attr == "add_scalar"):
            what = f"{one_line(name or 'add_scalar', 40)}(...)"
            found.unread.append(
                Unread(call.lineno, what, "numbers that are logged elsewhere are not seen: print them too")
            )
    return found


def _line(line: str, number: int, found: Metrics) -> None:
    names = [n for n in dict.fromkeys(_NAME.findall(line[:_LONGEST])) if n not in RESERVED]
    reader = Reader(dict.fromkeys(names or ["_none_"], "minimize"))
    points = reader.feed(line[:_LONGEST].replace(_NUMBER, "1") + "\n", 0.0)
    counted = [name for name in names if name in reader.values.final()]
    for name in counted:
        known = [p.name for p in found.printed]
        if name not in known:
            found.printed.append(Printed(name, number, bool(points)))
    if not counted and _NUMBER in line and _NEAR.search(line):
        shown = one_line(line.replace(_NUMBER, "…"), 60)
        found.unread.append(Unread(number, f"print {shown!r}", "the whole line must be of the form `name: value`"))


def _text(module: Module, call: ast.Call) -> str | None:
    """What a call prints, with a zero character for each value that is known only then; None where nothing of it is."""
    keywords = module.keywords(call)
    if "file" in keywords and module.called(keywords["file"]) != "sys.stdout":
        return None
    separator = module.value(keywords["sep"]) if "sep" in keywords else " "
    parts = [_said(module, arg) for arg in call.args]
    text = (separator if isinstance(separator, str) else " ").join(parts)
    return text if len(text) <= 10 * _LONGEST else None


def _said(module: Module, node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant():
            return "0"
        case ast.JoinedStr(values=parts):
            return "".join(p.value if _is_text(p) else _NUMBER for p in parts)  # type: ignore[attr-defined]
        case ast.BinOp(left=left, op=ast.Mod()) if template := module.text_of(left):
            return _SPEC.sub(_NUMBER, template)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _said(module, left) + _said(module, right)
        case ast.Call(func=ast.Attribute(value=base, attr="format")) if template := module.text_of(base):
            return _FIELD.sub(_NUMBER, template)
        case ast.Call(func=function, args=[ast.Dict(keys=keys), *_]) if module.called(function) == "json.dumps":
            names = [module.value(key) for key in keys]
            return _json([name for name in names if isinstance(name, str)])
        case ast.Call(func=function, args=[ast.Call(func=inner, keywords=pairs)]) if (
            module.called(function) == "json.dumps" and module.called(inner) == "dict"
        ):
            return _json([pair.arg for pair in pairs if pair.arg])
    return _NUMBER


def _json(names: list[str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {_NUMBER}" for name in names) + "}"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
