"""Who gets in: logins, wraps, strangers, floods, bytes that are no Nostr."""

import anyio
import msgspec
import pytest
from nostr_sdk import Keys
from relay_people import NOW, Author, author_at, key_of

from hermes.errors import NotAvailable
from hermes.testing.nostr_client import Closed, raw_client, signed, worked
from relay.rules import Rules
from relay.server import Place, open_relay

WRAP, LIVE = 1059, 21059


async def http(url, request):
    host, port = url.removeprefix("ws://").split(":")
    data = b""
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(request)
        with anyio.fail_after(15):
            async for piece in stream:
                data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode(), body.decode()


async def test_nip11_document(relay, owner):
    head, body = await http(
        relay.url, b"GET / HTTP/1.1\r\nHost: x\r\nAccept: application/nostr+json\r\n\r\n"
    )
    told = msgspec.json.decode(body)
    assert "application/nostr+json" in head
    assert "Access-Control-Allow-Origin: *" in head
    assert told["pubkey"] == key_of(owner)
    assert {1, 9, 11, 40, 42, 45, 77} <= set(told["supported_nips"])
    assert told["limitation"]["restricted_writes"]


async def test_metrics_count_what_came_and_what_was_refused(relay, author, stranger):
    async def metric(name):
        _, body = await http(relay.url, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        lines = dict(line.rsplit(" ", 1) for line in body.splitlines())
        return float(lines.get(f"hermes_relay_{name}", 0))

    stored = await metric('events_total{outcome="stored"}')
    refused = await metric('events_total{outcome="not admitted"}')
    await author.post(1)
    await stranger.client.publish(stranger.event(1))
    assert await metric('events_total{outcome="stored"}') == stored + 1
    assert await metric('events_total{outcome="not admitted"}') == refused + 1
    assert await metric("stored_bytes") > 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405"),
        (b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 9_000 + b"\r\n", "400"),
    ],
)
async def test_other_http_is_answered_and_closed(relay, request_, status):
    head, _ = await http(relay.url, request_)
    assert head.startswith(f"HTTP/1.1 {status}")


async def test_strangers_write_nothing(stranger):
    took, said = await stranger.client.publish(stranger.event(1, "spam"))
    assert (took, said.split(":")[0]) == (False, "restricted")


async def test_rules_may_change_while_it_runs(relay):
    async with author_at(relay) as one:
        await one.post(1)
        relay.obey(msgspec.structs.replace(relay.rules, admitted=frozenset()))
        took, _ = await one.client.publish(one.event(1, "revoked"))
        assert not took


async def test_a_wrap_comes_to_its_owner_and_to_nobody_else(relay, author, stranger):
    wrap = signed(Keys.generate(), WRAP, "sealed", [["p", author.key]])
    assert (await stranger.client.publish(wrap))[0]
    mine = {"kinds": [WRAP], "#p": [author.key]}
    assert await author.ids(mine) == [wrap["id"]]
    for asked in (mine, {"kinds": [WRAP]}, {"#p": [author.key]}, {"kinds": [1, WRAP]}, {}):
        with pytest.raises(LookupError, match="restricted"):
            await stranger.client.ask(asked)
    assert await stranger.client.ask({"ids": [wrap["id"]]}) == []
    assert await stranger.client.ask({"authors": [wrap["pubkey"]]}) == []


async def test_who_proves_nothing_gets_no_wraps(relay, author):
    async with raw_client(relay.url) as nobody:
        with pytest.raises(LookupError, match=r"^auth-required: "):
            await nobody.ask({"kinds": [WRAP], "#p": [author.key]})


async def test_live_wraps_go_to_their_owner_alone(relay, author, stranger):
    await author.client.subscribe({"kinds": [LIVE], "#p": [author.key]})
    assert (await author.client.hear())[0] == "EOSE"
    with pytest.raises(LookupError):
        await stranger.client.ask({"kinds": [LIVE], "#p": [author.key]})
    wrap = signed(Keys.generate(), LIVE, "now", [["p", author.key]])
    assert (await stranger.client.publish(wrap))[0]
    assert (await author.client.hear())[2] == wrap


