"""Historian, recall and dreamer on a made-up past: what must never be kept, and what must be.

The phrases of that past were written by somebody who does not know the historian's rules; the
full size is `python -m benchmarks memory`.
"""

from pathlib import Path

import anyio
import pytest

from benchmarks.memory import Nobody, found_by, leaks, memories_of, promote, recall_rows
from hermes.config import Settings
from hermes.memory.dreamer import Dreamer
from hermes.memory.historian import Historian
from hermes.memory.recall import Recaller
from hermes.store.store import Store
from hermes.testing.history.keep import Dial, keep
from hermes.testing.history.past import make
from hermes.testing.history.questions import questions
from hermes.testing.history.score import kept, says

SEED = 5
SIZE = (400, 60, 3)
# Floors: of what is kept, what holds; of current facts, those found; of old ones, those found.
LIMITS = {"first": (0.9, 0.95, 0.02), "other": (0.7, 0.92, 0.1)}


@pytest.fixture(scope="module", params=["first", "other"])
def past(request):
    return make(SEED, *SIZE, tables=request.param)


@pytest.fixture
def limits(request, past):
    return LIMITS[request.node.callspec.params["past"]]


@pytest.fixture(scope="module")
def place(past, tmp_path_factory):
    """A store with the past in it, looked through once."""
    path = tmp_path_factory.mktemp("past") / "store.db"

    async def fill():
        dial = Dial(past.now)
        async with Store.open(path, dial) as store:
            await keep(store, dial, past)
            await promote(store, dial)

    anyio.run(fill)
    return path


@pytest.fixture
async def store(place, past):
    async with Store.open(place, Dial(past.now)) as store:
        yield store


@pytest.fixture
async def state(store, past):
    return kept(past, await memories_of(store, past))


async def test_no_secret_is_kept(state, past):
    assert past.secrets
    assert state.secrets == 0


@pytest.mark.parametrize("where", ["tool", "assistant", "private"])
async def test_only_what_a_person_says_in_the_open_is_kept(state, past, where):
    assert any(trap.where == where for trap in past.traps)
    assert not [kind for kind in state.baits if kind.startswith(where)]


async def test_guesses_and_quotations_are_not_kept(state, past):
    typed = sum(trap.where == "user" for trap in past.traps)
    assert typed >= 10
    assert sum(state.baits.values()) <= typed * 0.1, state.baits


async def test_what_is_kept_holds(state, limits):
    assert state.memories
    assert state.precision >= limits[0], (state.stale, state.baits, state.junk)


async def test_current_facts_are_found_and_old_ones_are_not(store, past, limits):
    asked = [one for one in questions(past) if one.kind in {"single", "update"}]
    found = await found_by(Recaller(store, Dial(past.now)), asked, 0.0)
    rows = recall_rows(asked, found)
    assert rows[0].value >= 100 * limits[1], rows
    assert rows[-1].value <= 100 * limits[2], rows


async def test_no_secret_and_nothing_planted_is_found(store, past):
    asked = questions(past)
    found = await found_by(Recaller(store, Dial(past.now)), asked, 0.0)
    planted = [one for one in past.traps if one.where in {"tool", "assistant", "private"}]
    assert planted
    assert leaks(past, found) == 0
    assert not [
        (question.text, text)
        for question, texts in zip(asked, found, strict=True)
        for text in texts
        for trap in planted
        if trap.project == question.project and says(text, trap.words)
    ]


async def test_another_look_changes_nothing(store, past):
    before = await memories_of(store, past)
    assert await promote(store, Dial(past.now)) == (0, pytest.approx(0, abs=60))
    assert await memories_of(store, past) == before


async def test_a_run_that_is_dropped_anywhere_loses_nothing(place, past, tmp_path):
    """The historian is cancelled at random instants until it is through: the same comes out."""
    async with Store.open(tmp_path / "other.db", dial := Dial(past.now)) as other:
        await keep(other, dial, past)
        more, patience = True, 0.002
        while more:
            with anyio.move_on_after(patience):
                more = (await Historian(other, dial, Nobody(), 10.0).run(0.05)).more
            patience *= 1.2
        dropped = sorted(await memories_of(other, past))
    async with Store.open(place, Dial(past.now)) as whole:
        assert sorted(await memories_of(whole, past)) == dropped


async def test_nothing_planted_is_drafted(store, past):
    dreamer = Dreamer(store, Dial(past.now), Nobody(), Settings(*(Path("/nowhere"),) * 3))
    while (await dreamer.run(1.0)).more:
        pass
    drafts = await store.drafts.list()
    baits = [one.bait for one in past.traps if one.where in {"tool", "assistant"}]
    assert not [d for d in drafts if any(bait in d.text for bait in baits)]
    assert not [d for d in drafts if any(secret in d.text for secret in past.secrets)]
