"""What a person said on some days, as a store keeps it, and what is recalled of it."""

from pathlib import Path

from hermes.memory.project import project_hash
from hermes.memory.recall import Recaller
from hermes.store.store import Store
from hermes.testing.history.keep import Dial, keep, root_of
from hermes.testing.history.values import Exchange, History, Session

DAY = 86_400_000
NOW = 1_795_000_000_000
PROJECT = project_hash(Path(root_of(0)))


async def say(
    store: Store, dial: Dial, *texts: str, project: int = 0, private: bool = False
) -> None:
    """One session a text, a day apart, the last one yesterday."""
    sessions = tuple(
        Session(
            project,
            NOW - (len(texts) - place) * DAY,
            private=private,
            closed=True,
            turns=(Exchange(text, (), "Noted."),),
        )
        for place, text in enumerate(texts)
    )
    await keep(store, dial, History(1, NOW, "", (), (), (), sessions))


async def lines(store: Store, dial: Dial, question: str, limit: int = 5) -> list[str]:
    """The lines of what is found."""
    return [one.line for one in await Recaller(store, dial).ask(PROJECT, question, limit)]
