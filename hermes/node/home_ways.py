"""What becomes of a turn once it is known who is home: run here, sent there, or told as lost."""

from collections.abc import Callable

import msgspec

from hermes.core.request import TurnRequest
from hermes.mesh import intents, routing
from hermes.mesh.quorum import Way, way
from hermes.node.home_ground import HomeGround
from hermes.node.home_letters import PARCEL, Carried
from hermes.node.home_parcels import parcel_of
from hermes.node.home_turns import Hosting
from hermes.store.homes import ParcelRow

_WORDS_MS = 10_000
_SILENCE_MS = 30_000


class Ways:
    """Does what routes say; `feed` takes what is to be noted before it begins."""

    def __init__(
        self, ground: HomeGround, hosting: Hosting, feed: Callable[[intents.Propose], None]
    ) -> None:
        self._me = ground.me
        self._parcels = ground.parcels
        self._circle = ground.circle
        self._mail = ground.mail
        self._left, self._heard = ground.intake.left, ground.intake.heard
        self._clock = ground.clock
        self._known: dict[tuple[str, bool], int] = {}
        self._hosting = hosting
        self._feed = feed

    async def handle(self, parcel: routing.Parcel, epoch: int) -> None:
        """This node is home: may it begin this turn?"""
        row = self._parcels.get(parcel.id)
        if row is None or self._hosting.runs(row.turn):
            return
        if await self._hosting.is_known(row.turn):
            await self.already(row, epoch)
        elif self._circle.may_begin(row):
            self._feed(intents.Propose(row.conversation, epoch, row.turn))
        elif row.origin == self._me and not self._circle.is_patient:
            await self._hosting.lost(row)  # until then it is asked again and again

    async def already(self, row: ParcelRow, since: int) -> None:
        """This node is home, and a turn was begun before."""
        begun_here = await self._hosting.is_begun(row.turn)
        if not begun_here and await self._is_told(row):
            # Who was home before is there, and tells its end.
            for node in {*self._circle.live, row.forwarded}:
                self._again(row, parcel_of(row), node, begun=True)
        else:
            await self._hosting.look(row, since)

    async def _is_told(self, row: ParcelRow) -> bool:
        """Whether the node where a turn was sent is there to tell of it, or may be so soon.

        Its end alone may come faster, with the record; that serves who waited in vain.
        """
        if row.origin != self._me or not self._circle.may_tell(row.forwarded):
            return False
        known = await self._hosting.is_known(row.turn)
        now = self._clock.now_ms()
        self._known = {one: at for one, at in self._known.items() if self._parcels.get(one[0])}
        first = self._known.setdefault((row.turn, known), now)
        return now < first + (_WORDS_MS if known else _SILENCE_MS)

    async def forward(self, parcel: routing.Parcel, to: str) -> None:
        """Another is home: once by a letter that is kept, then by word of mouth."""
        row = self._parcels.get(parcel.id)
        if row is None or self._hosting.runs(row.turn):
            return
        if await self._hosting.is_begun(row.turn):
            await self._hosting.lost(row)  # it began here, and another went on
        elif await self._hosting.is_known(row.turn) and not await self._is_told(row):
            await self._hosting.begin(row)  # its end was replicated, and nobody tells more
        else:
            await self._carry(row, parcel, to)

    async def _carry(self, row: ParcelRow, parcel: routing.Parcel, to: str) -> None:
        mine = row.origin == self._me
        if to == row.origin:
            return  # it begins it there, or asks what became of it
        how = way(
            to,
            forwarded=row.forwarded,
            alone=row.alone,
            quorate=self._circle.is_quorate or not mine,
        )
        match how:
            case Way.AGAIN:
                self._again(row, parcel, to)
            case Way.SEND | Way.ALONE:
                alone = how is Way.ALONE
                await self._parcels.forward(row, to, alone=alone)
                body = Carried(parcel, self._words(row), alone)
                await self._mail.send(to, PARCEL, body, row.conversation, row.turn)
            case Way.NEVER:
                if mine and not self._circle.may_tell(row.forwarded):
                    await self._hosting.lost(row)

    def _again(
        self, row: ParcelRow, parcel: routing.Parcel, to: str, *, begun: bool = False
    ) -> None:
        """Ask by word of mouth."""
        if to == self._me:
            return
        mine = row.origin == self._me
        anew = mine and row.turn in self._left and row.turn not in self._heard
        body = Carried(parcel, self._words(row), row.alone, anew, begun)
        self._mail.say(to, PARCEL, body, row.conversation)

    def _words(self, row: ParcelRow) -> TurnRequest:
        return msgspec.structs.replace(self._parcels.request(row), api_key="")

    async def undelivered(self, parcel: routing.Parcel, reason: str) -> None:
        """No home was found in time; what was given to one may take longer than that."""
        row = self._parcels.get(parcel.id)
        if row is None or self._hosting.runs(row.turn):
            return
        if await self._hosting.is_known(row.turn):
            await self._hosting.answer(row)
        elif self._circle.may_tell(row.forwarded):
            self._again(row, parcel, row.forwarded)
        elif row.forwarded or row.origin != self._me:
            await self._hosting.lost(row)
        else:
            why = f"no machine took this in time ({reason}): it was not done"
            await self._hosting.fail(row, why, "see hermes peers list, then ask again", "")
