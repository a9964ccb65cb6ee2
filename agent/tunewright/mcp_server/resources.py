"""Studies and their plots as resources."""

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import mcp_types as types

from tunewright.errors import StudyError, TunerError
from tunewright.plots import KINDS, kinds, plot
from tunewright.report import card_json, report
from tunewright.study import Study
from tunewright.trial import Trial
from tunewright.verbs.common import trial_data
from tunewright.verbs.plain import plain
from tunewright.verbs.session import Session

MOST_TRIALS = 1000
"""Of a study with more, the latest are listed, as many as `show_study` lists at most."""
_SCHEME = "tunewright"


def listed(session: Session) -> Iterator[types.Resource]:
    """Every study on record, and its plots."""
    for name in session.names():
        base = f"{_SCHEME}://study/{quote(name, safe='')}"
        yield types.Resource(
            name=name, uri=base, description=f"the study {name}: card, trials, sources", mime_type="application/json"
        )
        for kind, about in _kinds(session, name).items():
            yield types.Resource(
                name=f"{name} {kind}", uri=f"{base}/plot/{kind}", description=f"{name}: {about}", mime_type="image/png"
            )


def _kinds(session: Session, name: str) -> dict[str, str]:
    try:
        return kinds(session.study(name).card)
    except StudyError:  # deleted just now, or of a newer version: reading it says so, the others are listed
        return {}


TEMPLATES = (
    types.ResourceTemplate(
        name="study",
        uri_template=f"{_SCHEME}://study/{{study}}",
        description="card, trials and sources of a study",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        name="plot",
        uri_template=f"{_SCHEME}://study/{{study}}/plot/{{kind}}",
        description=f"a plot of a study; kind is one of {', '.join(KINDS)}",
        mime_type="image/png",
    ),
)


def read(session: Session, uri: str) -> types.TextResourceContents | types.BlobResourceContents:
    """What a resource holds.

    Raises:
        TunerError: no such resource.
    """
    parts = urlsplit(uri)
    path = [unquote(part) for part in parts.path.split("/") if part]
    if parts.scheme != _SCHEME or parts.netloc != "study" or not path:
        raise StudyError(f"there is no resource {uri!r}", f"resources are {_SCHEME}://study/NAME and .../plot/KIND")
    study = session.study(path[0])
    if len(path) == 1:
        text = json.dumps(plain(_held(study)), allow_nan=False, default=str)
        return types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
    if len(path) != 3 or path[1] != "plot":
        raise TunerError(f"there is no resource {uri!r}", f"plots are {_SCHEME}://study/NAME/plot/KIND")
    image = base64.b64encode(plot(study, path[2])).decode()
    return types.BlobResourceContents(uri=uri, mime_type="image/png", blob=image)


def _held(study: Study) -> dict[str, Any]:
    """The study without curves, prompts and replies: a client puts all of it into a model's context."""
    rep, trials = report(study), study.trials()
    found: dict[str, Any] = asdict(replace(rep, default=None, best=None, front=None))
    found |= {"default": _trial(rep.default), "best": _trial(rep.best)}
    if rep.front is not None:
        on_front = [trial_data(t) for t in rep.front.trials]
        found["front"] = {**asdict(replace(rep.front, trials=())), "trials": on_front}
    return {
        "name": study.name,
        "card": card_json(study.card),
        "report": found,
        "trials_in_all": len(trials),
        "trials": [trial_data(t) for t in trials[-MOST_TRIALS:]],
    }


def _trial(trial: Trial | None) -> dict[str, Any] | None:
    return None if trial is None else trial_data(trial)
