"""CAR v1 archives: written, read by another's reader, taken in elsewhere, and refused."""

import io
import sqlite3
from contextlib import closing

import anyio
import libipld
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.canonical import cid_of, decode, encode, link, link_blob
from hermes.core.ids import ConversationId, TurnId, uuid7
from hermes.core.message import block_of
from hermes.errors import ProofInvalid, Usage
from hermes.store.car import CarReader, Section, header, section
from hermes.store.car_file import CarFile
from hermes.store.car_out import Wanted
from hermes.store.store import Store
from tests.store.talk import act, chain, conversation, message


@pytest.fixture
async def other(tmp_path, clock):
    async with Store.open(tmp_path / "other" / "store.db", clock) as opened:
        yield opened


async def filled(store):
    made = await conversation(store)
    await store.conversations.append(*chain(made, "one", "two", "three"))
    await act(store, made)
    return made


def blocks_in(path):
    """Read by libipld's own reader, not by ours."""
    head, blocks = libipld.decode_car(path.read_bytes())
    return head, blocks


def write(path, roots, *sections):
    path.write_bytes(header(roots) + b"".join(section(one) for one in sections))
    return path


def cbor(value):
    block = encode(value)
    return Section(link(block.cid), block.data)


def message_section(one):
    block = block_of(one)
    return Section(link(block.cid), block.data)


async def test_another_reader_finds_every_block_under_its_name(store, tmp_path):
    made = await conversation(store)
    cids = await store.conversations.append(*chain(made, "one", "two", "three"))
    done = await store.export_car(tmp_path / "talk.car", Wanted((made,)))

    head, blocks = blocks_in(tmp_path / "talk.car")

    assert head["version"] == 1
    assert tuple(map(libipld.encode_cid, head["roots"])) == done.roots
    by_name = {libipld.encode_cid(name): value for name, value in blocks.items()}
    assert set(by_name) == {*done.roots, *cids}
    assert by_name[cids[1]]["parts"] == [{"type": "text", "text": "two"}]
    assert by_name[done.roots[0]]["conversations"][0]["heads"] == [link(cids[2])]


async def test_an_archive_holds_what_belongs_to_a_conversation(store, tmp_path):
    made = await filled(store)
    done = await store.export_car(tmp_path / "talk.car", Wanted((made,)))
    assert (done.blocks, done.blobs, done.erased, done.missing) == (6, 1, (), ())
    assert done.bytes == (tmp_path / "talk.car").stat().st_size
    assert b"before" in (tmp_path / "talk.car").read_bytes()


async def test_a_conversation_arrives_as_it_was(store, other, tmp_path):
    made = await filled(store)
    await store.conversations.set_title(made, "A talk")
    await store.export_car(tmp_path / "talk.car", Wanted((made,)))

    came = await other.import_car(tmp_path / "talk.car")

    assert (came.blocks, came.blobs, came.known, came.conversations) == (6, 1, 0, (made,))
    assert await other.conversations.history(made) == await store.conversations.history(made)
    theirs = await store.conversations.get(made)
    ours = await other.conversations.get(made)
    assert (ours.title, ours.root, ours.heads, ours.messages, ours.private) == (
        "A talk", theirs.root, theirs.heads, 3, False,
    )  # fmt: skip
    assert [hit.conversation for hit in await other.search.messages("two")] == [made]
    assert await other.verify() == ()
    # A foreign intent is a block and no entry: undo would carry it out.
    assert await other.journal.of_turn(TurnId("turn")) == ()
    assert await other.approvals.open() == ()


async def test_everything_arrives_in_the_order_of_the_log(store, other, tmp_path):
    first, second = await filled(store), await conversation(store, "x", "y")
    await store.memory.add("p", "fact", "the sky is blue")
    await store.conversations.set_private(second, private=True)
    done = await store.export_car(tmp_path / "all.car", Wanted())
    assert done.private == 1

    came = await other.import_car(tmp_path / "all.car")

    assert came.blocks == done.blocks == (await store.size())["blocks"]
    assert set(came.conversations) == {first, second}
    assert (await other.conversations.get(second)).private
    assert await other.verify() == ()
    assert await other.log.size() == await store.log.size()
    assert await other.log.root() == await store.log.root()
    assert await other.memory.list("p") == ()


async def test_what_is_below_a_name_and_nothing_else(store, other, tmp_path):
    made = await conversation(store)
    cids = await store.conversations.append(*chain(made, "one", "two", "three"))
    done = await store.export_car(tmp_path / "two.car", Wanted(cids=cids[1:2]))
    assert (done.roots, done.blocks) == (cids[1:2], 2)

    came = await other.import_car(tmp_path / "two.car")

    assert came.conversations == (made,)
    info = await other.conversations.get(made)
    assert (info.messages, info.heads, info.private) == (2, cids[1:2], True)
    assert await other.verify() == ()


