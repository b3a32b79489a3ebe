"""The DM gateway with a real owner, a real relay and a person's client, all over sockets."""

import anyio
import pytest
from dm_house import NODE_SECRET, phone, seconds, serving
from house import call

from hermes.config import Limits
from hermes.errors import RelayRefused
from hermes.mesh.event import Filter
from hermes.mesh.nostr_keys import NostrKeys
from hermes.testing.relays import local_relay
from relay.rules import Rules
from relay.server import Place, open_relay


@pytest.fixture
async def relay():
    async with local_relay() as url:
        yield url


@pytest.fixture
def talking(house):
    """A house whose model says these lines, one a message."""

    def make(*lines, **settings):
        settings.setdefault("limits", Limits(approval_s=20))
        return type(house)(house.base, model=house.script(*lines), **settings)

    return make


async def test_a_conversation(relay, talking):
    house = talking({"text": "**Hello** yourself."}, {"text": "Second."})
    async with serving(house, relay) as post, phone(relay) as person:
        await post.pair(person)
        assert await person.ask("hello") == "Hello yourself."
        first = (await post.client.query("pairings.list"))[0]["conversation"]
        assert await person.ask("and again") == "Second."
        assert (await post.client.query("pairings.list"))[0]["conversation"] == first
        shown = await post.client.query("conversations.show", id=first)
        said = [m["parts"][0]["text"] for m in shown["messages"] if m["role"] == "user"]
        assert said == ["hello", "and again"]
        assert shown["root"] == str(house.project)
        assert await person.ask("/new") == "A new conversation."
        assert await person.ask("a third") == "Hello yourself."  # a script begins anew, too
        assert (await post.client.query("pairings.list"))[0]["conversation"] != first
        assert post.faults == []


async def test_approvals(relay, talking):
    house = talking(
        call("FileWrite", path="a.txt", content="one\n"),
        {"text": "Wrote it."},
        call("FileWrite", path="b.txt", content="two\n"),
        {"text": "Then not."},
        call("Bash", command="touch c"),
        {"text": "Touched."},
        call("Bash", command="touch c"),
        {"text": "Touched again."},
    )
    async with serving(house, relay) as post, phone(relay) as person:
        await post.pair(person)
        asked = await person.ask("write")
        assert asked.startswith("Question 1: FileWrite needs your word")
        assert "+one" in asked
        assert "yes 1, no 1" in asked
        assert await person.ask("yes") == "Wrote it.\n\nFiles changed: a.txt"
        assert (house.project / "a.txt").read_text() == "one\n"

        assert "Question 2" in await person.ask("write more")
        assert await person.ask("No, not there") == "Then not.\n\n[1 call was refused]"
        assert not (house.project / "b.txt").exists()

        assert "always 3 (from now on: Bash(touch c))" in await person.ask("touch")
        assert await person.ask("always") == "Touched."
        assert await person.ask("touch on") == "Touched again."
        assert (house.project / "c").exists()


async def test_commands_while_a_turn_runs(relay, talking):
    house = talking({"text": "too late", "delay_s": 30}, {"text": "Next."})
    async with serving(house, relay) as post, phone(relay) as person:
        await post.pair(person)
        assert (await person.ask("/help")).startswith("/help: what you can say here")
        assert (await person.ask("/status")).startswith("nothing runs\nwaiting: 0\n")
        assert (await person.ask("/dance")).startswith("There is no /dance\n")
        await person.say("long work")
        with anyio.fail_after(10):
            while "running" not in (told := await person.ask("/status")).splitlines()[0]:
                pass
        assert "running: the model" in told
        await person.say("more of it")
        with anyio.fail_after(10):
            while "waiting: 1" not in await person.ask("/status"):
                pass
        await person.say("/stop")
        told = {await person.hear(), await person.hear()}
        assert told == {"1 waiting messages were dropped.", "· stopped"}
        assert await person.ask("and now?") == "Next."
        assert await person.ask("/stop") == "Nothing runs."


