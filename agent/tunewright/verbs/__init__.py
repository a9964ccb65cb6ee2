"""The verbs: one set of typed functions behind the model's tool calls, the MCP server and slash commands."""

from tunewright.verbs import (
    awaiting,
    constraining,
    runs,
    scaling,
    setting_up,
    shaping,
    sharing,
    showing,
    studies,
    trying,
    understanding,
)
from tunewright.verbs.approval import Always, ApprovalRequest, Approver, Ask, Estimate, Never, Within
from tunewright.verbs.base import VERBS, Answer, Arguments, Effect, Verb, call, tool_specs
from tunewright.verbs.faults import ArgumentFault, Denied, WrongCall
from tunewright.verbs.session import Session

__all__ = [
    "VERBS",
    "Always",
    "Answer",
    "ApprovalRequest",
    "Approver",
    "ArgumentFault",
    "Arguments",
    "Ask",
    "Denied",
    "Effect",
    "Estimate",
    "Never",
    "Session",
    "Verb",
    "Within",
    "WrongCall",
    "call",
    "tool_specs",
]

MODULES = (awaiting, constraining, runs, scaling, setting_up, shaping, sharing, showing, studies, trying, understanding)
"""Imported for what they put into `VERBS`."""
