"""A knock: a node tells a peer's relay who is on the line, so that its wraps need no work.

Wraps are signed by throw-away keys, and LocalRelay does not tell its policy who proved himself
by NIP-42. So a node that connects publishes one ephemeral event, signed with its own key, for
the relay's key, that counts once and for a minute. It guards nobody's secrets: a relay that is
fooled takes more mail than it would have.
"""

from collections.abc import Iterable, Sequence

KNOCK = 24748
"""The kind."""
KNOCK_TTL_S = 60
"""Seconds for which a knock counts."""


def knock_tags(relay_key: str) -> tuple[tuple[str, str], ...]:
    """The tags of a knock at the relay of this key (hex); its content is empty."""
    return (("p", relay_key),)


class Door:
    """Remembers the knocks that were heard: each counts once."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)
        self._heard: dict[str, int] = {}

    def opens(self, id_: str, tags: Iterable[Sequence[str]], created_at: int, now: int) -> bool:
        """Whether a verified knock is for us, fresh and new; times in seconds."""
        self._heard = {known: at for known, at in self._heard.items() if at > now - 2 * KNOCK_TTL_S}
        to = {tag[1] for tag in tags if len(tag) > 1 and tag[0] == "p"}
        if id_ in self._heard or abs(now - created_at) > KNOCK_TTL_S or not to & self._keys:
            return False
        self._heard[id_] = max(now, created_at)
        return True
