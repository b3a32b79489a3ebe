"""In the manner of relay-tester: what NIP-01, 09, 40 and 45 promise, one check a test."""

import pytest
from relay_people import NOW

D = "d"


async def test_ok_follows_an_event(author):
    event = author.event(1, "hello")
    assert await author.client.publish(event) == (True, "")


async def test_an_event_comes_back_as_it_was(author):
    event = await author.post(1, 'quote " back \\ tab \t é 語 \ud7ff', [["t", "x"], ["odd"]])
    assert await author.client.ask({"ids": [event["id"]]}) == [event]


async def test_a_duplicate_is_accepted_and_says_so(author):
    event = await author.post(1)
    took, said = await author.client.publish(event)
    assert took
    assert said.startswith("duplicate:")


@pytest.mark.parametrize("part", ["id", "sig", "content", "pubkey", "created_at"])
async def test_a_tampered_event_is_refused(author, part):
    event = author.event(1, "as signed")
    changed = {"content": "x", "created_at": NOW - 5}.get(part) or event[part][:-2] + "00"
    event[part] = changed
    took, said = await author.client.publish(event)
    assert not took
    assert said.startswith("invalid:")
    assert await author.ids({"authors": [author.key]}) == []


async def test_a_tampered_copy_of_a_stored_event_changes_nothing(author):
    event = await author.post(1, "the real one")
    await author.client.publish({**event, "content": "another"})
    assert await author.client.ask({"ids": [event["id"]]}) == [event]


@pytest.mark.parametrize("age", [604_800, 31_536_000, 1_600_000_000])
async def test_old_events_are_taken(author, age):
    event = await author.post(1, at=NOW - age)
    assert await author.ids({"ids": [event["id"]]}) == [event["id"]]


@pytest.mark.parametrize("ahead", [3_600, 31_536_000, 315_360_000])
async def test_events_from_the_future_are_refused(author, ahead):
    took, said = await author.client.publish(author.event(1, at=NOW + ahead))
    assert not took
    assert "future" in said


