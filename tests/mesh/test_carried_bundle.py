import hashlib
import io
import tarfile
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.errors import BundleInvalid
from hermes.identity.hot import HotKey
from hermes.mesh import bundle
from hermes.mesh.bundle import Enclosed, Manifest, pack, unpack
from hermes.mesh.envelope import Letter, seal, write
from hermes.mesh.event import ENVELOPE
from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.post import Post
from hermes.store.store import Store

NOW = 1_790_000_000_000
ANNE, BERT, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 9))
MEMBERS = ["manifest.json", "manifest.sig", "events.jsonl"]


def enclosed(text="hey", to=BERT, by=ANNE, now=NOW):
    envelope = seal(by, Letter(to.public, "turn", text.encode(), "c1"), 1, now)
    return Enclosed(to.public, write(envelope), envelope.expires_at)


GOOD = pack(ANNE, [enclosed("one"), enclosed('"two" ' * 9_000), enclosed("Eve's", EVE)], NOW)
SMALL = pack(ANNE, [enclosed("one")], NOW)


def taken_apart(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}


def made(parts):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def signed(key, lines, **fields):
    plain = {
        "v": 1,
        "creator": key.public,
        "created_at": NOW,
        "to": (BERT.public,),
        "events": lines.count(b"\n"),
        "sha256": hashlib.sha256(lines).hexdigest(),
    }
    manifest = Manifest(**(plain | fields))
    parts = (msgspec.json.encode(manifest), key.sign(manifest.digest).encode(), lines)
    return made(dict(zip(MEMBERS, parts, strict=True)))


def test_each_reader_opens_its_own_letters():
    mine = unpack(GOOD, BERT)
    assert [len(one.data) > 50_000 for one in mine.received].count(True) == 1
    assert len(mine.received) == 2
    assert {one.sender_hint for one in mine.received} == {ANNE.public}
    assert mine.manifest.creator == ANNE.public
    assert len(unpack(GOOD, EVE).received) == 1


def test_nobody_else_reads_it():
    with pytest.raises(BundleInvalid, match="somebody else"):
        unpack(GOOD, HotKey(b"\7" * 32))
    for words in (b"payload", b"conversation", b"Eve's"):
        assert words in enclosed("Eve's").data
        assert words not in GOOD


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.95])
def test_cut_off(share):
    with pytest.raises(BundleInvalid):
        unpack(GOOD[: int(len(GOOD) * share)], BERT)


@settings(max_examples=60)
@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_one_changed_byte_is_noticed_or_changes_nothing(place, by):
    data = bytearray(SMALL)
    data[place] ^= by
    try:
        found = unpack(bytes(data), BERT)
    except BundleInvalid:
        return
    assert found == unpack(SMALL, BERT)  # in the tar's own padding


@settings(max_examples=60)
@given(st.binary(max_size=2_000))
def test_no_bytes_are_more_than_refused(data):
    with pytest.raises(BundleInvalid):
        unpack(data, BERT)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({}, "not a bundle"),
        ({"../../etc/passwd": b"x"}, "not a bundle"),
        ({"manifest.json": b"{}", "manifest.sig": b"", "events.jsonl": b""}, "manifest"),
        ({"manifest.json": b"[" * 9_000, "manifest.sig": b"", "events.jsonl": b""}, "manifest"),
        ({"manifest.json": b"\xff", "manifest.sig": b"", "events.jsonl": b""}, "manifest"),
        ({"manifest.json": b" " * 70_000, "manifest.sig": b"", "events.jsonl": b""}, "cut off"),
        ({"manifest.sig": b"", "manifest.json": b"{}", "events.jsonl": b""}, "not a bundle"),
    ],
)
def test_what_is_no_bundle(parts, says):
    with pytest.raises(BundleInvalid, match=says):
        unpack(made(parts), BERT)


def test_a_link_in_the_tar_is_not_followed():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(BundleInvalid):
        unpack(file.getvalue(), BERT)


