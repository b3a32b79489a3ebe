"""Members made and unmade over the mesh: invitations, joining, and what the owner signed for all.

A code proves who invited; the owner's key behind that node is then this node's owner, too. Does
not guard against whoever reads a code before the one it was meant for: revoke what joined.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import anyio
import msgspec

from hermes.core.clock import Clock, rfc3339
from hermes.core.event import Json
from hermes.errors import HermesError, NotAvailable, ProofInvalid, Usage
from hermes.identity.attest import Genesis, check_genesis
from hermes.identity.invitation import digest_of, invite, read_invitation
from hermes.identity.members import is_member
from hermes.identity.npub import npub_of, read_npub
from hermes.mesh.arrivals import Arrival
from hermes.mesh.envelope import Letter
from hermes.mesh.members import Card
from hermes.mesh.post import Post
from hermes.node.fleet_letters import (
    FLEET,
    JOIN,
    JOINED,
    MOST,
    Join,
    Joined,
    News,
    about,
    statement_of,
)
from hermes.node.roster import Roster
from hermes.node.warrants import Warrants
from hermes.node.whereabouts import Whereabouts
from hermes.store.statement import Unmet
from hermes.store.store import Store

LONGEST_MINUTES = 24 * 60
_NAME = 100
_ANSWER_S = 30.0
_JOIN_MS = 600_000
_DAY_MS = 24 * 3_600_000
BY_HAND_MS = 30 * _DAY_MS
"""How long a question may be on its way in somebody's pocket, and its answer again."""


