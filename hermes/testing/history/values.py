"""What a made-up past is made of: facts, traps, sessions, and the questions afterwards."""

from typing import Literal, NamedTuple

Style = Literal["asked", "ruled", "passing", "foreign", "changed", "until"]
Fate = Literal["kept", "forgotten", "expired"]
Where = Literal["user", "tool", "assistant", "private"]
Words = tuple[str, ...]
"""Words that have to stand in one text together: a value, and whose it is."""
Kind = Literal["single", "update", "multi", "temporal", "abstention"]


class Saying(NamedTuple):
    """One time that something is said: in which session of its project, and in what words."""

    session: int
    text: str
    style: str


class Fact(NamedTuple):
    """A planted fact: the last of its values holds; `until`: a date or ""."""

    project: int
    subject: str
    component: str
    memory_type: str
    values: tuple[str, ...]
    style: Style
    fate: Fate
    until: str
    about: str
    ask: str
    sayings: tuple[Saying, ...]

    @property
    def value(self) -> str:
        """What holds, or held last."""
        return self.values[-1]

    def words(self, value: str) -> Words:
        """What a text that gives the fact this value says."""
        return (value, self.component) if self.component else (value,)


class Trap(NamedTuple):
    """What must never become a memory: `bait` is the word to look for.

    `kind` says why not; `where`: by whom it is said.
    """

    project: int
    subject: str
    component: str
    kind: str
    where: Where
    bait: str
    text: str
    about: str
    ask: str

    @property
    def words(self) -> Words:
        """What a text that fell for it says."""
        about = bool(self.component) and self.component in self.text
        return (self.bait, self.component) if about else (self.bait,)


class Call(NamedTuple):
    """A tool call and what came back."""

    name: str
    arguments: str
    result: str
    ok: bool = True


class Exchange(NamedTuple):
    """One turn: what the person typed, the tools that ran, the answer."""

    text: str
    calls: tuple[Call, ...]
    answer: str


class Session(NamedTuple):
    """One conversation in one sitting; `at` in ms; `closed` False: left open."""

    project: int
    at: int
    private: bool
    closed: bool
    turns: tuple[Exchange, ...]


class Question(NamedTuple):
    """A question, what an answer needs, and what would be wrong.

    `needs`: each in some text. Empty: there is no answer, and saying one of `wrong` is an error.
    """

    kind: Kind
    project: int
    text: str
    needs: tuple[Words, ...]
    wrong: tuple[Words, ...]
    style: str


class History(NamedTuple):
    """A whole past; `now` (ms) is when the questions are asked.

    `hop`: a question that takes two facts. `secrets`: what is never to be kept.
    """

    projects: int
    now: int
    hop: str
    facts: tuple[Fact, ...]
    traps: tuple[Trap, ...]
    secrets: tuple[str, ...]
    sessions: tuple[Session, ...]
