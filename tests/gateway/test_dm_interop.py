"""nostr-tools, a second implementation: it talks with the agent, and reads what we encrypt.

`.ci/run` installs it from npm and names the place in NOSTR_TOOLS.
"""

import json
import os
import shutil
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.streams.text import TextReceiveStream
from nostr_sdk import Keys, Nip44Version, PublicKey, SecretKey, nip44_decrypt, nip44_encrypt

from hermes.testing.relays import local_relay

sys.path.insert(0, str(Path(__file__).parents[1] / "node"))

from dm_house import NODE_SECRET, serving
from house import House, call

from hermes.mesh.nostr_keys import NostrKeys

TOOLS = os.environ.get("NOSTR_TOOLS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (TOOLS and shutil.which("node")), reason="nostr-tools of npm is not installed here"
    ),
]
AGENT = NostrKeys(NODE_SECRET).public


class Tools:
    """The other implementation's process."""

    def __init__(self, process, lines):
        self._process = process
        self._lines = lines
        self.key = ""

    async def tell(self, **order):
        await self._process.stdin.send(json.dumps(order).encode() + b"\n")

    async def next(self, name, limit_s=20):
        with anyio.fail_after(limit_s):
            while True:
                value = json.loads(await self._lines())
                if name in value:
                    return value

    async def ask(self, text):
        await self.tell(say=text)
        return await self.hear()

    async def hear(self):
        value = await self.next("heard")
        assert value["from"] == AGENT
        assert value["kind"] == 14
        assert value["to"] == [["p", self.key]]
        assert value["id"]
        assert value["wrap"]
        return value["heard"]


@asynccontextmanager
async def nostr_tools(relay):
    script = Path(__file__).with_name("dm_nostr_tools.mjs")
    command = ["node", str(script), relay, AGENT]
    async with await anyio.open_process(command, stderr=None, env=os.environ) as process:
        text, kept = TextReceiveStream(process.stdout), [""]

        async def line():
            while "\n" not in kept[0]:
                kept[0] += await text.receive()
            first, kept[0] = kept[0].split("\n", 1)
            return first

        tools = Tools(process, line)
        tools.key = (await tools.next("ready"))["ready"]
        try:
            yield tools
        finally:
            with suppress(ProcessLookupError):  # it ended by itself
                process.terminate()


@pytest.fixture
async def relay():
    async with local_relay() as url:
        yield url


async def test_a_conversation_with_the_agent(relay, tmp_path):
    house = House(tmp_path)
    model = house.script(
        {"text": "Hello **there**, *nostr*."},
        call("FileWrite", path="a.txt", content="one\n"),
        {"text": "Wrote it."},
        {"text": "A paragraph of many words.\n\n" * 400},
    )
    house = House(tmp_path, model=model)
    async with serving(house, relay, inbox=(relay,)) as post, nostr_tools(relay) as tools:
        await tools.tell(say="hello?")
        await post.refusal("not paired")
        assert (await tools.ask(await post.code())).startswith("You are paired with Hermes")
        assert await tools.ask("hello") == "Hello there, nostr."
        assert "Question 1: FileWrite" in await tools.ask("write it")
        assert await tools.ask("yes") == "Wrote it.\n\nFiles changed: a.txt"
        assert (house.project / "a.txt").read_text() == "one\n"
        await tools.tell(say="at length")
        first = await tools.hear()
        many = int(first.split("/")[1].split(")")[0])
        rest = [await tools.hear() for _ in range(many - 1)]
        assert [one.split()[0] for one in rest] == [f"({n}/{many})" for n in range(2, many + 1)]
        await tools.tell(reply={"text": "/status", "to": "ab" * 32})
        assert (await tools.hear()).startswith("nothing runs")
        with anyio.fail_after(10):
            inbox = []
            while not inbox:
                await tools.tell(inbox=None)
                inbox = (await tools.next("inbox"))["inbox"]
        assert inbox == [[["relay", relay]]]


async def test_each_reads_what_the_other_encrypts(relay):
    ours, theirs = Keys.generate(), Keys.generate()
    our_secret, their_secret = (one.secret_key().to_hex() for one in (ours, theirs))
    our_key, their_key = (one.public_key().to_hex() for one in (ours, theirs))
    texts = ["a", "é😀" * 10, "x" * 32, "y" * 33, "word " * 3_000, "\n\t\x00 end"]
    async with nostr_tools(relay) as tools:
        for text in texts:
            payload = nip44_encrypt(
                SecretKey.parse(our_secret), PublicKey.parse(their_key), text, Nip44Version.V2
            )
            await tools.tell(decrypt={"secret": their_secret, "from": our_key, "payload": payload})
            assert (await tools.next("decrypted"))["decrypted"] == text
            await tools.tell(encrypt={"secret": their_secret, "to": our_key, "text": text})
            answer = (await tools.next("encrypted"))["encrypted"]
            read = nip44_decrypt(SecretKey.parse(our_secret), PublicKey.parse(their_key), answer)
            assert read == text
