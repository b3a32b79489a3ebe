"""What a trial needs of the gate: a book in which it stands, and a word on whether it may begin.

Apart from both sides, so that a trial runs in a test with a book of its own. `records` and
`stops` are the real ones.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import msgspec

from hermes.core.candidate import Candidate
from hermes.core.ids import Cid
from hermes.core.verdict import Verdict

TrialState = Literal["intent", "judged", "failed"]
"""`intent`: begun, and nothing else is known of it; `failed`: ended without a verdict."""

Deed = Literal["trial", "adoption"]


class Submission(NamedTuple):
    """What is kept of a candidate before its trial: the patch as it came, the diff as shown.

    `judge`: the commit whose judge it is. `seed`: every input of the trial follows from it.
    """

    candidate: Candidate
    patch: bytes
    diff: str
    tier: str
    seed: str
    judge: str


class Trial(msgspec.Struct, frozen=True):
    """A trial as it stands; `verdict` the CID of its verdict or "", `began` in ms UTC."""

    id: str
    candidate: str
    tier: str
    seed: str
    judge: str
    state: TrialState
    began: int
    ended: int | None = None
    verdict: str = ""
    word: str = ""
    why: str = ""


class Book(Protocol):
    """Where trials and verdicts stand."""

    async def known(self, candidate: Candidate, judge: str, tier: str) -> Trial | None:
        """The judged trial of the same change, task, goal and judge; None: it is new."""
        ...

    async def begin(self, submission: Submission) -> Trial:
        """Write an intent; durable when this returns."""
        ...

    def reach(self, trial: str, stage: str) -> None:
        """Say how far a trial is, to whoever lists them meanwhile."""
        ...

    async def verdict(self, trial: str, verdict: Verdict, records: Mapping[str, bytes]) -> Cid:
        """Keep and sign a verdict; `records`: the stages' full records by their SHA-256.

        A verdict is final: raises Refused when the trial has one.
        """
        ...

    async def read(self, candidate: Cid, verdict: str) -> Verdict:
        """A verdict back by its CID; raises Usage."""
        ...

    async def fail(self, trial: str, why: str) -> None:
        """A trial ended without a verdict: the machine's fault or a stop, not the candidate's."""
        ...


class Stops(Protocol):
    """Whether anything may begin."""

    async def check(self, what: Deed) -> None:
        """Raise Halted (exit code 3) with the reason and how to lift it."""
        ...

    def flagged(self) -> bool:
        """Whether the emergency flag lies there: a look at the disk, for a watch beside a trial."""
        ...
