"""What a turn from another machine may bring: words, and nothing that would decide anything here.

Does not guard against what the words ask for: policy and the person do, as for any turn.
"""

import os
import pwd
from pathlib import Path

import anyio.to_thread

from hermes.core.request import TurnRequest


async def as_guest(asked: TurnRequest, root: str) -> TurnRequest:
    """The turn as it runs at its home, in the conversation's own directory."""
    place = await anyio.to_thread.run_sync(_directory, root)
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
