"""The flags that simple-parsing makes of nested dataclasses: each field's own name, with more of its path where several
would be the same.
"""

from collections.abc import Iterable


def short_flags(paths: Iterable[str]) -> dict[str, str]:
    """Path of a field, from its root's name in the result on -> its flag without dashes.

    As in simple-parsing's `ConflictResolution.AUTO`: of fields with the same flag, one that is less deeply nested than
    all others keeps it, and each other one has one more word of its path before it, until all differ.

    Args:
        paths: such as `config.model.lr`; of two words at least.
    """
    words = {path: path.split(".") for path in paths}
    used = dict.fromkeys(words, 1)
    while True:
        flags = {path: ".".join(words[path][-used[path] :]) for path in words}
        fields: dict[str, list[str]] = {}
        for path in sorted(words, key=lambda path: len(words[path])):
            fields.setdefault(flags[path], []).append(path)
        same = next((group for group in fields.values() if len(group) > 1), None)
        if same is None:
            return flags
        outermost = len(words[same[0]]) < len(words[same[1]])
        for path in same[outermost:]:
            used[path] += 1
