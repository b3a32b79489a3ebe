from hypothesis import given
from hypothesis import strategies as st

from hermes.mesh import inbox
from hermes.mesh.inbox import (
    KEEP_MS,
    MOST_A_SENDER,
    Acknowledge,
    Arrived,
    Effect,
    Finished,
    Forget,
    Inbox,
    Interrupted,
    Note,
    Refuse,
    Seen,
    Tick,
    restored,
)
from hermes.mesh.shards import Shards

GOOD = Arrived("x", "a", 1_000)


def test_noted_first_then_the_effect_then_acknowledged():
    state, actions = inbox.step(Inbox(), 0, GOOD)
    assert actions == (Note(Seen("x", "a", 1_000)), Effect("x", "a"))
    assert inbox.step(state, 1, GOOD)[1] == ()
    state, actions = inbox.step(state, 2, Finished("x"))
    assert actions == (Note(Seen("x", "a", 1_000, finished=True)), Acknowledge("x", "a"))
    assert inbox.step(state, 3, GOOD)[1] == (Acknowledge("x", "a"),)
    assert inbox.step(state, 3, Finished("x")) == (state, ())
    assert inbox.step(state, 3, Finished("y")) == (state, ())


def test_stale_and_foreign_copies_have_no_effect():
    assert inbox.step(Inbox(), 1_000, GOOD)[1] == (Refuse("x", "a", "stale"),)
    state, _ = inbox.step(Inbox(), 0, GOOD)
    assert inbox.step(state, 0, Arrived("x", "b", 1_000))[1] == (Refuse("x", "b", "forged"),)


def test_one_sender_fills_only_its_own_part():
    full, _ = restored(tuple(Seen(str(i), "a", 9, finished=True) for i in range(MOST_A_SENDER)))
    assert inbox.step(full, 0, GOOD)[1] == (Refuse("x", "a", "too many"),)
    assert Effect("x", "b") in inbox.step(full, 0, Arrived("x", "b", 9))[1]


def test_ids_are_kept_past_every_copy():
    state, _ = inbox.step(Inbox(), 0, GOOD)
    state, _ = inbox.step(state, 0, Finished("x"))
    state, actions = inbox.step(state, 1_000 + KEEP_MS - 1, Tick())
    assert actions == ()
    state, actions = inbox.step(state, inbox.due(state), Tick())
    assert actions == (Forget(("x",)),)
    assert (len(state.seen), state.counts) == (0, {})
    assert inbox.due(state) is None


courses = st.lists(
    st.tuples(st.sampled_from(["arrive", "finish", "die"]), st.sampled_from("xyz")), max_size=40
)


@given(courses)
def test_at_most_one_effect_whatever_comes_and_whenever_it_dies(course):
    state, disk, effects, shown = Inbox(), {}, [], []
    for what, name in course:
        if what == "die":
            state, begun = restored(tuple(disk.values()))
            shown += [one.id for one in begun]
            continue
        event = Arrived(name, "a", 1_000) if what == "arrive" else Finished(name)
        state, actions = inbox.step(state, 0, event)
        for action in actions:
            if isinstance(action, Note):
                disk[action.seen.id] = action.seen
            elif isinstance(action, Effect):
                assert action.id in disk
                effects.append(action.id)
    assert len(effects) == len(set(effects))
    assert set(shown) <= set(effects)


def test_what_was_begun_is_shown():
    _, begun = restored((Seen("x", "a", 9), Seen("y", "a", 9, finished=True)))
    assert begun == (Interrupted("x", "a"),)


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=3), st.integers(0, 9)), max_size=60))
def test_shards_are_a_map_that_nobody_changes(course):
    shards, plain, before = Shards(), {}, []
    for put, key, value in course:
        before.append((shards, dict(plain)))
        if put:
            plain[key] = value
            shards = shards.put(key, value)
        else:
            plain.pop(key, None)
            shards = shards.drop(key)
    for kept, expected in [*before, (shards, plain)]:
        assert dict(kept.items()) == expected
        assert len(kept) == len(expected)
        assert all(kept.get(key) == value and key in kept for key, value in expected.items())
    assert shards.get("none of these") is None
