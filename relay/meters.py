"""How often somebody may: meters that fill up with time, and the policy with its meters."""

from collections import OrderedDict
from typing import NamedTuple

from relay.policy import Charge, Seen, Verdict, judge, unpaid
from relay.rules import Rules

_MINUTE_MS = 60_000
_MOST_METERS = 10_000


class Level(NamedTuple):
    """What was left in a meter, and when (ms)."""

    tokens: float
    at: int


def drawn(level: Level | None, per_minute: int, now: int) -> Level | None:
    """The level after one token was taken at `now` (ms); None: there was none to take."""
    if level is None:
        level = Level(per_minute, now)
    passed = max(0, now - level.at)
    tokens = min(per_minute, level.tokens + passed * per_minute / _MINUTE_MS)
    return Level(tokens - 1, max(now, level.at)) if tokens >= 1 else None


class Meters:
    """The meters of all sources; the least used one is forgotten when there are too many.

    A flood from very many addresses can thus refill its own meters: the totals hold then.
    """

    def __init__(self, most: int = _MOST_METERS) -> None:
        self._levels: OrderedDict[str, Level] = OrderedDict()
        self._most = most

    def pay(self, charges: "tuple[Charge, ...] | list[Charge]", now: int) -> Charge | None:
        """Take a token from every meter, or from none; the charge that could not be paid."""
        after = {}
        for charge in charges:
            level = drawn(self._levels.get(charge.meter), charge.per_minute, now)
            if level is None:
                return charge
            after[charge.meter] = level
        for meter, level in after.items():
            self._levels[meter] = level
            self._levels.move_to_end(meter)
        while len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return None


class Policy:
    """The rules with their meters; `rules` may be exchanged while it runs."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._meters = Meters()

    def judge(self, seen: Seen, now: int) -> Verdict:
        """Decide about one event, unverified yet; `now` in ms."""
        return judge(self.rules, seen, now // 1000)

    def charge(self, verdict: Verdict, now: int) -> Verdict:
        """Have a verified event paid for."""
        lacking = self._meters.pay(tuple(verdict.charges), now)
        return verdict if lacking is None else unpaid(self.rules, lacking)

    def admit(self, seen: Seen, now: int) -> Verdict:
        """Decide about one verified event and charge for it; `now` in ms."""
        verdict = self.judge(seen, now)
        return self.charge(verdict, now) if verdict.accepted else verdict

    def may_ask(self, source: str, now: int) -> bool:
        """Whether an address may ask once more; `now` in ms."""
        charge = Charge(f"query {source}", self.rules.queries_per_minute, "too many")
        return self._meters.pay((charge,), now) is None
