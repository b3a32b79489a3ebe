"""A member's clock that is off: what `hermes peers list` and `hermes doctor` say of it."""

import time

import pytest

from hermes.cli.doctor_mesh import look
from hermes.config import Mesh as MeshSettings
from hermes.config import Settings
from hermes.core.clock import SystemClock
from hermes.identity.hot import HotKey
from hermes.identity.members import Membership
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.link import Received
from hermes.mesh.post import Post
from hermes.node.gathering import Gathering, Mesh
from hermes.node.presence import Presence
from hermes.node.whereabouts import Whereabouts
from hermes.store.store import Store
from hermes.testing.door import ScriptedDoor

CLOCK = SystemClock()
ME, OTHER = (HotKey(bytes([n]) * 32) for n in (7, 8))
HOUR = 3_600_000


class Roster:
    me = ME.public
    others = (OTHER.public,)
    all = tuple(Membership(one.public, ("node",), 0, 0, "valid") for one in (ME, OTHER))

    async def refresh(self):
        pass

    def admits(self, node):
        return node in self.others


class Wire:
    urls = ()
    lies = 0


class State:
    def held(self):
        return {}


@pytest.fixture
async def gathering(tmp_path):
    mesh = MeshSettings(relays=("ws://127.0.0.1:1",))
    settings = Settings(data_dir=tmp_path, config_dir=tmp_path, runtime_dir=tmp_path, mesh=mesh)
    roster = Roster()
    async with (
        Store.open(tmp_path / "hermes.db", CLOCK) as store,
        Post(ME, store.mesh, (), CLOCK, lambda who, _: roster.admits(who)) as post,
    ):
        found = Gathering(settings, store, roster, Whereabouts(mesh, store), CLOCK)
        found.state = State()
        presence = Presence(ME, post, roster, CLOCK, found.card, 30.0)
        found.mesh = Mesh(Wire(), post, None, presence)
        found.post, found.settings = post, settings
        yield found


async def hear(post, skew_ms):
    now = int(time.time() * 1000) + skew_ms
    envelope = seal(OTHER, Letter(ME.public, "gossip", b"{}", ttl_ms=30_000), 1, now)
    await post.take(Received(write(envelope), OTHER.public, "relays", durable=False))


@pytest.mark.parametrize(
    ("skew", "words", "reason"),
    [
        (HOUR, "60 min ahead of ours", "early"),
        (-HOUR, "60 min behind ours", "stale"),
        (-40_000, "40 s behind ours", "stale"),
        (0, "", ""),
    ],
    ids=["ahead", "behind", "a little", "right"],
)
async def test_an_hour_is_told(gathering, shell, skew, words, reason):
    await hear(gathering.post, skew)
    status = await gathering.status()
    rows = await gathering.list()
    assert rows[1]["ahead_s"] == pytest.approx(skew / 1000, abs=5)
    if reason:
        assert reason in {one["reason"] for one in status["refused"]}
    witnesses = {"faults": [], "cosigned": [], "size": 0}
    answers = {"node.status": {"parts": []}, "mesh.status": status, "log.witnesses": witnesses}
    shell.door = ScriptedDoor(answers=answers | {"peers.list": rows})

    class World:
        find_owner = staticmethod(lambda _settings: _Door(shell.door))

    checks = {one.check: one for one in await look(gathering.settings, World)}
    clocks = [one for name, one in checks.items() if name.startswith("clock of npub1")]
    assert len(clocks) == bool(words)
    for one in clocks:
        assert words in one.detail
        assert "timedatectl" in one.remedy


def test_peers_list_has_a_column(shell):
    row = {
        "npub": "npub1" + "q" * 58, "state": "unknown", "load": None, "release": None, "models": [],
        "since": None, "relays": [], "ahead_s": 3_600, "homes": 0,
    }  # fmt: skip
    shell.running = True
    shell.door = ScriptedDoor(
        answers={"peers.list": [row, row | {"ahead_s": -3_600}, row | {"ahead_s": -40}]}
    )
    assert shell.run("peers", "list") == 0
    assert "CLOCK" in shell.out
    assert "+60 min" in shell.out
    assert "-60 min" in shell.out
    assert "-40 s" in shell.out


class _Door:
    def __init__(self, door):
        self._door = door

    async def __aenter__(self):
        return self._door

    async def __aexit__(self, *_):
        pass
