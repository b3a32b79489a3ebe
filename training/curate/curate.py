"""Curating, from top to bottom: read a conversation, judge it, scrub it, split it, write it.

One conversation at a time, so that a store of any size fits. Work goes on in a thread.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import anyio.to_thread

from hermes import __version__
from hermes.core.clock import Clock, SystemClock, rfc3339
from hermes.errors import NotAvailable
from hermes.scrub.scrub import Piece, scrub
from hermes.store.transcripts import Entry, Transcript, Transcripts
from training.curate.exchange import Chat, exchanges
from training.curate.lines import lines
from training.curate.near import Near
from training.curate.options import Options, Summary
from training.curate.outputs import Outputs, writing
from training.curate.quality import judge
from training.curate.strings import changed, context, pieces

RECIPE = "hermes/curate/1"
"""Stands in every digest: another recipe may split differently."""

Progress = Callable[[int, int], None]


async def curate(
    transcripts: Transcripts,
    options: Options,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write a store's conversations as `train.jsonl`, `heldout.jsonl` and `manifest.json`.

    Args:
        transcripts: the store, opened by `Transcripts.open`.
        options: which conversations, where to, how.
        clock: for the manifest.
        progress: is told conversations done, and all.

    Raises:
        NotAvailable: nothing in the store can be used; the text says why.
        StoreFull, Usage: nothing was written, an earlier set is as it was.
    """
    entries = await transcripts.list(options.root, options.since)
    work = _Work(options)
    async with writing(options.out) as outputs:
        for done, entry in enumerate(entries):
            await _one(transcripts, entry, work, outputs)
            if progress is not None:
                progress(done + 1, len(entries))
        if not work.kept:
            raise NotAvailable(
                f"nothing in {transcripts.path} can be used for training: {work.told()}",
                "talk with Hermes first (hermes chat), or lift --project and --since",
            )
        at = rfc3339((clock or SystemClock()).now_ms())
        await anyio.to_thread.run_sync(outputs.publish, work.manifest(at))
        return Summary(
            out=str(options.out),
            lines=outputs.lines,
            conversations=dict(work.conversations),
            turns=dict(+work.turns),
            replaced=dict(work.replaced),
        )


async def _one(transcripts: Transcripts, entry: Entry, work: "_Work", outputs: Outputs) -> None:
    transcript = None if entry.private else await transcripts.read(entry.id)
    if transcript is None:
        work.conversations["private"] += 1
        return
    found = await anyio.to_thread.run_sync(work.take, transcript)
    if found:
        split = split_of(transcript, work.options.held_out)
        work.sources.append({"id": hashed(entry.id), "split": split, "lines": len(found)})
        await anyio.to_thread.run_sync(partial(outputs.write, split, found))


class _Work:
    """What is counted and remembered over all conversations."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.conversations: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        self.replaced: Counter[str] = Counter()
        self.sources: list[dict[str, Any]] = []
        self._near = Near(options.near)

    @property
    def kept(self) -> int:
        """How many turns are in the set."""
        return self.turns["kept"]

    def take(self, transcript: Transcript) -> list[dict[str, Any]]:
        """The lines of one conversation."""
        judged = judge(exchanges(transcript))
        self.turns.update(one.reason for one in judged if one.reason)
        if all(one.reason for one in judged):
            self.conversations["nothing good" if judged else "empty"] += 1
            return []
        every = [message for one in judged for message in one.exchange.messages]
        texts = [*pieces(every), *context(every), Piece(transcript.root)]
        clean = scrub(texts, self.options.owner)
        if clean is None:
            self.conversations["suspicious"] += 1
            return []
        rest = iter(clean.texts)
        scrubbed = [changed(one.exchange.messages, rest) for one in judged]
        good = [turn for turn, one in zip(scrubbed, judged, strict=True) if not one.reason]
        fresh = [turn for turn in good if not self._near.seen(_gist(turn))]
        self.turns["near-duplicate"] += len(good) - len(fresh)
        found, too_long = lines(fresh, self.options)
        self.turns["too long"] += too_long
        self.turns["kept"] += len(fresh) - too_long
        self.conversations["kept" if found else "nothing new"] += 1
        self.replaced.update(clean.counts if found else {})
        return found

    def told(self) -> str:
        """The counts in words."""
        counts = [f"{count} conversations {name}" for name, count in self.conversations.items()]
        counts += [f"{count} turns {name}" for name, count in self.turns.items() if count]
        return ", ".join(counts) or "no conversation there"

    def manifest(self, at: str) -> dict[str, Any]:
        """Where the set comes from, with which settings, and what was left out."""
        return {
            "recipe": RECIPE,
            "hermes": __version__,
            "made": at,
            "settings": self.options.told(),
            "conversations": dict(self.conversations),
            "turns": dict(+self.turns),
            "replaced": dict(self.replaced),
            "sources": self.sources,
        }


def split_of(transcript: Transcript, held_out: float) -> str:
    """The split of a conversation, by its digest: it stays when the store grows.

    A fork goes where the conversation goes that it was forked from: they share turns.
    """
    origin = transcript.messages[0].conversation
    digest = hashlib.sha256(f"{RECIPE}\nsplit\n{origin}".encode()).digest()
    return "heldout" if int.from_bytes(digest[:8], "big") < held_out * 2**64 else "train"


def hashed(conversation: str) -> str:
    """A conversation's name in the manifest: its owner can look it up, nobody else."""
    return hashlib.sha256(f"{RECIPE}\nsource\n{conversation}".encode()).hexdigest()


def _gist(turn: Sequence[Chat]) -> str:
    """What makes a turn: results of calls follow from the rest."""
    parts = []
    for message in turn:
        if message["role"] != "tool":
            calls = [call["function"] for call in message.get("tool_calls", ())]
            parts.append(f"{message['content']}\n{calls}")
    return "\n".join(parts)
