"""Foreign text for a terminal: no control character of a log, a script or a model reaches it as such.

Nor does half of a character, as a stream may bring it: no terminal's encoding has one.
"""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with each control character written out, as `cat -v` does: ESC is `^[`, and it moves no cursor."""
    return _CONTROL.sub(_written, text.replace("\r\n", "\n"))


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return f"^{chr(code + 0x40)}"
    return "^?" if code == 0x7F else f"<U+{code:04X}>"