class Fleet:
    """The fleet's comings and goings; `run` must run beside it.

    Args:
        store: where statements lie.
        warrants: who has them signed.
        roster: who belongs here.
        places: where nodes read.
        clock: the time.
    """

    def __init__(
        self, store: Store, warrants: Warrants, roster: Roster, places: Whereabouts, clock: Clock
    ) -> None:
        self._store = store
        self._warrants = warrants
        self._roster = roster
        self._places = places
        self._clock = clock
        self._until = 0
        self._asked: dict[str, int] = {}
        self._answers: dict[str, anyio.Event] = {}
        self.post: Post
        """Set before `run`."""
        self.met: Callable[[str], Awaitable[Mapping[str, str]]]
        """Hears of a node before it is spoken to; for each of its relays why it cannot be used."""

    def admits(self, sender: str, payload_type: str) -> bool:
        """Whether somebody may send this: members all but answers nobody asked for."""
        if payload_type == JOIN:
            return self._clock.now_ms() < self._until or self._roster.admits(sender)
        if payload_type == JOINED:
            return self._clock.now_ms() < self._asked.get(sender, 0)
        return self._roster.admits(sender)

    async def load(self) -> None:
        """Read which codes are open and who was asked; before letters are let in."""
        self._until = await self._store.peers.open_until()
        self._asked = await self._store.peers.asked()

    async def run(self) -> None:
        """Take letters until cancelled."""
        async with self.post.received(JOIN, JOINED, FLEET) as arrivals:
            async for arrival in arrivals:
                await self.take(arrival)

    async def invite(self, name: str = "", minutes: int = 10, *, by_hand: bool = False) -> Json:
        """Make a one-time code; the first node that brings it becomes a member.

        `by_hand`: it may be brought in a bundle, where no relay reaches this node.
        """
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise Usage(f"a code is open for 1 to {LONGEST_MINUTES} minutes")
        if len(name) > _NAME:
            raise Usage(f"a name has at most {_NAME} characters")
        if not self._places.told and not by_hand:
            raise NotAvailable(
                "nobody could reach this node", "set mesh.relays or mesh.advertise in config.toml"
            )
        made = invite(self._roster.me, self._places.told)
        until = self._clock.now_ms() + minutes * 60_000
        await self._store.peers.offer(made.digest, name, until)
        self._until = max(self._until, until)
        return {"code": made.code, "name": name, "until": rfc3339(until), "relays": [*made.relays]}

    async def ask(self, code: str, ttl_ms: int = BY_HAND_MS) -> tuple[str, Mapping[str, str]]:
        """Ask to be let in; whom, and for each of its relays why it cannot be used."""
        found = read_invitation(code)
        if found.node == self._roster.me:
            raise Usage("that is this node's own code", "bring it to another node")
        until = self._clock.now_ms() + ttl_ms + _DAY_MS
        await self._store.peers.ask(found.node, until)
        self._asked[found.node] = until
        await self._places.saw(found.node, card_of(found.relays))
        reached = await self.met(found.node)
        body = msgspec.json.encode(Join(found.secret, self._places.told))
        await self.post.send(Letter(found.node, JOIN, body, ttl_ms=ttl_ms))
        return found.node, reached

    async def join(self, code: str) -> Json:
        """Become a member by a code; raises NotAvailable when nobody answers in time."""
        answer = self._answers.setdefault(read_invitation(code).node, anyio.Event())
        node, reached = await self.ask(code, _JOIN_MS)
        with anyio.move_on_after(_ANSWER_S):
            await answer.wait()
            return {"node": node, "npub": npub_of(node), "owners": await self._owners()}
        silent = [f"{url}: {why}" for url, why in reached.items() if why]
        raise NotAvailable(
            "; ".join(silent)
            or f"no answer within {_ANSWER_S:.0f} s: the code may be used or over",
            "the question waits ten minutes; hermes peers list shows whether it was answered",
        )

    async def revoke(self, node: str, reason: str = "") -> Json:
        """Sign a node out, for good, and tell everybody."""
        key = read_npub(node)
        told = {*self._roster.others, key} - {self._roster.me}
        made = await self._warrants.revoke(key, reason)
        await self._roster.refresh()
        await self._tell(told)
        await self._store.peers.forget(key)
        return {"node": key, "npub": npub_of(key), "cid": made["cid"]}

    async def take(self, arrival: Arrival) -> None:
        """Do what a letter says, and say so."""
        envelope = arrival.envelope
        try:
            match envelope.payload_type:
                case "join":
                    join = msgspec.json.decode(envelope.data, type=Join)
                    await self._let_in(envelope.node_id, join)
                case "joined":
                    joined = msgspec.json.decode(envelope.data, type=Joined)
                    await self._came_in(envelope.node_id, joined)
                case _:
                    news = msgspec.json.decode(envelope.data, type=News)
                    await self._learn(news.statements)
        except (msgspec.DecodeError, RecursionError, ProofInvalid, Unmet):
            pass  # nonsense, or a code that was used: its sender hears nothing
        except HermesError:
            return  # the signer may be locked: it comes again at the next start
        if arrival.durable:
            await self.post.settle(envelope)

    async def _let_in(self, node: str, join: Join) -> None:
        offer = await self._store.peers.offered(digest_of(join.secret))
        if offer is None or offer.node not in {"", node}:
            return
        if not offer.node:
            await self._store.peers.use(digest_of(join.secret), node)
        for one in (self._roster.me, node):
            if not self._roster.admits(one):
                await self._warrants.add_member(one, ["node"])
        await self._roster.refresh()
        await self._places.saw(node, card_of(join.relays))
        await self.met(node)
        genesis = self._roster.genesis.record.block().data.hex()
        body = msgspec.json.encode(Joined(genesis, await self._blocks(), self._places.told))
        await self.post.send(Letter(node, JOINED, body, ttl_ms=BY_HAND_MS))
        await self._tell({*self._roster.others} - {node})

    async def _came_in(self, node: str, joined: Joined) -> None:
        if node not in self._asked:
            return
        genesis: Genesis = check_genesis(statement_of(joined.genesis))
        statements = [statement_of(one) for one in joined.statements]
        now = self._clock.now_ms()
        if genesis.nostr != node or not is_member(statements, genesis.owner, self._roster.me, now):
            raise ProofInvalid("no member by these statements")
        await self._store.peers.adopt(genesis.owner, node)
        await self._learn(joined.statements)
        await self._places.saw(node, card_of(joined.relays))
        await self.met(node)
        await self._store.peers.answered(node)
        del self._asked[node]
        self._answers.pop(node, anyio.Event()).set()

    async def _learn(self, blocks: Iterable[str]) -> None:
        """Keep what an owner of ours signed; anything else is left out."""
        owners = await self._roster.owners()
        kept = []
        for block in blocks:
            statement = statement_of(block)
            if statement.by in owners:
                kept.append((str(statement.block().cid), about(statement), block))
        await self._store.peers.keep(kept)
        await self._roster.refresh()

    async def _tell(self, nodes: Iterable[str]) -> None:
        body = msgspec.json.encode(News(await self._blocks()))
        for node in nodes:
            await self.post.send(Letter(node, FLEET, body, ttl_ms=7 * 24 * 3_600_000))

    async def _blocks(self) -> tuple[str, ...]:
        held = await self._roster.statements()
        return tuple(one.block().data.hex() for one in held[-MOST:])

    async def _owners(self) -> Json:
        return [npub_of(one) for one in await self._store.peers.owners()]


def card_of(relays: tuple[str, ...]) -> Card:
    """What is known of a node before it has said anything itself."""
    return Card(0, 0, relays=relays)
