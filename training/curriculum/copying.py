"""Bare copying in the form of calls: what makes a new model learn to copy in its first minutes."""

import random
import string
from collections.abc import Iterator

from training.chat import Message
from training.curriculum.values import Values

_LETTERS = string.ascii_lowercase + string.digits + "_-./ "
_FORMS = (
    ("read {path}", "FileRead", ("path",)),
    ("run {command}", "Bash", ("command",)),
    ("remember {content}", "Remember", ("content",)),
    ("search for {pattern} in {path}", "Grep", ("pattern", "path")),
    ('write "{content}" to {path}', "FileWrite", ("path", "content")),
    ('replace "{old}" with "{new}" in {path}', "FileEdit", ("path", "old", "new")),
)


def copying(seed: int, count: int) -> Iterator[list[Message]]:
    """`count` conversations of one request with random values and its call."""
    rng = random.Random(seed)
    values = Values(rng)
    for _ in range(count):
        form, tool, names = rng.choice(_FORMS)
        given: dict[str, str | int] = {name: _string(values) for name in names}
        text = form
        for name, value in given.items():
            text = text.replace(f"{{{name}}}", str(value), 1)
        call: Message = {"role": "assistant", "tool_calls": [{"name": tool, "arguments": given}]}
        yield [{"role": "user", "content": text}, call]


def _string(values: Values) -> str:
    rng = values.rng
    kind = rng.random()
    if kind < 0.4:
        return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(3, 18))).strip() or "x"
    return values.draw(rng.choice(("path", "ident", "phrase", "cmd", "dir")))
