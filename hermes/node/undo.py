"""Taking back a turn: the head moves back, and the files it changed get their bytes back.

Nothing is deleted: the turn stays in the store. A file that changed since is left alone and
named. Undone writes are marked, so that they are not undone twice.
"""

import hashlib
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.conversation.shards import Shards
from hermes.core.event import Json
from hermes.core.ids import Cid, ConversationId
from hermes.core.tool import Change
from hermes.errors import TurnError, Usage
from hermes.store.journal import JournalEntry
from hermes.store.store import Store
from hermes.tools.apply import apply
from hermes.tools.diff import diff_of


class UndoneFile(msgspec.Struct, frozen=True):
    """One file of the turn; `state`: clean (can be put back), changed since, or gone."""

    path: str
    state: str
    diff: str
