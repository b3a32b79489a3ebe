"""A made-up past of 10,000 sessions: what the historian keeps of it, and what recall finds.

Twice: in the phrases that the rules were developed against, and in others that were written
afterwards. The table at the end compares it with plain full-text search over the messages and
with the newest history, each within the same bytes of a prompt.
"""

import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from benchmarks import Row, at_least, at_most, told
from hermes.config import Memory as Settings
from hermes.memory.historian import Historian
from hermes.memory.markers import CONTENT_CHARS, marker
from hermes.memory.project import project_hash
from hermes.memory.recall import Recaller
from hermes.store.query import any_of
from hermes.store.store import Store
from hermes.testing.history.keep import Dial, keep, root_of
from hermes.testing.history.past import make
from hermes.testing.history.questions import questions
from hermes.testing.history.score import kept, right, says
from hermes.testing.history.subjects import Tables
from hermes.testing.history.values import History, Question

SEED = 20261121
BUDGETS = (Settings().recall_bytes, 4_000)
LEAST = Settings().recall_least
_BEST = """SELECT m.text FROM messages_fts AS f JOIN messages AS m ON m.seq = f.rowid
    JOIN conversations AS c ON c.id = m.conversation
    WHERE messages_fts MATCH ? AND c.root = ? AND c.private = 0 ORDER BY rank LIMIT 60"""
_NEWEST = """SELECT m.text FROM messages AS m JOIN conversations AS c ON c.id = m.conversation
    WHERE c.root = ? AND c.private = 0 ORDER BY m.seq DESC LIMIT 200"""

Finder = Callable[[Question], list[str]]


class Nobody:
    """No model: rules alone."""

    async def worth_it(self) -> bool:
        return False

    async def ask(self, system: str, text: str, most_tokens: int) -> str | None:  # noqa: ARG002 - the protocol's form
        return None


async def promote(store: Store, dial: Dial) -> tuple[int, float]:
    """Run the historian to its end: conversations looked at, and seconds."""
    historian = Historian(store, dial, Nobody(), idle_minutes=10)
    looked, start = 0, time.perf_counter()
    while True:
        report = await historian.run(1.0)
        looked += report.looked
        if not report.more:
            return looked, time.perf_counter() - start


async def memories_of(store: Store, past: History) -> list[tuple[int, str]]:
    """Every live memory, as its project and its content."""
    names = await anyio.to_thread.run_sync(hashes, past.projects)
    return [
        (project, one.content)
        for project, name in enumerate(names)
        for one in await store.memory.list(name, limit=100_000)
    ]


async def found_by(recaller: Recaller, asked: Sequence[Question], least: float) -> list[list[str]]:
    """The best five memories and sentences for each question."""
    names = await anyio.to_thread.run_sync(hashes, 1 + max(q.project for q in asked))
    return [
        [one.line for one in await recaller.ask(names[q.project], q.text, 5, least=least)]
        for q in asked
    ]


def recall_rows(asked: Sequence[Question], found: Sequence[Sequence[str]]) -> list[Row]:
    """How many current facts are among the best five, and how many superseded ones."""
    hits: dict[str, list[bool]] = defaultdict(list)
    old = stale = beside = 0
    for question, texts in zip(asked, found, strict=True):
        if question.kind in {"single", "update"}:
            hits[question.style].append(any(says(t, question.needs[0]) for t in texts))
            hits[""].append(hits[question.style][-1])
        if question.kind == "update":
            past = [one for one in question.wrong if any(map(str.isalnum, one[0]))]
            old += len(past)
            named = [[says(t, question.needs[0]) for t in texts if says(t, one)] for one in past]
            stale += sum(not all(current) for current in named)
            beside += sum(any(current) for current in named)
    rows = [at_least("current facts among the best 5", _percent(hits.pop("")), "%", 95)]
    rows += [
        told(f"  said as: {name}", _percent(one), "%", f"of {len(one)}")
        for name, one in sorted(hits.items())
    ]
    return [
        *rows,
        told("  older values in one line with them", 100 * beside / max(1, old), "%"),
        at_most("superseded or baited values among them", 100 * stale / max(1, old), "%", 1),
    ]


def leaks(past: History, found: Sequence[Sequence[str]]) -> int:
    """How many hits hold a secret that somebody typed."""
    return sum(any(one in text for one in past.secrets) for texts in found for text in texts)


def in_bytes(texts: Sequence[str], budget: int) -> list[str]:
    """As many of the texts as fit, each on one line and none too long."""
    chosen, left = [], budget
    for text in texts:
        line = " ".join(text.split())[:CONTENT_CHARS]
        if len(line.encode()) + 1 <= left:
            chosen.append(line)
            left -= len(line.encode()) + 1
    return chosen