async def test_a_wrap_for_nobody_here_is_refused(stranger):
    wrap = signed(Keys.generate(), WRAP, "", [["p", stranger.key]])
    took, said = await stranger.client.publish(wrap)
    assert (took, said.split(":")[0]) == (False, "restricted")


async def test_the_recipient_takes_a_wrap_back(author, stranger):
    wrap = signed(Keys.generate(), WRAP, "", [["p", author.key]])
    await stranger.client.publish(wrap)
    await author.post(5, tags=[["e", wrap["id"]]])
    assert await author.ids({"kinds": [WRAP], "#p": [author.key]}) == []
    assert not (await stranger.client.publish(wrap))[0]


async def test_count_and_reconcile_are_for_those_who_are_known(relay, author, stranger):
    await author.post(1)
    everything = {"authors": [author.key]}
    for client, word in ((stranger.client, "CLOSED"), (author.client, "COUNT")):
        await client.say(["COUNT", "c", everything])
        assert (await client.hear())[:2] == [word, "c"]
    for client, word in ((stranger.client, "NEG-ERR"), (author.client, "NEG-MSG")):
        await client.say(["NEG-OPEN", "n", everything, "6100000200"])
        assert (await client.hear())[:2] == [word, "n"]


async def test_a_question_before_the_login_waits_for_it(relay, author):
    await author.post(1)
    async with raw_client(relay.url) as client:
        await client.say(["COUNT", "c", {"authors": [author.key]}])
        assert (await client.prove(author.keys, relay.url))[0]
        assert await client.hear() == ["COUNT", "c", {"count": 1}]


@pytest.mark.parametrize("fault", ["challenge", "relay", "other host", "kind", "stale", "forged"])
async def test_logins_that_prove_nothing(relay, fault):
    keys = Keys.generate()
    async with raw_client(relay.url) as client:
        with pytest.raises(LookupError):
            await client.ask({"#t": ["waits for the challenge"]})
        port = relay.url.rsplit(":", 1)[1]
        url = {"relay": "", "other host": f"ws://evil.example:{port}"}.get(fault, relay.url)
        challenge = "0" * 32 if fault == "challenge" else client.challenge
        login = signed(
            keys,
            1 if fault == "kind" else 22242,
            tags=[["relay", url], ["challenge", challenge]],
            at=NOW - 86_400 if fault == "stale" else None,
        )
        if fault == "forged":
            login["pubkey"] = relay_owner = next(iter(relay.rules.owners))
            assert relay_owner != key_of(keys)
        await client.say(["AUTH", login])
        took, said = await client.verdict(login["id"])
        assert (took, said.split(":")[0]) == (False, "auth-required")


async def test_a_login_counts_for_its_own_connection_only(relay, author):
    async with raw_client(relay.url) as other:
        with pytest.raises(LookupError, match="auth-required"):
            await other.ask({"kinds": [WRAP], "#p": [author.key]})


async def test_the_hidden_port_takes_nothing(place, owner):
    before = await _listening()
    rules = Rules(owners=frozenset({key_of(owner)}))
    async with open_relay(place, rules) as relay, raw_client(relay.url) as client:
        assert (await Author(owner, client).post(1))["kind"] == 1
        (hidden,) = await _listening() - before - {int(relay.url.rsplit(":")[-1])}
        async with raw_client(f"ws://127.0.0.1:{hidden}") as side:
            took, said = await side.publish(signed(owner, 1, "round the back"))
            assert (took, "own address" in said) == (False, True)
            with pytest.raises(LookupError, match="own address"):
                await side.ask({"kinds": [1]})


