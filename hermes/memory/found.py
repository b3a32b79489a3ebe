"""What the rules find in talk, apart from the rules: those are heavy, and loaded when needed."""

from typing import NamedTuple

import msgspec

from hermes.core.ids import Cid
from hermes.store.claim import Claim
from hermes.store.history import Talk
from hermes.store.promotion import Change


class Retraction(msgspec.Struct, frozen=True):
    """A person says that something holds no longer; `about` empty: what was said last."""

    project_hash: str
    about: str
    session: str
    cid: Cid
    at: int


Found = Claim | Retraction


class Spoken(NamedTuple):
    """Unread talk, and the project that it is about."""

    talk: Talk
    project_hash: str


class Weighed(NamedTuple):
    """Changes, and how many memories they touch."""

    changes: tuple[Change, ...]
    changed: int
