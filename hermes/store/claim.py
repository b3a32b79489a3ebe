"""What somebody said that may become a memory, and what a memory is about."""

from typing import Literal, NamedTuple

import msgspec

from hermes.core.ids import Cid

MemoryType = Literal["decision", "pattern", "correction", "architecture", "fact"]


class Subject(NamedTuple):
    """What a claim is about and what it says of it, both in normal form.

    Two claims with one key and two values contradict each other.
    """

    key: str
    value: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person said, found by a rule; times in ms.

    `key`: its words in normal form, for claims about the same. `cid`: the message. `asserted`:
    the person's word is enough; else it takes a second session. `subjects` may be empty.
    `changes`: it replaces something: `instead_of` names the old value, `about` its subject.
    """

    project_hash: str
    memory_type: MemoryType
    content: str
    key: str
    session: str
    cid: Cid
    rule: str
    at: int
    expires_at: int | None = None
    asserted: bool = True
    subjects: tuple[Subject, ...] = ()
    changes: bool = False
    instead_of: str = ""
    about: str = ""


class Known(msgspec.Struct, frozen=True):
    """A live memory as the historian sees it.

    `at`: when it was last said, in ms; `expires_at` as the table has it, in seconds.
    """

    id: int
    cid: str
    memory_type: str
    content: str
    at: int
    expires_at: float | None
    subjects: tuple[Subject, ...] = ()