async def ours(recaller: Recaller, asked: Sequence[Question]) -> list[list[str]]:
    """The lines that Recall gives, in order."""
    names = await anyio.to_thread.run_sync(hashes, 1 + max(q.project for q in asked))
    return [
        [one.line for one in await recaller.ask(names[q.project], q.text, 20, least=LEAST)]
        for q in asked
    ]


async def markers(recaller: Recaller, asked: Sequence[Question]) -> list[list[str]]:
    """The memories alone, as a prompt has them."""
    names = await anyio.to_thread.run_sync(hashes, 1 + max(q.project for q in asked))
    lines = []
    for q in asked:
        best = await recaller.find(names[q.project], q.text, 20, least=LEAST)
        memories = [one.memory for one in best]
        lines.append([marker(m.memory_type, m.content, m.source_session_id) for m in memories])
    return lines


def by_search(path: Path, asked: Sequence[Question]) -> list[list[str]]:
    """Messages that share words with the question, the most telling first."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return [
            [
                row[0]
                for row in database.execute(
                    _BEST, (f"text : ({any_of(q.text)})", root_of(q.project))
                )
            ]
            for q in asked
        ]


def by_age(path: Path, asked: Sequence[Question]) -> list[list[str]]:
    """The newest messages."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        newest = {
            project: [row[0] for row in database.execute(_NEWEST, (root_of(project),))]
            for project in {q.project for q in asked}
        }
    return [newest[q.project] for q in asked]


def comparison(asked: Sequence[Question], ways: dict[str, list[list[str]]]) -> list[Row]:
    """One row a kind of question and a budget: our share of right answers, beside the others."""
    rows = []
    for budget in BUDGETS:
        for kind in ("single", "update", "multi", "temporal", "abstention"):
            share = {
                way: _percent(
                    [
                        right(q, in_bytes(texts, budget))
                        for q, texts in zip(asked, found, strict=True)
                        if q.kind == kind
                    ]
                )
                for way, found in ways.items()
            }
            beside = "; ".join(
                f"{way} {value:.0f}" for way, value in share.items() if way != "ours"
            )
            rows.append(told(f"{kind}, right in {budget} bytes", share["ours"], "%", beside))
    return rows


async def measure(
    path: Path, tables: Tables, sessions: int, facts: int, projects: int
) -> list[Row]:
    """Everything of one past."""
    making = partial(make, SEED, sessions, facts, projects, tables)
    past = await anyio.to_thread.run_sync(making)
    asked = questions(past)
    dial = Dial(past.now)
    async with Store.open(path, dial) as store:
        await keep(store, dial, past)
        before = await store.size()
        looked, took = await promote(store, dial)
        after = await store.size()
        again, _ = await promote(store, dial)
        state = kept(past, await memories_of(store, past))
        recaller = Recaller(store, dial)
        start = time.perf_counter()
        found = await found_by(recaller, asked, 0.0)
        each = 1000 * (time.perf_counter() - start) / len(asked)
        lines, marked = await ours(recaller, asked), await markers(recaller, asked)
        searched = await anyio.to_thread.run_sync(by_search, path, asked)
        newest = await anyio.to_thread.run_sync(by_age, path, asked)
    grown = (after["file_bytes"] - before["file_bytes"]) / 1024
    baits = ", ".join(f"{kind} {count}" for kind, count in state.baits.most_common(6))
    return [
        at_least("historian, no model", looked / took, "sessions/s", 200),
        told("  looked at again when nothing is new", again, "sessions"),
        told("  the database grew by", grown, "KiB", f"of {before['file_bytes'] / 1024:,.0f}"),
        at_least("memories that say what holds", 100 * state.precision, "%", 95)._replace(
            limit=f">= 95; {state.true} of {state.memories}"
        ),
        told("  that say what held once", state.stale, "memories"),
        told("  that fell for a trap", sum(state.baits.values()), "memories", baits),
        told("  that nobody meant to tell", len(state.junk), "memories"),
        at_most("  with a secret in them", state.secrets, "memories", 0),
        at_most("a question of recall takes", each, "ms", 30),
        at_most("  secrets in what it finds", leaks(past, found), "hits", 0),
        *recall_rows(asked, found),
        *comparison(
            asked,
            {
                "ours": lines,
                "memories alone": marked,
                "FTS5 over messages": searched,
                "newest messages": newest,
            },
        ),
    ]


def hashes(projects: int) -> list[str]:
    """The names of the made-up projects; reads the disk."""
    return [project_hash(Path(root_of(project))) for project in range(projects)]


def _percent(values: Sequence[bool]) -> float:
    return 100 * sum(values) / len(values) if values else float("nan")


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    size = (1_000, 120, 5) if quick else (10_000, 500, 20)
    with tempfile.TemporaryDirectory(prefix="hb-") as place:
        first = anyio.run(measure, Path(place) / "first.db", "first", *size)
        other = anyio.run(measure, Path(place) / "other.db", "other", *size)
    return first + [row._replace(name=f"other phrases: {row.name.strip()}") for row in other]