async def test_a_fork_of_a_private_conversation_stays_private(store, other, tmp_path):
    made = await conversation(store, "secret")
    fork = ConversationId(uuid7())
    await store.conversations.fork(made, fork)
    await store.conversations.set_private(made, private=True)
    await store.export_car(tmp_path / "fork.car", Wanted((fork,)))
    await other.import_car(tmp_path / "fork.car")
    assert (await other.conversations.get(fork)).private


async def test_an_import_overwrites_nothing(store, tmp_path):
    made = await filled(store)
    await store.export_car(tmp_path / "talk.car", Wanted((made,)))
    cids = await store.conversations.append(
        message("four", made, (await store.conversations.get(made)).heads)
    )
    await store.conversations.set_title(made, "mine")
    before = await store.size()

    came = await store.import_car(tmp_path / "talk.car")

    assert (came.blocks, came.known, came.kept, came.conversations) == (0, 6, (made,), ())
    info = await store.conversations.get(made)
    assert (info.title, info.heads, info.messages) == ("mine", cids, 4)
    after = await store.size()
    assert (after["blocks"], after["messages"]) == (before["blocks"], before["messages"])


async def test_an_erased_block_is_told_and_stays_erased(store, other, tmp_path):
    kept = await store.memory.add("p", "fact", "to be forgotten")
    await store.export_car(tmp_path / "before.car", Wanted())
    cid = await store.memory.forget(kept)

    done = await store.export_car(tmp_path / "after.car", Wanted())
    assert done.erased == (cid,)
    assert b"to be forgotten" not in (tmp_path / "after.car").read_bytes()
    came = await store.import_car(tmp_path / "before.car")
    assert came.erased == 1
    await store.export_car(tmp_path / "again.car", Wanted())
    assert b"to be forgotten" not in (tmp_path / "again.car").read_bytes()
    assert (await other.import_car(tmp_path / "after.car")).blocks == 1
    assert await store.verify() == ()


async def test_an_erased_block_does_not_come_back_as_plain_bytes(store, tmp_path):
    kept = await store.memory.add("p", "fact", "to be forgotten")
    await store.export_car(tmp_path / "before.car", Wanted())
    told = list(CarReader(io.BytesIO((tmp_path / "before.car").read_bytes())))
    block = next(one for one in told if b"to be forgotten" in one.data)
    cid = await store.memory.forget(kept)
    assert link(cid) == block.cid
    plain = Section(link_blob(block.digest), block.data)
    other = Section(link_blob(libipld_digest(b"other")), b"other")
    for number, sections in enumerate(([plain, other], [block, plain], [plain, block])):
        came = await store.import_car(write(tmp_path / f"{number}.car", [plain.cid], *sections))
        assert came.erased == 1
        assert await store.blobs.get(plain.digest) is None
    assert await store.blobs.get(other.digest) == b"other"
    assert await store.verify() == ()


async def test_what_lays_claim_to_private_messages_is_private(store, tmp_path):
    made = await conversation(store, "secret")
    await store.conversations.set_private(made, private=True)
    heads = [link(cid) for cid in (await store.conversations.get(made)).heads]
    told = {"id": TALK, "title": "", "root": "", "private": False, "heads": heads * 3}
    page = cbor({"t": "hermes/archive/1", "conversations": [told], "blocks": [], "blobs": []})
    await store.import_car(write(tmp_path / "claim.car", [page.cid], page))
    claimed = await store.conversations.get(ConversationId(TALK))
    assert claimed.private
    assert [link(cid) for cid in claimed.heads] == heads


async def test_a_claim_beside_the_private_conversation_is_private(store, other, tmp_path):
    made = await conversation(store, "secret")
    talk = message_section((await store.conversations.history(made))[0].message)
    names = {"title": "", "root": "", "heads": [talk.cid]}
    told = [{"id": TALK, "private": False, **names}, {"id": made, "private": True, **names}]
    page = cbor({"t": "hermes/archive/1", "conversations": told, "blocks": [], "blobs": []})
    await other.import_car(write(tmp_path / "both.car", [page.cid], page, talk))
    for each in (made, ConversationId(TALK)):
        assert (await other.conversations.get(each)).private


async def test_many_ends_of_one_conversation(store, tmp_path):
    alone = [message_section(message(str(n), ConversationId(TALK))) for n in range(600)]
    path = write(tmp_path / "ends.car", [one.cid for one in alone], *alone)
    assert (await store.import_car(path)).conversations == (TALK,)
    made = await store.conversations.get(ConversationId(TALK))
    assert [link(cid) for cid in made.heads] == [one.cid for one in alone]
    assert (made.messages, made.title) == (600, "599")
    heads = [link(cid_of(b"%d" % n)) for n in range(10_001)]
    told = {"id": TALK, "title": "", "root": "", "private": False, "heads": heads}
    page = cbor({"t": "hermes/archive/1", "conversations": [told], "blocks": [], "blobs": []})
    with pytest.raises(ProofInvalid, match="10001 ends"):
        await store.import_car(write(tmp_path / "more.car", [page.cid], page))