async def test_strangers_get_nothing(relay, talking):
    house = talking({"text": "Hello."})
    async with serving(house, relay) as post, phone(relay) as friend, phone(relay) as stranger:
        code = await post.code()
        await stranger.say("let me in")
        await stranger.say("/help")
        await stranger.say("ZZZZZ-ZZZZZ")
        await post.refusal("not paired", 3)
        assert (await friend.ask(code)).startswith("You are paired")
        await stranger.say(code)
        await post.refusal("not paired", 4)
        assert await friend.ask("hi") == "Hello."
        assert stranger.got == []
        assert [one["state"] for one in await post.client.query("pairings.list")] == ["paired"]


async def test_paired_anew(relay, house):
    async with serving(house, relay) as post, phone(relay) as person:
        other = await post.code(root="/", cwd="/")
        assert [one["state"] for one in await post.client.query("pairings.list")] == ["code"]
        code = await post.code(name="phone")
        assert (await person.ask(f" pair {code.lower().replace('-', ' ')} ")).startswith("You are")
        listed = await post.client.query("pairings.list")
        assert [one["name"] for one in listed] == ["phone", ""]
        assert "acted on in /\n" in await person.ask(other)
        assert "project: /\n" in await person.ask("/status") + "\n"


async def test_unpaired(relay, talking):
    house = talking({"text": "One."})
    async with serving(house, relay) as post, phone(relay) as person:
        await post.pair(person)
        assert await person.ask("hi") == "One."
        told = await post.client.query("pairings.revoke", key=person.keys.public)
        assert told == {"key": person.keys.public, "unpaired": True}
        await person.say("still there?")
        await post.refusal("not paired")
        await post.pair(person)
        assert await person.ask("and now?") == "One."  # another conversation


async def test_replayed_and_tampered(relay, talking):
    house = talking({"text": "Once."}, {"text": "Twice."})
    async with serving(house, relay) as post, phone(relay) as person, phone(relay) as other:
        await post.pair(person)
        rumour = person.keys.rumour(14, "hello", (("p", person.to),), seconds())
        first = person.keys.wrap(person.to, rumour, 0, now=seconds(), live=False)
        await person.publish(first)
        assert await person.hear() == "Once."
        again = person.keys.wrap(person.to, rumour, 0, now=seconds(), live=False)
        assert again.id != first.id
        await person.publish(again)
        await post.refusal("replayed")
        # Somebody else's name inside, a seal that is none, content that is noise, not for us.
        await other.publish(other.forge("rm -rf", person.keys.public))
        noise = other.keys.sign(1059, "AAAA", (("p", person.to),), seconds())
        await other.publish(noise)
        await person.say("for another", tags=(("p", other.keys.public),))
        await person.say("old", at=seconds() - 40 * 86_400)
        await person.say("from the future", at=seconds() + 3 * 86_400)
        await person.say("   ")
        await person.say("all", tags=(("p", person.to), ("p", other.keys.public), ("p", "ab" * 32)))
        for reason in ("forged", "malformed", "not for us", "stale", "early", "empty", "a group"):
            await post.refusal(reason)
        assert await person.ask("hello") == "Twice."
        assert [one.content for one in person.got[1:]] == ["Once.", "Twice."]


async def test_over_our_own_relay(tmp_path, house):
    """It takes a stranger's first words, and shows post to nobody else."""
    rules = Rules(owners=frozenset({NostrKeys(NODE_SECRET).public}))
    house = type(house)(house.base, model=house.script({"text": "Word. " * 3_000}))
    async with (
        open_relay(Place(tmp_path / "relay"), rules) as running,
        serving(house, running.url, inbox=(running.url,), look_s=0.5) as post,
        phone(running.url) as person,
        phone(running.url) as nosy,
    ):
        await post.pair(person)
        with pytest.raises(RelayRefused):
            await nosy.wire.fetch(
                Filter(kinds=(1059,), tags={"p": (person.keys.public,)}), url=running.url
            )
        await person.say("tell me")
        parts = [await person.hear() for _ in range(7)]
        assert [one.split()[0] for one in parts] == [f"({n}/7)" for n in range(1, 8)]
        (inbox,) = await person.wire.fetch(Filter(kinds=(10050,)), url=running.url)
        assert inbox.tags == (("relay", running.url),)
        assert post.faults == []
