"""A model's answers as they come in: calls held back, Markdown cut into finished blocks."""

import random
from collections.abc import Iterator

from hermes.gateway.render_blocks import Blocks
from hermes.models.holdback import Holdback

ANSWERS = 300
PARTS = (
    "A paragraph with `code`, *stress* and a [link](https://example.org/a) to read.\n\n",
    "- one thing\n- another thing, a longer one\n\n",
    "```python\ndef f(x: int) -> int:\n    return x + 1\n```\n\n",
    "## A heading\n\nText below it that goes on for a while, and then some more of it.\n\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
)


def work(chance: random.Random) -> Iterator[str]:
    """Every piece that may be shown, every block that is finished."""
    for _ in range(ANSWERS):
        text = "".join(chance.choices(PARTS, k=30))
        held, blocks = Holdback(("Read", "Bash", "FileEdit")), Blocks()
        at, shown, finished = 0, [], []
        for step in chance.choices((2, 3, 4, 5, 6, 9), k=len(text) // 2 + 1):
            for piece in held.feed(text[at : at + step]):
                shown.append(piece.text)
                finished += blocks.feed(piece.text)
            at += step
            if at >= len(text):
                break
        shown += [piece.text for piece in held.flush()]
        yield "\0".join(shown)
        yield "\0".join((*finished, *blocks.finish()))