async def test_newest_first_and_ties_by_id(author):
    events = [await author.post(1, str(n), at=NOW - 100 + n // 2) for n in range(6)]
    right = sorted(events, key=lambda event: (-event["created_at"], event["id"]))
    found = await author.ids({"authors": [author.key]})
    assert found == [event["id"] for event in right]


async def test_limit_gives_the_newest(author):
    events = [await author.post(1, at=NOW - 50 + n) for n in range(4)]
    assert await author.ids({"authors": [author.key], "limit": 2}) == [
        events[3]["id"],
        events[2]["id"],
    ]


async def test_limit_zero_gives_none(author):
    await author.post(1)
    assert await author.ids({"authors": [author.key], "limit": 0}) == []


async def test_since_and_until_count_both_ends(author):
    events = [await author.post(1, at=NOW - 90 + n) for n in range(4)]
    span = {"authors": [author.key], "since": NOW - 89, "until": NOW - 88}
    assert await author.ids(span) == [events[2]["id"], events[1]["id"]]


async def test_filters_by_kind_author_and_tags(author, other):
    mine = await author.post(1, tags=[["t", "a"], ["r", "b"]])
    await author.post(7, tags=[["t", "a"]])
    await other.post(1, tags=[["t", "a"]])
    by = {"authors": [author.key], "kinds": [1]}
    assert await author.ids(by) == [mine["id"]]
    assert await author.ids({**by, "#t": ["a", "zz"]}) == [mine["id"]]
    assert await author.ids({**by, "#t": ["a"], "#r": ["b"]}) == [mine["id"]]
    assert await author.ids({**by, "#t": ["a"], "#r": ["c"]}) == []


async def test_several_filters_are_any_of(author):
    one, two = await author.post(1), await author.post(7)
    found = await author.ids({"ids": [one["id"]]}, {"ids": [two["id"]]})
    assert set(found) == {one["id"], two["id"]}


async def test_prefixes_match_nothing(author):
    event = await author.post(1)
    with pytest.raises(Exception):  # noqa: B017, PT011 - it may answer nothing or hang up
        assert await author.ids({"ids": [event["id"][:10]]}), "matched by a prefix"


@pytest.mark.parametrize(("kind", "tags"), [(0, []), (10_002, []), (30_001, [["d", D]])])
async def test_a_newer_one_replaces(author, kind, tags):
    old = await author.post(kind, "old", tags, NOW - 20)
    new = await author.post(kind, "new", tags, NOW - 10)
    assert await author.ids({"authors": [author.key]}) == [new["id"]]
    assert await author.ids({"ids": [old["id"]]}) == []


@pytest.mark.parametrize(("kind", "tags"), [(3, []), (10_050, []), (30_001, [["d", D]])])
async def test_an_older_one_does_not(author, kind, tags):
    new = await author.post(kind, "new", tags, NOW - 10)
    took, _ = await author.client.publish(author.event(kind, "old", tags, NOW - 20))
    assert not took
    assert await author.ids({"authors": [author.key]}) == [new["id"]]


async def test_in_one_second_the_lowest_id_stays(author):
    events = [author.event(0, str(n), at=NOW - 9) for n in range(4)]
    for event in events:
        await author.client.publish(event)
    assert await author.ids({"authors": [author.key]}) == [min(event["id"] for event in events)]


async def test_another_d_tag_is_another_event(author):
    for d in ("a", "b", ""):
        await author.post(30_001, d, [["d", d]])
    assert len(await author.ids({"authors": [author.key]})) == 3


async def test_ephemeral_events_are_delivered_and_not_kept(author, other):
    await other.client.subscribe({"kinds": [20_001], "authors": [author.key]})
    assert (await other.client.hear())[0] == "EOSE"
    event = await author.post(20_001, "now")
    assert (await other.client.hear())[2] == event
    assert await author.ids({"authors": [author.key]}) == []


async def test_new_events_reach_subscribers(author, other):
    name = await other.client.subscribe({"kinds": [1], "authors": [author.key]})
    assert (await other.client.hear())[0] == "EOSE"
    event = await author.post(1, "live")
    assert await other.client.hear() == ["EVENT", name, event]


async def test_deleted_by_id(author):
    event = await author.post(1)
    await author.post(5, tags=[["e", event["id"]]])
    assert await author.ids({"kinds": [1], "authors": [author.key]}) == []
    took, said = await author.client.publish(event)
    assert not took
    assert "deleted" in said


async def test_deleted_before_it_came(author):
    event = author.event(1)
    await author.post(5, tags=[["e", event["id"]]])
    took, _ = await author.client.publish(event)
    assert not took
    assert await author.ids({"ids": [event["id"]]}) == []


async def test_nobody_deletes_anothers(author, other):
    event = await author.post(1)
    address = await author.post(30_001, tags=[["d", D]], at=NOW - 10)
    tags = [["e", event["id"]], ["e", address["id"]], ["a", f"30001:{author.key}:{D}"]]
    await other.client.publish(other.event(5, tags=tags))
    assert len(await author.ids({"authors": [author.key]})) == 2
    later = await author.post(30_001, "later", [["d", D]], NOW - 5)
    assert later["id"] in await author.ids({"authors": [author.key]})


async def test_nobody_forbids_anothers_before_it_came(author, other):
    event = author.event(1)
    await other.post(5, tags=[["e", event["id"]]])
    await author.client.publish(event)
    assert await author.ids({"ids": [event["id"]]}) == [event["id"]]


async def test_deleted_by_address_only_up_to_then(author):
    await author.post(30_001, "old", [["d", D]], NOW - 30)
    await author.post(30_001, "kept", [["d", "other"]], NOW - 30)
    await author.post(5, tags=[["a", f"30001:{author.key}:{D}"]], at=NOW - 20)
    assert len(await author.ids({"kinds": [30_001], "authors": [author.key]})) == 1
    took, _ = await author.client.publish(author.event(30_001, "older", [["d", D]], NOW - 25))
    assert not took
    newer = await author.post(30_001, "newer", [["d", D]], NOW - 10)
    assert newer["id"] in await author.ids({"kinds": [30_001], "authors": [author.key]})


async def test_a_deletion_cannot_be_deleted(author):
    event = await author.post(1)
    request = await author.post(5, tags=[["e", event["id"]]])
    await author.client.publish(author.event(5, tags=[["e", request["id"]]]))
    assert request["id"] in await author.ids({"kinds": [5], "authors": [author.key]})


async def test_what_has_expired_is_refused(author):
    took, _ = await author.client.publish(author.event(1, tags=[["expiration", str(NOW - 5)]]))
    assert not took


async def test_count(author):
    for n in range(3):
        await author.post(1, str(n))
    await author.client.say(["COUNT", "c", {"authors": [author.key]}])
    assert await author.client.hear() == ["COUNT", "c", {"count": 3}]


async def test_search_is_declined_rather_than_guessed(author):
    with pytest.raises(LookupError, match="does not search"):
        await author.client.ask({"search": "word", "kinds": [1]})


async def test_too_many_values_are_declined(author):
    ids = [f"{n:064x}" for n in range(1_200)]
    with pytest.raises(LookupError, match="values"):
        await author.client.ask({"ids": ids})


async def test_a_null_character_survives(author):
    event = await author.post(1, "a\0b", [["t", "c\0d"]])
    assert await author.client.ask({"ids": [event["id"]]}) == [event]
