"""Pairings and direct messages as the owner serves them: for the command line and the gateway."""

from collections.abc import Mapping

import msgspec

from hermes.core.clock import Clock, rfc3339
from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.errors import Usage
from hermes.gateway.dm_code import code_digest, new_code
from hermes.load import load
from hermes.node.desk import Query
from hermes.store.dms import Post, Received
from hermes.store.pairings import Desk, Pairing
from hermes.store.store import Store

_LONGEST_MINUTES = 24 * 60
_DAY_MS = 24 * 3_600_000
_WRAPS_DAYS, _MESSAGES_DAYS = 35, 45
_WRAPS = 100_000
_SWEEP_MS = 3_600_000
_NAME = 100


class Doorbell:
    """Who may write to the agent, and what they wrote; codes leave this process once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._swept = 0

    def queries(self) -> Mapping[str, Query]:
        """The table of query names: `pairings.*` for people, `dm.*` for the gateway."""
        pairings, dms = self._store.pairings, self._store.dms
        return {
            "pairings.offer": self.offer,
            "pairings.list": self.list,
            "pairings.revoke": self.revoke,
            "dm.person": self.person,
            "dm.look": dms.look,
            "dm.pair": pairings.pair,
            "dm.place": self.place,
            "dm.take": self.take,
            "dm.answer": self.answer,
            "dm.sent": self.sent,
            "dm.waiting": self.waiting,
            "dm.last": dms.last,
            "dm.unfinished": self.unfinished,
            "dm.looked": self.looked,
            "dm.note": self.note,
        }

    async def offer(self, root: str, cwd: str, name: str = "", minutes: int = 10) -> Json:
        """Make a one-time code; whoever sends it first may write from then on."""
        if not 1 <= minutes <= _LONGEST_MINUTES:
            raise Usage(f"a code is open for 1 to {_LONGEST_MINUTES} minutes")
        if len(name) > _NAME:
            raise Usage(f"a name has at most {_NAME} characters")
        code = new_code()
        until = self._clock.now_ms() + minutes * 60_000
        await self._store.pairings.offer(code_digest(code), name, until, Desk(root, cwd))
        return {"code": code, "name": name, "until": rfc3339(until), "root": root}

    async def list(self) -> Json:
        """The keys that are paired, then the codes that are open."""
        now, found = self._clock.now_ms(), await self._store.pairings.list()
        active = [one for one in found if one.state == "active"]
        open_ = [one for one in found if one.state == "open" and one.until > now]
        return [_plain(one) for one in (*active, *open_)]

    async def revoke(self, key: str) -> Json:
        """Unpair a key."""
        public: str = load("npub").read_npub(key)
        return {"key": public, "unpaired": await self._store.pairings.revoke(public)}

    async def person(self, key: str) -> Json:
        """A paired key's pairing, or nothing."""
        return msgspec.to_builtins(await self._store.pairings.get(key))

    async def place(self, key: str, conversation: str) -> Json:
        """Where a key's conversation goes on."""
        await self._store.pairings.place(key, ConversationId(conversation))

    async def take(self, message: Received) -> Json:
        """Keep a message, once."""
        return await self._store.dms.take(message)

    async def answer(self, messages: tuple[str, ...], posts: tuple[Post, ...]) -> Json:
        """Finish messages and keep what is said to their sender."""
        return await self._store.dms.answer(messages, posts)

    async def sent(self, rumours: tuple[str, ...]) -> Json:
        """What a relay took."""
        await self._store.dms.sent(rumours)

    async def waiting(self) -> Json:
        """What no relay took yet."""
        return msgspec.to_builtins(await self._store.dms.waiting())

    async def unfinished(self) -> Json:
        """What has no answer yet."""
        return msgspec.to_builtins(await self._store.dms.unfinished())

    async def looked(self) -> Json:
        """The wraps that were looked into."""
        since = self._clock.now_ms() - _WRAPS_DAYS * _DAY_MS
        wraps = await self._store.dms.marked(since // 1_000, _WRAPS)
        return {"wraps": dict(wraps), "at": await self._store.dms.looked()}

    async def note(self, wraps: dict[str, int], refused: dict[str, int]) -> Json:
        """Remember wraps and count refusals; forget what is long over."""
        now, store = self._clock.now_ms(), self._store
        await store.dms.mark(wraps)
        await store.mesh.count_refused({(why, ""): count for why, count in refused.items()})
        if now - self._swept > _SWEEP_MS:
            self._swept = now
            await store.dms.sweep(now - _WRAPS_DAYS * _DAY_MS, now - _MESSAGES_DAYS * _DAY_MS)


def _plain(one: Pairing) -> dict[str, Json]:
    is_key = one.kind == "dm"
    return {
        "state": "paired" if is_key else "code",
        "name": one.name,
        "npub": load("npub").npub_of(one.key) if is_key else "",
        "key": one.key if is_key else "",
        "since": rfc3339(one.at),
        "until": rfc3339(one.until) if one.until else None,
        "root": one.desk.root,
        "conversation": one.desk.conversation,
    }
