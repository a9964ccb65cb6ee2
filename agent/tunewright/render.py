"""Fill a prompt template strictly, and say which one it was: the text and a hash of the template with its partials."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True)
class Rendered:
    """A filled template."""

    template: str
    hash: str
    """First 12 hex digits of SHA-256 over the template's source and its partials' sources."""
    text: str


def quoted(value: object, limit: int = 200) -> str:
    """Foreign text (a log line, a file name) as one JSON string, so that a model reads it as data, cut to `limit`."""
    text = _CONTROL.sub(" ", str(value).replace("\n", " "))
    return json.dumps(text if len(text) <= limit else text[: limit - 1] + "…", ensure_ascii=False)


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tunewright_prompts", "."),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # the reader is a model, not a browser; `quoted` is the escape
    )
    environment.filters["quoted"] = quoted
    environment.filters["percent"] = lambda share: f"{100 * share:.3g}%"
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def _sources(name: str) -> list[str]:
    """The template's source and those of all partials that it includes, depth first."""
    from jinja2 import meta

    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, name)
    found = [source]
    for partial in meta.find_referenced_templates(environment.parse(source)):
        if partial is not None:
            found += _sources(partial)
    return found


@cache
def template_hash(name: str) -> str:
    """First 12 hex digits of SHA-256 over a template and its partials."""
    return hashlib.sha256("\x00".join(_sources(name)).encode()).hexdigest()[:12]


def render(name: str, **variables: Any) -> Rendered:
    """A template filled with exactly its variables.

    Args:
        name: for example "propose"; the file is `tunewright_prompts/propose.md.j2`.
        variables: what the template reads; `tunewright_prompts/README.md` lists them.

    Raises:
        jinja2.UndefinedError: a variable that the template reads was not given.
    """
    file = f"{name}.md.j2"
    text = _environment().get_template(file).render(**variables)
    return Rendered(name, template_hash(file), text.strip() + "\n")