def test_letters_of_another_bundle_do_not_fit_in():
    parts = taken_apart(GOOD)
    other = taken_apart(pack(EVE, [enclosed(by=EVE)], NOW))
    with pytest.raises(BundleInvalid, match="not those of its maker"):
        unpack(made(parts | {"events.jsonl": other["events.jsonl"]}), BERT)
    with pytest.raises(BundleInvalid, match="signature"):
        unpack(made(parts | {"manifest.sig": other["manifest.sig"]}), BERT)


def test_a_maker_who_lies_in_a_signed_bundle():
    line = taken_apart(GOOD)["events.jsonl"].splitlines(keepends=True)[0]
    note = NostrKeys(EVE.secret).sign(1, "a note", (), 1).json.encode() + b"\n"
    altered = line.replace(b'"kind":1059', b'"kind":1059 ').replace(b'"sig":"', b'"sig":"0', 1)
    for events in (b"junk\n", b"\xff\n", note, altered, b"[" * 9_000 + b"\n"):
        with pytest.raises(BundleInvalid):
            unpack(signed(EVE, events), BERT)
    with pytest.raises(BundleInvalid, match="says"):
        unpack(signed(EVE, line, events=2), BERT)
    with pytest.raises(BundleInvalid, match="version 2"):
        unpack(signed(EVE, line, v=2), BERT)
    eve = NostrKeys(EVE.secret)
    empty = eve.sign(1059, "no cipher", (("p", BERT.public),), 1).json.encode() + b"\n"
    rumour = eve.rumour(ENVELOPE + 1, "other", (), 1)
    other = eve.wrap(BERT.public, rumour, 99, now=1_000_000, live=False).json.encode() + b"\n"
    found = unpack(signed(EVE, empty + other), BERT)
    assert (found.received, found.odd) == ((), 1)


def test_too_large():
    with pytest.raises(BundleInvalid, match="too large"):
        unpack(bytes(bundle.MOST_BYTES + 1), BERT)


@pytest.fixture
def office(tmp_path, clock):
    @asynccontextmanager
    async def opened(key):
        async with Store.open(tmp_path / f"{key.public[:8]}.db", clock) as store:
            friends = {ANNE.public, BERT.public}
            async with Post(key, store.mesh, [], clock, lambda who, _kind: who in friends) as post:
                yield post

    return opened


async def test_taken_twice_it_has_one_effect_and_without_a_reader_it_waits(office, clock):
    now = clock.now_ms()
    letters = [enclosed(f"n{n}", now=now) for n in range(5)]
    data = await anyio.to_thread.run_sync(pack, ANNE, letters, now)
    found = await anyio.to_thread.run_sync(unpack, data, BERT)
    async with office(BERT) as bert:
        for _ in range(2):
            for received in found.received:
                assert await bert.take(received)
    async with office(BERT) as bert:
        turns = bert.received("turn")
        got = []
        for _ in range(5):
            with anyio.fail_after(5):
                arrival = await turns.receive()
            assert arrival.again
            got.append(arrival.envelope.data)
            await bert.settle(arrival.envelope)
        for received in found.received:
            assert await bert.take(received)
        with pytest.raises(anyio.WouldBlock):
            turns.receive_nowait()
        replayed = {(one.reason, one.times) for one in await bert.refused()}
    assert sorted(got) == [f"n{n}".encode() for n in range(5)]
    assert replayed == {("replayed", 10)}


def test_letters_are_handed_over_as_they_were_written_and_an_entry_first():
    def one(seq, kind="turn"):
        envelope = seal(ANNE, Letter(BERT.public, kind, b"{}"), seq, NOW)
        return Enclosed(BERT.public, write(envelope), envelope.expires_at)

    letters = [one(seq) for seq in (5, 3, 9, 1, 7, 2)] + [one(8, "joined")]
    found = unpack(pack(ANNE, letters, NOW), BERT)
    said = [msgspec.json.decode(each.data) for each in found.received]
    assert [each["seq"] for each in said] == [8, 1, 2, 3, 5, 7, 9]
