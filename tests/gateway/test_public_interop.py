"""nostr-tools reads presence, relay list and checkpoint of an instance.

The list of inbox relays (10050) is read in `test_dm_interop`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "node"))

from witness_house import CLOCK

from hermes.mesh.members import Card
from hermes.mesh.nostr_adapter import Wire
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.public import (
    CARD,
    CHECKPOINT,
    STATUS,
    checkpoint_notice,
    presence_notices,
    relay_list_notice,
)
from hermes.node.notices import Board
from hermes.testing.relays import local_relay

TOOLS = os.environ.get("NOSTR_TOOLS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (TOOLS and shutil.which("node")), reason="nostr-tools of npm is not installed here"
    ),
]
KEYS = NostrKeys(b"\7" * 32)
NOTE = "hermes/0123456789abcdef\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— x AAAAAAAA\n"


async def read(url, *kinds):
    """What nostr-tools makes of it."""
    script = Path(__file__).with_name("public_nostr_tools.mjs")
    words = ["node", str(script), url, KEYS.public, ",".join(map(str, kinds))]
    with anyio.fail_after(30):
        done = await anyio.run_process(words, stderr=None, stdout=subprocess.PIPE, env=os.environ)
    return {row["kind"]: row for row in map(json.loads, done.stdout.splitlines())}


async def test_presence_relay_lists_and_checkpoints_are_read_by_nostr_tools():
    card = Card(1, 2, capabilities=("chat", "tools"), models=("ember",), load=4, release="9.9")
    until = CLOCK.now_ms() // 1000 + 60
    async with local_relay() as url, Wire(KEYS, CLOCK) as wire:
        await wire.connect([url])
        board = Board(wire, CLOCK, (CARD, STATUS, CHECKPOINT, 10002))
        for notice in (
            *presence_notices(card, until),
            relay_list_notice([url]),
            checkpoint_notice("hermes/0123456789abcdef", NOTE),
        ):
            board.put(notice)
        assert await board.bring([url])
        found = await read(url, CARD, STATUS, CHECKPOINT, 10002)
        assert set(found) == {CARD, STATUS, CHECKPOINT, 10002}
        assert all(row["good"] for row in found.values())
        assert found[CARD]["card"] == {
            "release": "9.9",
            "capabilities": ["chat", "tools"],
            "models": ["ember"],
            "load": 4,
            "checkpoint": "",
            "relays": [],
        }
        assert found[CARD]["tags"]["expiration"] == str(until)
        assert not found[STATUS]["over"]
        assert found[STATUS]["tags"]["d"] == "general"
        assert found[10002]["all"] == [["r", url]]
        assert found[CHECKPOINT]["content"] == NOTE
        assert found[CHECKPOINT]["tags"]["d"] == "hermes/0123456789abcdef"
