"""Real clients: nostr-sdk's own, through the door, with logins, wraps and reconciliation."""

from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import msgspec
import pytest
from nostr_sdk import (
    ClientBuilder,
    EventBuilder,
    Filter,
    Keys,
    Kind,
    NegentropyItem,
    RelayUrl,
    ReqExitPolicy,
    ReqTarget,
    SignerAuthenticator,
    SyncOptions,
    UnwrappedGift,
    nip17_make_private_msg,
)
from relay_people import key_of

from relay.rules import Rules
from relay.server import open_relay

PATIENCE = timedelta(seconds=15)
END = ReqExitPolicy.EXIT_ON_EOSE()


@asynccontextmanager
async def client_of(keys, url):
    client = ClientBuilder().authenticator(SignerAuthenticator(keys)).build()
    await client.add_relay(RelayUrl.parse(url))
    assert not (await client.try_connect(timeout=PATIENCE)).failed
    try:
        yield client
    finally:
        with anyio.CancelScope(shield=True):
            await client.shutdown()


async def fetched(client, url, filter_):
    target = ReqTarget.single(RelayUrl.parse(url), [filter_])
    return await client.fetch_events(target, timeout=PATIENCE, policy=END)


@pytest.fixture
async def met(place):
    """A relay whose owner and friend both have clients."""
    owner, friend = Keys.generate(), Keys.generate()
    rules = Rules(owners=frozenset({key_of(owner)}), admitted=frozenset({key_of(friend)}))
    async with (
        open_relay(place, rules) as relay,
        client_of(owner, relay.url) as own,
        client_of(friend, relay.url) as theirs,
    ):
        yield relay.url, (owner, own), (friend, theirs)


async def test_a_private_message_waits_for_its_reader_who_proves_himself(met):
    url, (owner, own), (friend, theirs) = met
    wrap = nip17_make_private_msg(friend, owner.public_key(), "hello in there")
    assert not (await theirs.send_event(wrap)).failed
    mine = Filter().kind(Kind(1059)).pubkey(owner.public_key())
    (found,) = await fetched(own, url, mine)
    assert found.verify()
    assert UnwrappedGift.from_gift_wrap(owner, found).rumor().content() == "hello in there"


async def test_a_subscription_made_before_the_login_sees_new_wraps(met):
    _, (owner, own), (friend, theirs) = met
    heard = own.notifications()
    mine = Filter().kind(Kind(1059)).pubkey(owner.public_key())
    await own.subscribe(ReqTarget.auto([mine]))
    wrap = nip17_make_private_msg(friend, owner.public_key(), "now")
    assert not (await theirs.send_event(wrap)).failed
    with anyio.fail_after(15):
        while not (said := await heard.next()).is_new_event():
            continue
    assert said.event.id().to_hex() == wrap.id().to_hex()


async def test_a_mistaken_reader_gets_nothing(met):
    url, (owner, _), (friend, theirs) = met
    wrap = nip17_make_private_msg(friend, owner.public_key(), "not for friends")
    await theirs.send_event(wrap)
    assert await fetched(theirs, url, Filter().kind(Kind(1059)).pubkey(owner.public_key())) == []


async def test_reconciling_tells_what_is_missing(met):
    url, (owner, own), _ = met
    events = [EventBuilder(Kind(1), str(n)).finalize(owner) for n in range(30)]
    for event in events:
        assert not (await own.send_event(event)).failed
    items = [NegentropyItem(id=one.id(), timestamp=one.created_at()) for one in events[:20]]
    there = (await own.relays())[RelayUrl.parse(url)]
    told = await there.sync(Filter().kind(Kind(1)), items=items, opts=SyncOptions().dry_run())
    assert {one.to_hex() for one in told.remote} == {one.id().to_hex() for one in events[20:]}


async def test_what_comes_back_is_what_was_sent(met):
    url, (owner, own), _ = met
    event = EventBuilder(Kind(30_078), "x" * 40_000).finalize(owner)
    await own.send_event(event)
    (found,) = await fetched(own, url, Filter().id(event.id()))
    assert msgspec.json.decode(found.as_json()) == msgspec.json.decode(event.as_json())
