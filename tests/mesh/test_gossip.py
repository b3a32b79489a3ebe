from hypothesis import given
from hypothesis import strategies as st

from hermes.mesh import gossip, swarm
from hermes.mesh import gossip_values as said
from hermes.mesh.gossip_wire import (
    MOST_BYTES,
    Briefs,
    Ping,
    Rows,
    Rumours,
    Summary,
    Topic,
    Unread,
    decode_gossip,
    encode_gossip,
)
from hermes.mesh.members import AHEAD_MS, Card, Member, Members, Report, Standing, changed, merge
from hermes.mesh.ring import neighbours, stands_between

NOW = 1_760_000_000_000
NAMES = [f"{i:064x}" for i in range(40)]
reports = st.lists(
    st.builds(
        Report,
        st.sampled_from(NAMES[:6]),
        st.integers(NOW - 5, NOW + 5),
        st.sampled_from(Standing),
        st.none() | st.builds(Card, st.integers(NOW - 5, NOW + 5), st.just(NOW + 1_000)),
    ),
    max_size=30,
)


def stands(members):
    return {
        node: (m.incarnation, m.standing, m.card and m.card.version)
        for node, m in members.table.items()
    }


def all_alive(names=NAMES):
    return changed(Members(), {name: Member(NOW, Standing.ALIVE, NOW) for name in names})


def item(**other):
    known = {"id": "i", "topic": "t", "origin": NAMES[1], "issued_at": NOW, "body": "hello"}
    return Topic(**(known | {"expires_at": NOW + 60_000} | other))


@given(reports, st.randoms(use_true_random=False))
def test_reports_merge_the_same_in_any_order(given_reports, chance):
    other = given_reports * 2
    chance.shuffle(other)
    one, _ = merge(Members(), given_reports, NOW)
    two = Members()
    for report in other:
        two, _ = merge(two, [report], NOW + 1)
    assert stands(one) == stands(two)
    assert one.digests == two.digests
    assert (one.alive, one.dead) == (two.alive, two.dead)


@given(reports)
def test_a_table_keeps_its_books(given_reports):
    members, news = merge(Members(), given_reports, NOW)
    again = changed(Members(), dict(members.table))
    assert again.digests == members.digests
    assert sorted(members.table) == sorted(members.alive + members.dead)
    assert merge(members, news, NOW)[1] == ()


def test_digests_tell_tables_apart():
    one = all_alive()
    two, _ = merge(one, [Report(NAMES[3], NOW, Standing.DEAD)], NOW)
    assert one.digests != two.digests
    suspected, _ = merge(one, [Report(NAMES[3], NOW, Standing.SUSPECT)], NOW)
    assert one.digests == suspected.digests


def test_reports_from_the_future_are_refused():
    members, news = merge(all_alive(), [Report(NAMES[3], NOW + AHEAD_MS + 1, Standing.DEAD)], NOW)
    assert news == ()
    assert members.is_alive(NAMES[3])


def test_a_death_by_hearsay_is_a_suspicion():
    members, _ = merge(all_alive(), [Report(NAMES[3], NOW, Standing.DEAD)], NOW, hearsay=True)
    assert members.table[NAMES[3]].standing is Standing.SUSPECT


@given(st.sets(st.text("0123456789abcdef", min_size=4, max_size=8), min_size=2, max_size=60))
def test_neighbours_are_mutual(names):
    links = {name: neighbours(name, names) for name in names}
    for name, near in links.items():
        assert name not in near
        assert all(name in links[other] for other in near)
    assert all(len(near) >= min(len(names) - 1, 2) for near in links.values())


@given(st.sets(st.text("0123456789abcdef", min_size=4, max_size=8), min_size=14, max_size=60))
def test_a_new_neighbour_is_noticed(names):
    new, me, *_ = sorted(names)
    before = neighbours(me, names - {new})
    if new in neighbours(me, names):
        assert stands_between(me, before, new)


def test_an_item_is_delivered_once_and_passed_on():
    state, members = said.Gossip(NAMES[0], 1), all_alive()
    state, actions = gossip.step(state, NOW, said.Heard(NAMES[2], item(), members))
    assert actions[0] == said.Deliver(item())
    told = {action.to for action in actions[1:]}
    assert told == set(neighbours(NAMES[0], NAMES)) - {NAMES[1], NAMES[2]}
    assert gossip.step(state, NOW, said.Heard(NAMES[3], item(), members)) == (state, ())


