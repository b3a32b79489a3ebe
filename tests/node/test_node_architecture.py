"""What an owner is made of: recorded once, named without anybody's secrets, never a crash."""

import hashlib
import os

import anyio
import pytest
from house import House

from hermes.core.clock import SystemClock
from hermes.node.architecture import Draught, record_architecture
from hermes.skin.places import shipped
from hermes.store.store import Store
from hermes.tools.registry import Registry

SKINS = shipped("skins")


@pytest.fixture
async def store(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    async with Store.open(tmp_path / "data" / "store.db", SystemClock()) as store:
        yield store


async def recorded(store, tmp_path, soul="# SOUL", **settings):
    told = []
    house = House(tmp_path, **settings)
    draught = Draught(house.settings, soul, (SKINS,), Registry())
    await record_architecture(store, draught, lambda where, error: told.append(error))
    return await store.architectures.list(), told


async def test_a_state_is_recorded_when_it_changed(store, tmp_path):
    one = {"model": "scripted:/x.jsonl"}
    first, told = await recorded(store, tmp_path, **one)
    assert told == []
    again, _ = await recorded(store, tmp_path, **one)
    assert again == first
    changed, _ = await recorded(store, tmp_path, "# another", **one)
    assert [state.model for state in changed] == ["scripted", "scripted"]
    assert changed[0].parts["soul"] != changed[1].parts["soul"]
    assert await store.blobs.get(changed[1].parts["soul"]) == b"# another"


async def test_an_address_is_kept_without_its_secrets(store, tmp_path):
    address = "https://me:hunter2@host:8/v1?api_key=hunter3#hunter4"
    (state,), _ = await recorded(store, tmp_path, model=address)
    assert state.model == "https://host:8/v1"


async def test_a_models_file_is_named_by_its_digest(store, tmp_path):
    path = tmp_path / "small.gguf"
    path.write_bytes(b"weights")
    (state,), _ = await recorded(store, tmp_path, model=str(path))
    assert (state.model, state.model_digest) == ("small", hashlib.sha256(b"weights").hexdigest())
    notes = tmp_path / "data" / "model-digests.json"
    path.write_bytes(b"other weights")
    notes.write_bytes(b"\xff{")
    states, told = await recorded(store, tmp_path, model=str(path))
    assert states[1].model_digest == hashlib.sha256(b"other weights").hexdigest()
    assert told == []


async def test_a_name_that_is_no_text_ends_nothing(store, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf")
    await anyio.Path(odd).write_bytes(b"weights")
    states, told = await recorded(store, tmp_path, model=odd)
    assert told == []
    assert states[0].model == "\ufffd"
    states, told = await recorded(store, tmp_path, model=str(tmp_path / "gone.gguf"))
    assert [type(error) for error in told] == [FileNotFoundError]
