"""How turns went in a stretch of time: the figures by which a new version is watched."""

import msgspec

from hermes.store.database import Database

_TURNS = """SELECT state, finished - started FROM turns
    WHERE finished IS NOT NULL AND started >= ? AND started < ? ORDER BY started DESC LIMIT ?"""


class Stretch(msgspec.Struct, frozen=True):
    """Turns that ended: how many, how many of them failed, the median of their ms."""

    turns: int = 0
    failed: int = 0
    median_ms: int = 0


class Health:
    """Figures over turns; one that somebody stopped is not counted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(self, since: int, until: int, most: int) -> Stretch:
        """The last turns that began in a stretch of time (ms UTC)."""
        rows = await self._database.read(_TURNS, (since, until, most))
        took = sorted(ms for state, ms in rows if state == "finished")
        failed = sum(state == "failed" for state, _ in rows)
        return Stretch(len(took) + failed, failed, took[len(took) // 2] if took else 0)
