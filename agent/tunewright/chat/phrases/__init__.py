"""The phrases of the grammar: for each verb, a rule from a sentence with marks to its arguments.

The first rule that fits decides, so what is said more exactly comes first.
"""

from collections.abc import Callable

from tunewright.chat.naming import Sentence
from tunewright.chat.phrases import bounds, looking, parameters, running, studies
from tunewright.chat.phrases.words import Found

ASKED = {
    "trials": "how many trials",
    "trial": "which trial",
    "parameter": "which parameter",
    "value": "the value",
    "low": "the bound",
    "high": "the bound",
    "study": "which study",
    "target": "for which program",
    "text": "the constraint",
    "name": "the new name",
    "metric": "the metric",
    "direction": "whether it should be small or large",
    "values": "which values",
    "second": "the other trial",
}
WITHOUT_STUDY = {"list_studies", "use_study", "delete_study", "rename_study", "look_at_script", "set_up_study"}
COMMANDS = (
    r"(?:please\s+|also\s+|then\s+)*(?:run|start|launch|do|pin|fix|freeze|hold|keep|"
    r"set|lock|unpin|unfreeze|release|free|narrow|restrict|limit|widen|extend|expand|"
    r"add|drop|remove|delete|erase|show|list|compare|stop|halt|pause|abort|cancel|"
    r"rerun|repeat|retry|export|save|switch|use|rename|"
    r"explain|why|what|which|tell|estimate|raise|lower|increase|starte|lösche|zeig|"
    r"stopp|vergleiche|fixiere|halte|exportiere)\b"
)

RULES: tuple[Callable[[Sentence], Found | None], ...] = (
    studies.script,
    studies.list_studies,
    studies.warmstart,
    bounds.drop_constraint,
    studies.delete_study,
    studies.export,
    studies.rename_study,
    looking.compare_trials,
    looking.show_curve,
    looking.show_log,
    looking.why_trial,
    running.estimate_cost,
    running.extend_budget,
    running.rerun_trial,
    parameters.unpin,
    parameters.enqueue_trial,
    parameters.one_end,
    parameters.choices,
    parameters.range_of,
    bounds.add_constraint,
    parameters.pin,
    studies.use_study,
    looking.parameter_importance,
    looking.wait_for_run,
    looking.show_study,
    running.stop_run,
    looking.show_trial,
    looking.show_best,
    running.run_trials,
)
"""In the order in which they are tried."""