def test_items_out_of_time_are_refused():
    members = all_alive()
    for one, reason in [
        (item(expires_at=NOW), "expired"),
        (item(issued_at=NOW + AHEAD_MS + 1, expires_at=NOW + AHEAD_MS + 2), "early"),
        (item(expires_at=NOW + 3_600_000), "kept too long"),
    ]:
        _, actions = gossip.step(said.Gossip(NAMES[0], 1), NOW, said.Heard(NAMES[2], one, members))
        assert actions == (said.Refused(NAMES[2], "i", reason),)


def converse(one, two, opening):
    """Carry messages between two swarms until both are silent; how many bytes that took."""
    sides = {one.detector.me: one, two.detector.me: two}
    first, other = one.detector.me, two.detector.me
    queue, size, delivered = [(first, other, opening)], 0, []
    while queue:
        sender, to, message = queue.pop(0)
        data = encode_gossip(message)
        assert len(data) <= MOST_BYTES
        size += len(data)
        heard = swarm.Heard(sender, decode_gossip(data))
        sides[to], actions = swarm.step(sides[to], NOW, heard)
        for action in actions:
            if isinstance(action, said.Send) and isinstance(action.message, Briefs | Rows | Topic):
                queue.append((to, action.to, action.message))
            elif isinstance(action, said.Deliver):
                delivered.append(action.item)
        queue = [entry for entry in queue if entry[1] in sides]
    return sides[first], sides[other], size, delivered


def test_two_tables_become_one():
    names = [f"{i:064x}" for i in range(900)]
    card = Card(NOW, NOW + 3_600_000, ("chat",), proof="0" * 128)
    full = changed(Members(), {n: Member(NOW, Standing.ALIVE, NOW, card) for n in names})
    knows = swarm.begin(names[0], NOW, 1, card, members=full)
    fresh = swarm.begin("f" * 64, NOW, 2, card)
    knows, _ = swarm.step(knows, NOW, swarm.Publish(item(origin=names[0])))
    fresh, actions = swarm.step(fresh, NOW, swarm.Join((names[0],)))
    opening = next(a.message for a in actions if isinstance(a.message, Summary))
    fresh, knows, _, delivered = converse(fresh, knows, opening)
    assert stands(fresh.members) == stands(knows.members)
    assert fresh.members.digests == knows.members.digests
    assert len(fresh.members.alive) == 901
    assert delivered == [item(origin=names[0])]


def test_equal_tables_cost_one_message():
    full = all_alive()
    one = swarm.begin(NAMES[0], NOW, 1, members=full)
    two = swarm.begin(NAMES[1], NOW, 2, members=full)
    _, _, size, _ = converse(one, two, Summary(full.digests, 0))
    assert size == len(encode_gossip(Summary(full.digests, 0)))


def test_rumours_are_told_a_few_times():
    state, members, sent = said.Gossip(NAMES[0], 1, sync_at=NOW + 10**9), all_alive(), 0
    state, _ = gossip.step(
        state, NOW, said.Spread(Report(NAMES[5], NOW, Standing.SUSPECT), members)
    )
    for _ in range(100):
        now = gossip.due(state)
        if now >= NOW + 10**9:
            break
        state, actions = gossip.step(state, now, said.Tick(members))
        sent += sum(isinstance(one.message, Rumours) for one in actions)
    assert 0 < sent <= 2 * 5
    assert state.rumours == {}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    assert decode_gossip(data) is not None


def test_what_is_too_large_or_foreign_is_refused():
    assert decode_gossip(b" " * (MOST_BYTES + 1)) is Unread.TOO_LARGE
    assert decode_gossip(b'{"t":"ping","nonce":-1,"incarnation":0}') is Unread.MALFORMED
    assert decode_gossip(b'{"t":"ping","nonce":1,"incarnation":0,"x":1}') is Unread.MALFORMED
    rows = {"t": "rumours", "reports": [["a", 1, 0]] * 65}
    assert decode_gossip(str(rows).replace("'", '"').encode()) is Unread.MALFORMED
    assert decode_gossip(encode_gossip(Ping(1, NOW))) == Ping(1, NOW)
