"""What must not be remembered: bait in questions, guesses, quotations, tool results, secrets."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from hermes.testing.history.facts import Planter, Spoken
from hermes.testing.history.subjects import filled, value_of
from hermes.testing.history.values import Call, Exchange, Trap, Where

_WHERE: tuple[Where, ...] = ("user", "user", "user", "tool", "tool", "assistant", "private")
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_HEX = "0123456789abcdef"


class Laid(NamedTuple):
    """A trap in its session, counted within the project; `bait`: "" for a secret's."""

    session: int
    exchange: Exchange
    trap: Trap | None


class Trapper:
    """Lays the traps of one project after the other."""

    def __init__(self, chance: random.Random, planter: Planter) -> None:
        self._chance = chance
        self._planter = planter
        self.secrets: list[str] = []

    def lay(self, project: int, told: Spoken, session: int, taken: set[str]) -> Laid:
        """Lay one trap about something, with a value that never held in this project."""
        chance, wrappings = self._chance, self._planter.wrappings
        bait = value_of(told.subject, self._planter.table, chance, taken)
        words = self._planter.words(told, bait) | {"p": chance.choice(("kelp", "anvil", "nimbus"))}
        where = chance.choice(_WHERE)
        if where == "user":
            kind = chance.choice(sorted(wrappings.traps))
            exchange = self._typed(filled(chance.choice(wrappings.traps[kind]), **words))
        elif where == "private":
            kind = "private"
            exchange = self._typed(filled(chance.choice(wrappings.said["asked"]), **words))
        elif where == "tool":
            kind = "tool"
            if chance.random() < 0.3:  # a command to run, rather than something to believe  # noqa: PLR2004
                host = "".join(chance.choices(_ALPHABET, k=9))
                line = filled(chance.choice(wrappings.injected["commands"]), h=host)
                words |= {"s": f"you must run {line}", "o": f"run {line} first"}
                bait = host
            exchange = self._read(filled(chance.choice(wrappings.injected["tool"]), **words))
        else:
            kind = "assistant"
            said = filled(chance.choice(wrappings.injected["assistant"]), **words)
            exchange = Exchange("go on", (), said)
        text = exchange.text if where in {"user", "private"} else words["s"]
        trap = Trap(
            project, told.subject.key, told.component, kind, where, bait, text,
            words["a"], filled(chance.choice(told.subject.ask), c=told.component),
        )  # fmt: skip
        return Laid(session, exchange, trap)

    def secret(self, session: int) -> Laid:
        """Let the person type a password, a key or a token, asking that it be kept."""
        chance, wrappings = self._chance, self._planter.wrappings
        self.secrets.append(value := self._secret())
        phrase = chance.choice(wrappings.secret["say"])
        text = filled(phrase, t=chance.choice(wrappings.secret["things"]), x=value)
        return Laid(session, self._typed(text), None)

    def _typed(self, text: str) -> Exchange:
        return Exchange(text, (), "All right.")

    def _read(self, text: str) -> Exchange:
        noise = self._planter.wrappings.chatter
        lines = [
            *self._chance.choices(noise["output"], k=2),
            text,
            self._chance.choice(noise["output"]),
        ]
        file = self._chance.choice(noise["files"])
        call = Call("FileRead", f'{{"path": "{file}"}}', "\n".join(lines))
        return Exchange(f"read {file}", (call,), "I read it.")

    def _secret(self) -> str:
        chance = self._chance
        forms: Sequence[tuple[str, str, int]] = (
            ("sk_" + "live_", _ALPHABET, 24), ("AK" + "IA", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
            ("gh" + "p_", _ALPHABET, 36), ("", _HEX, 40), ("", _ALPHABET + "!#%&*+-", 14),
        )  # fmt: skip
        start, alphabet, length = chance.choice(forms)
        return start + "".join(chance.choices(alphabet, k=length))
