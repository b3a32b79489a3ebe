"""What a turn from another machine may bring: words, and nothing that would decide anything here.

A private conversation is none to it, nor is a turn of another one than it names.
Does not guard against what the words ask for: policy and the person do, as for any turn.
"""

import os
import pwd
from pathlib import Path

import anyio.to_thread

from hermes.core.request import TurnRequest
from hermes.errors import ConversationUnknown
from hermes.store.store import Store


async def as_guest(asked: TurnRequest, store: Store) -> TurnRequest:
    """The turn as it runs at its home, in the conversation's own directory.

    Raises:
        ConversationUnknown: it is not here, or not for others.
    """
    info = await store.conversations.get(asked.conversation_id)
    record = await store.turns.get(asked.turn_id)
    if info.private or (record is not None and record.conversation != asked.conversation_id):
        raise ConversationUnknown(f"no conversation {asked.conversation_id}")
    place = await anyio.to_thread.run_sync(_directory, info.root)
    return TurnRequest(
        turn_id=asked.turn_id,
        conversation_id=asked.conversation_id,
        text=asked.text,
        cwd=place,
        root=place,
        mode="read-only" if asked.mode == "read-only" else "ask",
        max_steps=asked.max_steps,
        interactive=asked.interactive,
        typed=asked.typed,
    )


def _directory(root: str) -> str:
    """A conversation's directory where it is one here, else the person's own."""
    path = Path(root)
    if root and path.is_absolute() and path.is_dir():
        return root
    return pwd.getpwuid(os.getuid()).pw_dir