async def _listening():
    """The ports that this process listens at."""
    text = await anyio.Path("/proc/self/net/tcp").read_text()
    links = [anyio.Path(f"/proc/self/fd/{n}") for n in range(200)]
    mine = {str(await link.readlink()) for link in links if await link.is_symlink()}
    rows = [line.split() for line in text.splitlines()[1:]]
    return {
        int(row[1].split(":")[1], 16)
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in mine
    }


@pytest.mark.parametrize(
    "noise",
    [
        "no json at all",
        "[]",
        '["EVENT"]',
        '["EVENT",{}]',
        '["REQ"]',
        '["NOTHING","x"]',
        "[" * 5_000,
        '["EVENT",{"id":"\\ud800"}]',
        '["COUNT"]',
        '["AUTH"]',
        '["AUTH",{"id":7}]',
        '["REQ","x",{"ids":["zz"]}]',
        '["NEG-OPEN","n",{},"zz"]',
        '["AUTH",' + "[" * 50_000,
        '["COUNT",' + "[" * 50_000,
        b"\xff\xfe binary",
    ],
)
async def test_noise_ends_its_own_connection_at_most(relay, author, noise):
    async with raw_client(relay.url) as client:
        await client.say(noise)
        try:
            await client.say(["REQ", "after", {"kinds": [1], "limit": 0}])
            while (await client.hear())[0] != "EOSE":
                continue
        except (Closed, anyio.BrokenResourceError):
            pass
    await author.post(1, "others go on")


async def test_large_events_are_declined_and_huge_ones_cut_off(relay, author):
    took, said = await author.client.publish(author.event(1, "x" * 61_000))
    assert (took, said.split(":")[0]) == (False, "invalid")
    took, _ = await author.client.publish(author.event(1, "x" * 1_000_000))
    assert not took
    await author.post(1, "still here")
    with pytest.raises((Closed, anyio.BrokenResourceError)):
        await author.client.publish(author.event(1, "x" * 3_000_000))
    assert relay.counters.turned_away["frame too large"] == 1


async def test_a_flood_of_wraps_costs_work_and_the_owner_passes(place, owner):
    """Strangers' wraps: some are free, then work is wanted; those who are known go on."""
    rules = Rules(
        owners=frozenset({key_of(owner)}), free_per_minute=5, free_total_per_minute=50, work_bits=8
    )
    async with (
        open_relay(place, rules) as relay,
        author_at(relay, admitted=False) as stranger,
        author_at(relay, owner, admitted=False) as self,
    ):
        to = [["p", self.key]]
        said = [await stranger.client.publish(signed(Keys.generate(), WRAP, "", to))
                for _ in range(40)]  # fmt: skip
        assert sum(took for took, _ in said) == 5
        assert {words.split(":")[0] for took, words in said if not took} == {"pow"}
        proved = worked(Keys.generate(), WRAP, 8, to)
        assert (await stranger.client.publish(proved))[0]
        for _ in range(20):
            vouched = signed(Keys.generate(), WRAP, "", to)
            assert (await self.client.publish(vouched))[0]
        assert relay.counters.events["no work"] == 35
        assert len(await self.ids({"kinds": [WRAP], "#p": [self.key]})) == 26


async def test_a_flood_of_questions_is_slowed(place, owner):
    rules = Rules(owners=frozenset({key_of(owner)}), queries_per_minute=10)
    async with open_relay(place, rules) as relay, raw_client(relay.url) as client:
        for _ in range(10):
            await client.ask({"kinds": [1], "limit": 0})
        with pytest.raises(LookupError, match=r"^rate-limited: "):
            await client.ask({"kinds": [1], "limit": 0})


async def test_an_address_in_use_is_said(place, relay):
    port = int(relay.url.rsplit(":", 1)[1])
    with pytest.raises(NotAvailable, match="cannot listen"):
        async with open_relay(Place(place.directory, port=port), Rules()):
            pass