async def test_a_file_is_written_whole_and_never_over_another(store, tmp_path):
    made = await conversation(store, "x")
    path = tmp_path / "talk.car"
    path.write_bytes(b"mine")
    with pytest.raises(Usage, match="exists already"):
        await store.export_car(path, Wanted((made,)))
    assert path.read_bytes() == b"mine"
    with pytest.raises(Usage, match="no conversation"):
        await store.export_car(tmp_path / "new.car", Wanted((ConversationId(uuid7()),)))
    with pytest.raises(Usage, match="no block"):
        await store.export_car(tmp_path / "new.car", Wanted(cids=(cid_of(b"x"),)))
    with pytest.raises(Usage, match="cannot write"):
        await store.export_car(tmp_path / "gone" / "new.car", Wanted())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data", "talk.car"]


async def test_two_writers_of_one_name_do_not_meet(tmp_path):
    path = tmp_path / "talk.car"
    async with CarFile(path) as first, CarFile(path) as second:
        await first.write(b"first")
        await second.write(b"sec")
        assert await first.keep() == 5
        with pytest.raises(Usage, match="exists already"):
            await second.keep()
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


NODE = {"t": "hermes/x/1", "parents": []}
HEAD = link(encode(NODE).cid)
OTHER = b"\x01\x71\x13\x20"  # another hash than SHA-256
TALK = "0199a000-0000-7000-8000-000000000000"
BAD = {
    "nothing": (b"", "cut off"),
    "garbage": (b"\x01\xff", "header cannot be read"),
    "version 2": (b"\x0a\xa1\x67version\x02", "version 2"),
    "a header too large": (b"\xff\xff\xff\x7f", "a header of"),
    "a number too long": (b"\x80" * 9, "does not end"),
    "a padded number": (b"\x80\x00", "longer form"),
    "an empty section": (header([HEAD]) + b"\x00", "a section of 0"),
    "a section too large": (header([HEAD]) + b"\xff\xff\xff\xff\x0f", "at most"),
    "a root that is missing": (header([HEAD]), "cut off"),
    "half a section": (header([HEAD]) + section(cbor(NODE))[:-1], "cut off"),
    "another name": (header([]) + section(Section(HEAD, b"other")), "does not match"),
    "another hash": (header([]) + section(Section(OTHER + HEAD[4:], b"x")), "SHA-256"),
    "version 0": (header([]) + section(Section(HEAD[2:], b"xx")), "SHA-256"),
    "another codec": (header([]) + section(Section(b"\x01\x70" + HEAD[2:], b"x")), "SHA-256"),
    "no kind": (header([]) + section(cbor({"x": 1})), "not a block of Hermes"),
    "no map": (header([]) + section(cbor([1])), "canonical"),
    "a strange kind": (header([]) + section(cbor({"t": "A b"})), "not a block of Hermes"),
    "no message": (header([]) + section(cbor({"t": "hermes/message/1"})), "not a message"),
    "a page of nonsense": (header([]) + section(cbor({"t": "hermes/archive/1"})), "page"),
    "a conversation of nonsense": (
        header([])
        + section(cbor({"t": "hermes/archive/1", "conversations": [{"id": "../x"}]})),
        "not a conversation",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_what_does_not_hold_is_refused_whole(store, tmp_path, name):
    data, words = BAD[name]
    good = message_section(message("good", ConversationId(TALK)))
    path = tmp_path / "bad.car"
    path.write_bytes(data)
    with pytest.raises(ProofInvalid, match=words):
        await store.import_car(path)
    if data.startswith(header([])):  # what stands before the bad one is not kept either
        path.write_bytes(header([]) + section(good) + data[len(header([])) :])
        with pytest.raises(ProofInvalid, match=words):
            await store.import_car(path)
    assert (await store.size())["blocks"] == 0


# Written by @ipld/car 5.4.7 (CarWriter) over @ipld/dag-cbor: a map and the bytes that it links.
FOREIGN = bytes.fromhex(
    "3aa265726f6f747381d82a58250001711220fe15f116ef0191944833eccb6462475ffdb36c2250532a207d5c85"
    "0490d5e56a6776657273696f6e016e01711220fe15f116ef0191944833eccb6462475ffdb36c2250532a207d5c"
    "850490d5e56aa4616e1903e861746a6865726d65732f782f3164626c6f62d82a582500015512200d22cdcc10e6"
    "d049dbe1af5123d50873fdfc1a4f58306e58cb6241be9472014d67706172656e7473802e015512200d22cdcc10"
    "e6d049dbe1af5123d50873fdfc1a4f58306e58cb6241be9472014d736f6d65206279746573"
)
FOREIGN_BLOCK = "bafyreih6cxyrn3ybsgkeqm7mznsger277wzwyisqkmvca7k4qucjbvpfni"


async def test_another_writers_archive_is_taken_in_and_given_back_the_same(store, tmp_path):
    (tmp_path / "foreign.car").write_bytes(FOREIGN)
    came = await store.import_car(tmp_path / "foreign.car")
    assert (came.blocks, came.blobs) == (1, 1)
    await store.export_car(tmp_path / "ours.car", Wanted(cids=(FOREIGN_BLOCK,)))
    assert (tmp_path / "ours.car").read_bytes() == FOREIGN


@pytest.mark.parametrize("at", range(0, len(FOREIGN), 7))
async def test_no_flipped_bit_of_it_is_taken_in(store, tmp_path, at):
    data = bytearray(FOREIGN)
    data[at] ^= 1 << at % 8
    (tmp_path / "bad.car").write_bytes(data)
    with pytest.raises(ProofInvalid):
        await store.import_car(tmp_path / "bad.car")
    assert (await store.size())["blocks"] == 0


def raw_block(data):
    return Section(link(cid_of(data)), data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81" * 100_000 + b"\x80",
        b"\xa1\x61t" + b"\x81" * 100 + b"\x80",
        b"\xa1\x61t\xfb" + bytes(8),
        b"\xa1\x61t\x42xx",
        b"\xa1\x61t\x18\x01",
        b"\xff",
    ],
    ids=["deep", "deeper than ours", "a float", "bare bytes", "a long number", "no cbor"],
)
async def test_blocks_of_another_form_are_refused(store, tmp_path, data):
    path = write(tmp_path / "bad.car", [], raw_block(data))
    with pytest.raises(ProofInvalid):
        await store.import_car(path)


@pytest.mark.parametrize("at", [-1, 253_402_300_800_000, 2**63, 2**64 - 1])
async def test_a_message_out_of_time_is_refused(store, tmp_path, at):
    fields = decode(block_of(message("x", ConversationId(TALK))).data) | {"at": at}
    path = write(tmp_path / "bad.car", [], cbor(fields))
    with pytest.raises(ProofInvalid, match="out of time"):
        await store.import_car(path)


async def test_heads_that_are_no_messages_make_no_conversation(store, tmp_path):
    told = {"id": TALK, "title": "", "root": "", "private": False, "heads": [HEAD]}
    page = cbor({"t": "hermes/archive/1", "conversations": [told], "blocks": [], "blobs": []})
    path = write(tmp_path / "odd.car", [page.cid], page, cbor(NODE))
    came = await store.import_car(path)
    assert (came.refused, came.conversations) == ((TALK,), ())
    assert await store.conversations.list() == ()
    assert await store.verify() == ()


async def test_only_a_file_is_read(store, tmp_path):
    for path in (tmp_path, tmp_path / "gone", anyio.Path("relative.car")):
        with pytest.raises(Usage):
            await store.import_car(path)


async def test_blobs_are_kept_by_their_digest(store, tmp_path):
    one = Section(link_blob(libipld_digest(b"bytes")), b"bytes")
    path = write(tmp_path / "raw.car", [one.cid], one)
    assert (await store.import_car(path)).blobs == 1
    assert await store.blobs.get(one.digest) == b"bytes"


def libipld_digest(data):
    return libipld.decode_cid(cid_of(data))["hash"]["digest"].hex()


@given(
    st.lists(st.binary(max_size=300), max_size=8),
    st.integers(0, 7),
    st.integers(0, 10_000),
)
def test_no_flipped_bit_is_believed(tmp_path_factory, bodies, bit, place):
    """Framing only: every section that is read has the name of its bytes."""
    sections = [Section(link_blob(libipld_digest(body)), body) for body in bodies]
    data = bytearray(header([one.cid for one in sections]) + b"".join(map(section, sections)))
    assert list(CarReader(io.BytesIO(bytes(data)))) == sections
    data[place % len(data)] ^= 1 << bit
    try:
        reader = CarReader(io.BytesIO(bytes(data)))
        read = list(reader)
    except ProofInvalid:
        return
    assert all(libipld_digest(one.data) == one.digest for one in read)
    assert read != sections or list(reader.roots) != [one.cid for one in sections]


async def test_a_damaged_store_shows_in_its_archive(path, clock, tmp_path):
    async with Store.open(path, clock) as store:
        await conversation(store, "one")
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE blocks SET data = data || x'00' WHERE kind LIKE '%message%'")
    async with Store.open(path, clock) as store:
        await store.export_car(tmp_path / "bad.car", Wanted())
        with pytest.raises(ProofInvalid, match="does not match"):
            await store.import_car(tmp_path / "bad.car")
