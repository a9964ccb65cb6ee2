"""Rules for studies as wholes: list, choose, rename, delete, set up, export, warmstart."""

import re
from typing import Any

from tunewright.chat.naming import Sentence
from tunewright.chat.phrases.words import TRIAL, Found, numbers_in, spelled, whole


def list_studies(s: Sentence) -> Found | None:
    """Such as "list my studies"."""
    if s.has(
        r"(?:list|show|what|which|display|see|all|my|have|zeig\w*|welche|liste|alle|meine)\b.*\b(?:studies|"
        r"studien)"
    ) and not s.has(r"delete|remove|erase|lösch\w*"):
        return "list_studies", {}
    return None


_DELETE = (
    r"delete|remove|erase|wipe|discard|get\s+rid\s+of|trash|throw\s+away|throw\b.*\baway|"
    r"chuck|bin|drop|lösch\w*|entfern\w*"
)


def _named_study(s: Sentence) -> str | None:
    if len(s.studies) == 1:
        return s.studies[0]
    if s.has(r"(?:this|the\s+current|the\s+present|diese|die\s+aktuelle)\s+(?:study|studie)"):
        return s.names.current
    m = s.has(r"(?:the\s+)?(?:study|studie)\s+(?:called\s+|named\s+|namens\s+)?[\"'`]?([\w][\w.-]*)[\"'`]?")
    return m[1] if m and m[1].lower() not in _FILLERS else None


_FILLERS = frozenset(
    re.findall(
        r"\w+",
        "to as and with now from for in into please again of is so was a the bitte jetzt nach als called",
    )
)


def rename_study(s: Sentence) -> Found | None:
    """Such as "rename this study to resnet-2"."""
    m = s.has(
        r"(?:rename|umbenennen|benenne|nenne|call)\b(.*?)(?:\b(?:to|into|as|in|zu)\s+)?[\"'`]?([\w‹][\w.›-]*)[\"'`]?(?:\s+um)?$"
    )
    if m is None or not s.has(r"rename|umbenennen|benenne|nenne|call\s+(?:it|this|the\s+study)"):
        return None
    new = s.studies[int(m[2][2:-1])] if m[2].startswith("‹s") else m[2]
    if m[2].startswith("‹") and not m[2].startswith("‹s"):
        return None
    old = re.search(r"‹s(\d+)›", m[1])
    if old and s.studies[int(old[1])] != s.names.current:
        return "rename_study", {"study": s.studies[int(old[1])], "name": new}
    return "rename_study", {"name": new if new.lower() not in _FILLERS | {"study", "it", "this"} else None}


def delete_study(s: Sentence) -> Found | None:
    """Such as "delete the study bert-lm"; never several at once."""
    if (
        not s.has(_DELETE)
        or s.parameters
        or s.values
        or s.has(
            rf"constraints?|limits?|bedingung\w*|requirements?|relations?|{TRIAL}|log|logs|"
            rf"files?"
        )
    ):
        return None
    if not (s.studies or s.has(r"study|studie")) or s.has(r"all|every|everything|alle|both"):
        return None
    return "delete_study", {"study": _named_study(s)}


def use_study(s: Sentence) -> Found | None:
    """Such as "switch to bert-lm"."""
    if s.studies and s.has(r"(?:make|mach\w*)\b.*\b(?:current|aktuell\w*|active)"):
        return "use_study", {"study": s.studies[0]}
    if s.has(
        r"(?:switch|change|go|move|wechsle|wechsel|geh|jump|turn|get)\s+(?:over\s+|back\s+|"
        r"zurück\s+)?(?:to|zu|zur|auf)\b"
    ) or s.has(r"(?:use|open|select|choose|load|work\s+on|work\s+with|continue\s+with|nimm|öffne|wähle|activate)\b"):
        if s.studies and not (s.parameters or s.values or numbers_in(s.text)):
            return "use_study", {"study": s.studies[0]}
        if s.has(r"(?:switch|change|use|open|select|wechsle|nimm)\b.*\b(?:study|studie)\s+\w") and not s.parameters:
            return "use_study", {"study": _named_study(s)}
    return None


