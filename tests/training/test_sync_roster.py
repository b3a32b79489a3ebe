"""Who trains together over the mesh: the file that says so, and a worker's own key."""

import pytest

pytest.importorskip("numpy")
from hermes.errors import SyncRefused, Usage
from hermes.identity.hot import HotKey
from training.sync.roster import check_place, read_roster, worker_key

ONE, TWO = (HotKey(bytes([n]) * 32) for n in (1, 2))
GOOD = f"""
relays = ["ws://127.0.0.1:7447"]
[workers.a]
key = "{ONE.public}"
blobs = "http://127.0.0.1:7450"
[workers.b]
key = "{TWO.public}"
blobs = "https://node.example:443"
listen = "127.0.0.1:7451"
"""


def roster_of(tmp_path, text):
    path = tmp_path / "roster.toml"
    path.write_text(text)
    return read_roster(path)


def test_a_roster(tmp_path):
    roster = roster_of(tmp_path, GOOD)
    assert [peer.door for peer in roster.workers.values()] == ["127.0.0.1:7450", "127.0.0.1:7451"]
    check_place(roster, "a", ONE)
    check_place(roster, "b", TWO)
    with pytest.raises(Usage, match="no worker 'a' with this machine's key") as raised:
        check_place(roster, "a", TWO)
    assert TWO.public in raised.value.remedy  # what to write
    with pytest.raises(Usage, match="no worker 'c'"):
        check_place(roster, "c", ONE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relays", "relais"),
        ('["ws://127.0.0.1:7447"]', "[]"),
        ("ws://", "http://"),
        (ONE.public, TWO.public),
        (ONE.public, "npub1x"),
        (":7450", ""),
        (":7450", ":port"),
        ("[workers.a]", "[workers.A]"),
        ("[workers.a]", "[workers"),
        ("[workers.a]", "[workers.a]\nrole = 1"),
        (GOOD, ""),
        (GOOD, "x" * 70_000),
        (GOOD[GOOD.index("[workers.b]") :], ""),
    ],
)
def test_what_is_no_roster(tmp_path, old, new):
    with pytest.raises((Usage, SyncRefused)):
        roster_of(tmp_path, GOOD.replace(old, new))


def test_a_worker_that_cannot_listen_there(tmp_path):
    roster = roster_of(tmp_path, GOOD.replace("127.0.0.1:7450", "node.example:80"))
    with pytest.raises(Usage, match="cannot listen"):
        check_place(roster, "a", ONE)


def test_a_key_is_made_once_and_for_this_user_alone(tmp_path):
    path = tmp_path / "train" / "sync.key"
    key = worker_key(path)
    assert worker_key(path).public == key.public
    assert path.stat().st_mode & 0o077 == 0
    for text in ("", "zz", "0" * 64):
        path.write_text(text)
        with pytest.raises(Usage, match="holds no key"):
            worker_key(path)


def test_no_file_is_no_roster(tmp_path):
    with pytest.raises(Usage, match="is no roster"):
        read_roster(tmp_path / "none")
