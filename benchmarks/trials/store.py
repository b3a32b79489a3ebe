"""Messages appended by many at once, read back as histories, searched for by their words."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio

from hermes.core.clock import SystemClock
from hermes.core.ids import Cid, ConversationId, NodeId, SessionId, TurnId
from hermes.core.message import Message, Text, block_of
from hermes.store.store import Store

TALKS, EACH, LOOKS = 12, 60, 60
WORDS = [f"{a}{b}{c}" for a in "bdfgklmn" for b in ("a", "ei", "o") for c in "nrstlk"]


def talk(chance: random.Random, number: int) -> list[Message]:
    """Linked messages of one conversation."""
    parents: tuple[Cid, ...] = ()
    made = []
    place = ConversationId(f"c{number}"), SessionId(f"s{number}"), TurnId(f"t{number}")
    for at in range(EACH):
        text = (Text(" ".join(chance.choices(WORDS, k=16))),)
        salt = f"{chance.getrandbits(128):x}"
        made.append(Message(*place, "user", text, at, NodeId("n"), salt, parents))
        parents = (block_of(made[-1]).cid,)
    return made


async def _work(chance: random.Random, path: Path) -> list[str]:
    talks = [talk(chance, number) for number in range(TALKS)]
    said = []
    async with Store.open(path, SystemClock()) as store:
        conversations = store.conversations

        async def produce(messages: list[Message]) -> None:
            for one in messages:
                await conversations.append(one)

        for one in talks:
            name = one[0].conversation
            await conversations.create(conversation=name, title="", root="/", private=False)
        async with anyio.create_task_group() as group:
            for one in talks:
                group.start_soon(produce, one)
        for _ in range(LOOKS):
            name = talks[chance.randrange(TALKS)][0].conversation
            said.append(" ".join(one.cid for one in await conversations.history(name)))
            query = " ".join(chance.sample(WORDS, 2))
            hits = await store.search.messages(query, limit=TALKS * EACH)
            said += sorted(one.cid for one in hits)
        said.append(str(await store.log.size()))
    return said


def work(chance: random.Random) -> Iterator[str]:
    """The histories' and the hits' names, and how long the log is."""
    with tempfile.TemporaryDirectory() as place:
        yield from anyio.run(_work, chance, Path(place) / "store.db")
