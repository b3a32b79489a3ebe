"""What a front end asks of the owner: one turn, with everything that belongs to its client."""

from typing import Literal

import msgspec

from hermes.core.ids import ConversationId, TurnId
from hermes.core.tool import Mode

Profile = Literal["full", "lean", "native"]

PROTOCOL = 1
"""Version of the owner's socket protocol; owner and client compare it first."""


class TurnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. `turn_id` is made by the client, so that asking twice is asking once.

    `conversation_id` empty: a new conversation. `cwd`, `root`: absolute directories of the
    client. `model`, `skin`, `profile` empty and `context` 0: the owner's default.
    `interactive`: whether somebody can answer an approval here. `typed`: how many characters of
    the text, from its beginning, a person typed; the rest came through a pipe, a schedule, or
    from another program, and nobody vouches for it. -1: all of them.
    """

    turn_id: TurnId
    text: str
    cwd: str
    root: str
    conversation_id: ConversationId = ConversationId("")
    mode: Mode = "ask"
    yes: bool = False
    model: str = ""
    skin: str = ""
    profile: Profile | Literal[""] = ""
    context: int = 0
    max_steps: int = 0
    interactive: bool = False
    private: bool = False
    typed: int = -1
    api_key: str = ""  # travels to the owner, is never stored
