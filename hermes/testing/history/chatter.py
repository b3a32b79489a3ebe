"""Ordinary talk: what fills a past between the few sentences that matter."""

import random

from hermes.testing.history.subjects import Wrappings, filled
from hermes.testing.history.values import Call, Exchange

_TOOLS = 0.35
_WORK = 0.2
_FAILS = 0.15


class Chatter:
    """Makes up turns."""

    def __init__(self, chance: random.Random, wrappings: Wrappings) -> None:
        self._chance = chance
        self._words = wrappings.chatter

    def turn(self) -> Exchange:
        """One turn, with or without tools."""
        words = {"f": self._pick("files"), "n": self._pick("nouns")}
        text = filled(self._pick("user"), **words)
        answer = filled(self._pick("assistant"), **words)
        drawn = self._chance.random()
        if drawn < _WORK:
            return Exchange(f"fix {words['f']}, test it and commit", self._work(words["f"]), answer)
        if drawn < _WORK + _TOOLS:
            return Exchange(text, (self._look(words["f"]),), answer)
        return Exchange(text, (), answer)

    def _look(self, file: str) -> Call:
        lines = "\n".join(
            self._chance.choices(self._words["output"], k=self._chance.randrange(1, 40))
        )
        if self._chance.random() < _FAILS:
            return Call("Bash", f'{{"command": "cat {file}"}}', lines, ok=False)
        return Call("FileRead", f'{{"path": "{file}"}}', lines)

    def _work(self, file: str) -> tuple[Call, ...]:
        """An edit, a test, a commit: work that comes back."""
        edit = f'{{"path": "{file}", "old": "a", "new": "b"}}'
        return (
            Call("FileEdit", edit, "edited"),
            Call("Bash", '{"command": "make test"}', "3 passed"),
            Call("Bash", '{"command": "git commit -am fix"}', "1 file changed"),
        )

    def _pick(self, kind: str) -> str:
        return self._chance.choice(self._words[kind])
