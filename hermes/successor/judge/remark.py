"""What the lint has to say about one place of a change; plain words, so that it can be kept."""

from typing import Literal

import msgspec

Weight = Literal["refused", "person", "told"]
"""`refused`: no trial. `person`: only a person may adopt it. `told`: for whoever reads it."""


class Remark(msgspec.Struct, frozen=True):
    """A rule and where it spoke; `line` 0: the whole file, `path` "": the whole change."""

    rule: str
    weight: Weight
    path: str
    says: str
    line: int = 0

    @property
    def place(self) -> str:
        """Path and line as people write them."""
        return f"{self.path}:{self.line}" if self.line else self.path


def plain(path: str) -> str:
    """A path in characters that can be kept and shown, whatever it is made of."""
    return path if path.isascii() and path.isprintable() else ascii(path)[1:-1]
