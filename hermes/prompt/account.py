"""What of a conversation a model is shown whole, shortened, as a digest, or not at all."""

from collections.abc import Sequence

import msgspec

from hermes.core.model import ChatMessage
from hermes.prompt.budget import Cut, apply_cut, size_of


class Share(msgspec.Struct, frozen=True):
    """So many messages, their bytes as they are stored, and as the model sees them."""

    messages: int = 0
    bytes: int = 0
    shown: int = 0

    def plus(self, size: int, shown: int) -> "Share":
        """Count one more message."""
        return Share(self.messages + 1, self.bytes + size, self.shown + shown)


class Account(msgspec.Struct, frozen=True):
    """The messages of a conversation by what became of them.

    `summarised`: left out, with a digest that tells of them, whose bytes are its `shown`.
    """

    kept: Share
    shortened: Share
    summarised: Share
    dropped: Share


def account(messages: Sequence[ChatMessage], cut: Cut) -> Account:
    """Say what a cut does to each message."""
    shares = dict.fromkeys(("kept", "shortened", "summarised", "dropped"), Share())
    placed = msgspec.structs.replace(cut, dropped=0, gap=0, gap_end=0)
    for index, (message, shown) in enumerate(
        zip(messages, apply_cut(messages, placed), strict=True)
    ):
        before, after = size_of(message), size_of(shown)
        if index < cut.dropped:
            name = "summarised" if cut.digest and index < cut.told else "dropped"
        elif cut.gap <= index < cut.gap_end:
            name = "summarised" if cut.gap_digest and index < cut.gap_told else "dropped"
        else:
            name = "kept" if shown is message else "shortened"
        left_out = name in {"summarised", "dropped"}
        shares[name] = shares[name].plus(before, 0 if left_out else after)
    told = len(cut.digest.encode()) * bool(cut.dropped) + len(cut.gap_digest.encode())
    whole = shares["summarised"]
    shares["summarised"] = msgspec.structs.replace(whole, shown=told if whole.messages else 0)
    return Account(**shares)
