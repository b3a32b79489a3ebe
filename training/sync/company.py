"""A worker's talk with the others of a mesh run: what it says, what it hears, and when it may go.

Every beat it asks what is new: so news that got lost comes a beat later.
"""

from collections.abc import Awaitable, Callable, Sequence

import anyio
from anyio.abc import TaskGroup

from hermes.errors import SyncRefused
from training.sync.mail import Mail
from training.sync.replica import Replica
from training.sync.words import Ask, Word, read_word, write_word


class Company:
    """The others, by name.

    Args:
        mail: messages to and from them.
        others: their names.
        replica: what is known here.
        hear: is given every message but questions.
        beat_s: seconds between two questions.
        silence_s: who was silent for so long is not waited for.
    """

    def __init__(
        self,
        mail: Mail,
        others: Sequence[str],
        replica: Replica,
        hear: Callable[[str, Word], Awaitable[None]],
        *,
        beat_s: float,
        silence_s: float,
    ) -> None:
        self._mail, self.others, self._replica, self._hear = mail, tuple(others), replica, hear
        self._beat_s, self._silence_s = beat_s, silence_s
        self._done = False
        self._heard: dict[str, tuple[float, Ask]] = {}
        self._tasks: TaskGroup

    def begin(self, tasks: TaskGroup) -> None:
        """Talk, in these tasks."""
        self._tasks = tasks
        tasks.start_soon(self._listen)
        tasks.start_soon(self._beat)

    def say(self, word: Word, to: Sequence[str]) -> None:
        """Send to some; each on its own, as one may be slow to reach."""
        data = write_word(word)
        for name in to:
            self._tasks.start_soon(self._mail.send, name, data)

    async def stay(self) -> None:
        """Until all who were heard of lately are done, too, and know what is known here."""
        self._done = True
        while True:
            mine = self._replica.ask(done=True)
            lately = anyio.current_time() - self._silence_s
            if all(asked == mine for when, asked in self._heard.values() if when > lately):
                break
            await anyio.sleep(self._beat_s / 2)
        for name in self.others:  # the last word: nobody need wait for this worker's silence
            await self._mail.send(name, write_word(mine))

    async def _listen(self) -> None:
        async for sender, data in self._mail.received():
            try:
                word = read_word(data)
            except SyncRefused:
                continue  # nobody of the roster writes such; the next message may be sound
            if isinstance(word, Ask):
                self._heard[sender] = anyio.current_time(), word
                for news in self._replica.answer(word):
                    self.say(news, [sender])
            else:
                await self._hear(sender, word)

    async def _beat(self) -> None:
        while True:
            self.say(self._replica.ask(done=self._done), self.others)
            await anyio.sleep(self._beat_s)
