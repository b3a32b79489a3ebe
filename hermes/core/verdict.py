"""A verdict: what became of a candidate's trial, with everything it rests on.

Integers and text only, so that it is signed and stored as it stands (DAG-CBOR has no floats
here): shares and ratios are in thousandths.
"""

from typing import Literal

import msgspec

VERDICT_KIND = "hermes/verdict/1"

Word = Literal["approve", "reject", "inconclusive"]
"""`inconclusive` is an answer: it never becomes a yes or a no by default."""

Outcome = Literal["pass", "fail", "inconclusive", "advisory", "skipped"]
"""Of one stage; `advisory` decides nothing, whatever it says."""


class Ratio(msgspec.Struct, frozen=True):
    """A measured ratio candidate / parent in thousandths, with its interval; `pairs` measured."""

    name: str
    word: Literal["slower", "ok", "faster", "not faster", "inconclusive"]
    middle: int
    low: int
    high: int
    pairs: int


class Evidence(msgspec.Struct, frozen=True):
    """What one stage of the judge found.

    `says`: one line for a person. `ids`: tests, methods or rules that it is about. `record`:
    SHA-256 of the stage's full record, kept as a blob, or "".
    """

    stage: str
    outcome: Outcome
    says: str
    ids: tuple[str, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    record: str = ""


class Spent(msgspec.Struct, frozen=True):
    """What a trial cost; times in ms, memory in KiB."""

    wall_ms: int = 0
    cpu_ms: int = 0
    peak_kib: int = 0
    processes: int = 0
    tokens: int = 0


class Ward(msgspec.Struct, frozen=True):
    """Under which sandbox it ran: tier, kernel, Landlock ABI, bubblewrap, self-test's digest."""

    tier: Literal["A", "A-"]
    kernel: str
    landlock: int
    bubblewrap: str
    self_test: str


class Verdict(msgspec.Struct, frozen=True):
    """The judge's word on one candidate; `at` in ms UTC.

    `candidate`: its CID. `judge`: the commit whose judge it was. `person_only`: why only a
    person may adopt it, empty when the gate's other doors are open too. `limits`: which limits
    it ran into. `seed`: with it every input of the trial is made again.
    """

    candidate: str
    word: Word
    reasons: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    spent: Spent
    limits: tuple[str, ...]
    ward: Ward
    person_only: tuple[str, ...]
    judge: str
    seed: str
    at: int
