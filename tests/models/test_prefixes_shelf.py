"""Saved prefixes on disk: cut, altered, foreign, hostile, too many, of a model that is gone."""

import os
import stat
from pathlib import Path

import pytest

from hermes.core.model import ChatMessage, ModelRequest
from hermes.errors import NotAvailable
from hermes.models.prefixes_chain import Chain, chain_of
from hermes.models.prefixes_index import INDEX
from hermes.models.prefixes_shelf import PrefixShelf, open_shelf

ENGINE = "engine 1"
MOST = 1_000
OUTSIDE = b"""{"prefixes": {"../m.gguf": {"name": "../m.gguf", "model": "x", "chain": [["a", 1]],
"tokens": 1, "size": 7, "sha256": "", "used": 1}}}"""

NO_PATH = b"""{"models": {"k": {"path": "a\\u0000b", "stamp": [], "digest": "",
"engine": "engine 1", "window": 1}}}"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "prefixes"


def shelf_at(place: Path, most: int = MOST, engine: str = ENGINE) -> PrefixShelf:
    return PrefixShelf(place, most, engine)


def key_of(shelf: PrefixShelf, model: Path, window: int = 2_048) -> str:
    return shelf.identify(model, window, most=1_000_000)


def chain(*words: str) -> Chain:
    return chain_of(ModelRequest("system", tuple(ChatMessage("user", word) for word in words)))


def keep(shelf: PrefixShelf, key: str, links: Chain, data: bytes, tokens: int = 100) -> bool:
    (shelf.directory / "a.part").write_bytes(data)
    return shelf.keep("a.part", key, links, tokens, len(data))


def files(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} - {INDEX}


def test_what_was_kept_is_there_after_a_restart(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    assert keep(shelf, key, chain("a"), b"state")
    again = shelf_at(place)
    (prefix,) = again.of(key_of(again, model))
    assert (prefix.chain, prefix.tokens, prefix.size) == (chain("a"), 100, 5)
    assert again.is_sound(prefix)
    assert (place / prefix.name).read_bytes() == b"state"
    assert again.facts() == {"prefixes": 1, "bytes": 5, "tokens": 100, "most": MOST}


@pytest.mark.parametrize("data", [b"stat", b"stata", b"state+", b""])
def test_a_cut_or_altered_file_is_deleted_before_it_is_used(place, model, data):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"state")
    (prefix,) = shelf.of(key)
    path = place / prefix.name
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    assert not shelf.is_sound(prefix)
    assert shelf.of(key) == ()
    assert files(place) == set()


def test_a_file_that_went_away_is_no_prefix(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"state")
    (prefix,) = shelf.of(key)
    (place / prefix.name).unlink()
    assert not shelf.is_sound(prefix)
    assert shelf_at(place).of(key) == ()


def test_a_file_of_another_model_under_this_name_is_not_used(place, model, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(b"other weights")
    shelf = shelf_at(place)
    mine, theirs = key_of(shelf, model), key_of(shelf, other)
    assert mine != theirs
    keep(shelf, mine, chain("a"), b"state")
    keep(shelf, theirs, chain("a"), b"STATE")
    (own,), (foreign,) = shelf.of(mine), shelf.of(theirs)
    (place / foreign.name).replace(place / own.name)
    again = shelf_at(place)
    assert not again.is_sound(own)
    assert files(place) == set()


def test_what_the_engine_did_not_finish_is_not_kept(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    (place / "a.part").write_bytes(b"sta")
    assert not shelf.keep("a.part", key, chain("a"), 100, 5)
    assert not shelf.keep("gone.part", key, chain("a"), 100, 5)
    assert files(place) == set()


def test_leftovers_of_a_killed_process_are_swept(place, model):
    key = key_of(shelf_at(place), model)
    (place / "0123.part").write_bytes(b"half")
    (place / ("f" * 64)).write_bytes(b"not in the index")
    assert shelf_at(place).of(key) == ()
    assert files(place) == set()


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"{",
        b"[]",
        b'{"models": 7}',
        b"\xff" * 100,
        OUTSIDE,
        NO_PATH,
    ],
)
def test_an_index_that_is_not_ours_is_an_empty_one(place, model, index):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"state")
    (place / INDEX).write_bytes(index)
    again = shelf_at(place)
    assert again.facts()["prefixes"] == 0
    assert files(place) == set()
    assert model.read_bytes() == b"weights"
    assert keep(again, key_of(again, model), chain("a"), b"state")


def test_the_least_recently_used_go_first(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    for word in "abc":
        assert keep(shelf, key, chain(word), word.encode() * 300)
    shelf.touch(shelf.of(key)[-1].name)
    assert keep(shelf, key, chain("d"), b"d" * 300)
    assert [one.chain for one in shelf.of(key)] == [chain("d"), chain("a"), chain("c")]
    assert sum(path.stat().st_size for path in place.iterdir() if path.name != INDEX) == 900


def test_a_smaller_limit_counts_from_the_next_start(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    for word in "abc":
        keep(shelf, key, chain(word), word.encode() * 300)
    again = shelf_at(place, most=500)
    assert [one.chain for one in again.of(key)] == [chain("c")]
    assert len(files(place)) == 1


def test_what_is_larger_than_all_is_not_written(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"x" * 500, tokens=100)
    assert not shelf.has_room(key, 201)
    assert not keep(shelf, key, chain("b"), b"x" * 1_001)
    assert [one.chain for one in shelf.of(key)] == [chain("a")]


def test_what_turned_out_too_large_is_not_tried_again(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    assert shelf.has_room(key, 100)
    assert not keep(shelf, key, chain("a"), b"x" * 2_000, tokens=100)
    assert not shelf.has_room(key, 100)
    assert shelf.has_room(key, 50)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_an_index_that_is_no_plain_file_is_an_empty_one(place, tmp_path, model, kind):
    place.mkdir(mode=0o700)
    other = tmp_path / "other"
    other.write_text('{"models": {}}')
    {
        "link": lambda: (place / INDEX).symlink_to(other),
        "pipe": lambda: os.mkfifo(place / INDEX),
        "directory": (place / INDEX).mkdir,
    }[kind]()
    shelf = shelf_at(place)
    assert keep(shelf, key_of(shelf, model), chain("a"), b"state")
    assert other.read_text() == '{"models": {}}'


def test_of_one_conversation_the_newest_and_much_shorter_ones_stay(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"1", tokens=100)
    keep(shelf, key, chain("a", "b"), b"2", tokens=300)
    assert [one.tokens for one in shelf.of(key)] == [300]
    keep(shelf, key, chain("a", "b", "c"), b"3", tokens=1_200)
    keep(shelf, key, chain("a", "b", "c", "d"), b"4", tokens=1_300)
    keep(shelf, key, chain("a", "other"), b"5", tokens=400)
    assert sorted(one.tokens for one in shelf.of(key)) == [300, 400, 1_300]
    assert len(files(place)) == 3


def test_a_model_that_was_replaced_takes_its_prefixes_along(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"state")
    model.write_bytes(b"WEIGHTS")
    again = shelf_at(place)
    assert files(place) == set()
    assert key_of(again, model) != key
    model.unlink()
    assert again.identify(model, 2_048, most=1_000) == ""


def test_another_engine_or_window_has_its_own(place, model):
    shelf = shelf_at(place)
    key = key_of(shelf, model)
    keep(shelf, key, chain("a"), b"state")
    assert shelf.of(key_of(shelf, model, window=4_096)) == ()
    newer = shelf_at(place, engine="engine 2")
    assert newer.of(key_of(newer, model)) == ()
    assert files(place) == set()


def test_a_large_unknown_model_is_not_hashed_at_once(place, model):
    shelf = shelf_at(place)
    assert shelf.identify(model, 2_048, most=3) == ""
    key = key_of(shelf, model)
    assert shelf_at(place).identify(model, 2_048, most=3) == key


def test_the_directory_is_its_owners_alone(place):
    place.mkdir(mode=0o755)
    shelf_at(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    link = place.with_name("link")
    link.symlink_to(place)
    with pytest.raises(NotAvailable):
        shelf_at(link)


def test_no_room_at_all_removes_what_was_kept(place, model):
    assert open_shelf(place, 0) is None
    assert not place.exists()
    shelf = open_shelf(place, MOST)
    assert shelf is not None
    keep(shelf, key_of(shelf, model), chain("a"), b"state")
    assert open_shelf(place, 0) is None
    assert files(place) == set()