def script(s: Sentence) -> Found | None:
    """Such as "look at train.py", "set up a study from tune.yaml"."""
    m = re.search(r"[\"'`]?([\w./-]+\.(?:py|ya?ml))[\"'`]?", s.text)
    if m is None:
        trainer = s.has(r"torch_digits|torch_lm|sklearn_cv")
        if trainer and s.has(r"set\s+up|setup|create|tune|start|new|train|make|richte|optimiere"):
            return "set_up_study", {"trainer": trainer[0], **_aim(s)}
        return None
    path = m[1]
    if path.endswith(("yaml", "yml")):
        return (
            ("set_up_study", {"card": path})
            if s.has(
                r"set\s+up|setup|create|start|open|load|use|tune|new|make|lade|öffne|richte|starte|"
                r"nimm|take"
            )
            else None
        )
    if s.has(r"set\s+up|setup|create|tune|new\s+study|start\s+a|make\s+a|optimi[sz]e|richte|optimiere|lege|aufsetzen"):
        return "set_up_study", {"script": path, **_aim(s)}
    if s.has(
        r"look|read|inspect|analy[sz]e|examine|what|show|check|see|parse|options|schau|"
        r"lies|sieh|analysiere|untersuche|zeig\w*|welche|was"
    ):
        return "look_at_script", {"script": path}
    return None


def _aim(s: Sentence) -> dict[str, Any]:
    """Goal, metric and direction of a new study, as far as they are said."""
    name = r"(?:the\s+|its\s+)?(?:metric\s+)?([A-Za-z]\w*|‹m\d+›)(?!\.py)"
    m = s.has(rf"(?:maximi[sz]e|minimi[sz]e|maximiere|minimiere|highest|lowest|metric(?:\s+is)?)\s+{name}")
    m = m or s.has(rf"(?:for|on|auf|nach)\s+{name}")
    large = s.has(r"maximi[sz]\w*|highest|maximum|larger?|high")
    small = s.has(r"minimi[sz]\w*|lowest|minimum|smaller?|low")
    metric = None
    if m is not None:
        metric = s.metrics[int(m[1][2:-1])] if m[1].startswith("‹m") else m[1]
    direction = "maximize" if large and not small else "minimize" if small and not large else None
    return {"goal": spelled(s, s.text), "metric": metric, "direction": direction}


def export(s: Sentence) -> Found | None:
    """Such as "export the study to optuna"."""
    if not s.has(
        r"export\w*|save|convert|write|dump|hand|translate|exportier\w*|speicher\w*|schreib\w*|"
        r"output|give\s+me|as|download|port|ausgeben|transfer|turn"
    ):
        return None
    targets = {
        "csv": r"csv|spreadsheet|excel",
        "json": "json",
        "optuna": "optuna",
        "sklearn": r"sklearn|scikit-?\s?learn",
        "ray": r"ray(?:\s*tune)?",
        "smac": r"smac3?",
        "ax": r"ax",
        "nevergrad": "nevergrad",
        "hyperopt": "hyperopt",
        "syne_tune": r"syne[\s_-]*tune",
        "skopt": r"skopt|scikit-?\s?optimize",
        "flaml": "flaml",
    }
    found = [t for t, words in targets.items() if s.has(words)]
    if not found and not s.has(r"export\w*|exportier\w*"):
        return None
    save = s.has(r"save|to\s+(?:a\s+|the\s+)?(?:file|disk)|into\s+a\s+file|in\s+a\s+file|file|datei|speicher\w*|write")
    return "export", {"target": found[0] if len(found) == 1 else None, **({"save": True} if save else {})}


def warmstart(s: Sentence) -> Found | None:
    """Such as "give me 5 starting points"."""
    if not s.has(
        r"warm-?\s?starts?|starting\s+points?|initial\s+(?:points?|configs?|configurations?|"
        r"guesses)|startpunkte?n?|startwerte?n?|seed\s+points?|points\s+to\s+(?:try|start)|"
        r"start\s+points?|first\s+points?"
    ):
        return None
    values = whole(numbers_in(s.text))
    found: dict[str, Any] = {"points": values[0]} if len(values) == 1 else {}
    if s.has(r"enqueue|queue|put\s+them|in\s+line|next|run\s+them|einreih\w*|and\s+use\s+them"):
        found["enqueue"] = True
    if s.has(r"without\s+(?:a|the|any)?\s*model|textbook|no\s+model|ohne\s+(?:das\s+)?modell|literature"):
        found["model"] = False
    return "warmstart", found
