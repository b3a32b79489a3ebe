"""What ends trials and adoptions: a flag, a person's own hook, a number a day, a row of failures.

Looked at before each fork and each adoption. The flag is a file, so that it can be laid down and
taken away without this program.
"""

from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hermes.config import Successor
from hermes.core.clock import Clock
from hermes.errors import Halted
from hermes.store.store import Store
from hermes.successor.books import Deed

FLAG = "emergency_stop.flag"
RESUMED = "resumed"
_DAY_MS = 86_400_000
_HOOK_S = 10.0
_WHY_MOST = 500


class Standstill(msgspec.Struct, frozen=True):
    """How the stops stand: `reason` and `remedy` are empty while nothing holds anything up."""

    flag: bool
    begun_today: int
    most_a_day: int
    failures: int
    halt_after: int
    reason: str = ""
    remedy: str = ""


class Flag:
    """The emergency stop: a file in the data directory. Its calls touch the disk."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FLAG

    def lies(self) -> bool:
        """Whether it lies there; where that cannot be known, it does."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def why(self) -> str:
        """What was written on it."""
        try:
            with self.path.open("rb") as file:
                return file.read(_WHY_MOST).decode(errors="replace").strip()
        except OSError:
            return ""

    def lay(self, why: str) -> None:
        """Stop everything."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.write_text(f"{why[:_WHY_MOST]}\n")

    def lift(self) -> None:
        """Take it away."""
        self.path.unlink(missing_ok=True)


class StopRules:
    """`books.Stops` as this node's settings have it."""

    def __init__(
        self, settings: Successor, data_dir: Path, store: Store, clock: Clock, env: dict[str, str]
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._env = env
        self.flag = Flag(data_dir)

    def flagged(self) -> bool:
        """Whether the emergency flag lies there: a look at the disk."""
        return self.flag.lies()

    async def check(self, what: Deed) -> None:
        """Raise Halted (exit code 3) with the reason and how to lift it."""
        await self._store.trials.bury()
        now = await self.look(what)
        if not now.reason:
            await self._ask_hook(what)
        else:
            raise Halted(now.reason, now.remedy)

    async def look(self, what: Deed = "trial") -> Standstill:
        """How the stops stand; the hook is not asked."""
        flag = await anyio.to_thread.run_sync(self.flag.lies)
        why = await anyio.to_thread.run_sync(self.flag.why) if flag else ""
        since = self._clock.now_ms() - _DAY_MS
        begun = await self._store.trials.begun_since(since)
        now = Standstill(
            flag, begun, self._settings.trials_per_day, await self._failures(),
            self._settings.halt_after,
        )  # fmt: skip
        reason, remedy = _reason(now, why, what)
        return msgspec.structs.replace(now, reason=reason, remedy=remedy)

    async def stop(self, why: str) -> None:
        """Lay the flag down."""
        await anyio.to_thread.run_sync(self.flag.lay, why)

    async def resume(self) -> None:
        """Take the flag away, and begin to count failures anew."""
        await self._store.adoptions.mark(RESUMED)
        await anyio.to_thread.run_sync(self.flag.lift)

    async def _failures(self) -> int:
        since = await self._store.adoptions.marked(RESUMED)
        words = await self._store.trials.last_words(self._settings.halt_after, since)
        return next((n for n, word in enumerate(words) if word == "approve"), len(words))

    async def _ask_hook(self, what: Deed) -> None:
        hook = self._settings.kill_hook
        if not hook:
            return
        remedy = "it is successor.kill_hook of config.toml"
        try:
            with anyio.fail_after(_HOOK_S):
                command = ["/bin/sh", "-c", f"{hook} {what}"]
                done = await anyio.run_process(command, env=self._env, check=False)
        except (OSError, TimeoutError) as error:
            raise Halted("the kill hook does not answer, and that is a no", remedy) from error
        if done.returncode:
            said = done.stdout.decode(errors="replace").strip()[:_WHY_MOST]
            raise Halted(f"the kill hook said no{f': {said}' if said else ''}", remedy)


def _reason(now: Standstill, why: str, what: Deed) -> tuple[str, str]:
    if now.flag:
        told = f": {why}" if why else ""
        return f"the emergency stop is on{told}", "lift it: hermes successor resume"
    if what == "adoption":
        return "", ""
    if now.begun_today >= now.most_a_day:
        return (
            f"{now.begun_today} trials began in 24 hours, and that is the limit",
            "wait, or raise successor.trials_per_day",
        )
    if now.failures >= now.halt_after:
        return (
            f"the last {now.failures} trials ended without an approving verdict",
            "look at them (hermes successor list), then: hermes successor resume",
        )
    return "", ""
