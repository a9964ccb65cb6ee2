"""Foreign text for a terminal: what is not seen of it, or makes it read otherwise than it is, is written out.

Such are control characters, marks that turn the direction of writing, and characters without width that are part of no
letter and no emoji; a joiner and a variation selector may be. Half of a character, as a stream may bring it, is none
either: no terminal's encoding has one.
"""

import re
from collections.abc import Iterable

_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f"  # of England, Scotland, Wales: an emoji spelled in tags
_UNSEEN = re.compile(
    f"{_FLAG}|[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """The text with each such character written out, as `cat -v` does: ESC is `^[`, and it moves no cursor."""
    return _UNSEEN.sub(_written, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text as `clean` gives it, on one line."""
    return clean(" ".join(text.split()))


def listed(names: Iterable[str]) -> str:
    """Names that a stranger's table or database has, each on one line."""
    return ", ".join(map(one_line, names))


def _written(found: re.Match[str]) -> str:
    if len(found[0]) > 1:
        return found[0]
    code = ord(found[0])
    if code < 0x20:
        return f"^{chr(code + 0x40)}"
    return "^?" if code == 0x7F else f"<U+{code:04X}>"
