"""From a script to a card: read its options without running it, find ranges, write a commented `tune.yaml`."""

from tunewright.init.command import Item
from tunewright.init.draft import Draft, card_from_reading, propose
from tunewright.init.reading import Option, Printed, ScriptReading, Unread
from tunewright.init.script import read_script
from tunewright.init.write import to_yaml, write

__all__ = [
    "Draft",
    "Item",
    "Option",
    "Printed",
    "ScriptReading",
    "Unread",
    "card_from_reading",
    "propose",
    "read_script",
    "to_yaml",
    "write",
]
