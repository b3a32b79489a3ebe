"""Where owner and front ends meet: sockets, directories, queries from outside."""

import os

import anyio
import msgspec
import pytest
from house import House, play

from hermes.errors import NotAvailable
from hermes.gateway.client import RemoteError
from hermes.node.attach import find_owner
from hermes.node.rendezvous import socket_path


@pytest.fixture
def path(house):
    return socket_path(house.settings)


async def test_a_socket_is_there_while_an_owner_is_and_not_after(house, path):
    for _ in range(2):
        async with house.client(interactive=True):
            assert path.is_socket()
            assert path.stat().st_mode & 0o077 == 0
            assert path.parent.stat().st_mode & 0o077 == 0
        assert not path.exists()


async def test_a_stale_file_in_its_place_is_removed(house, path):
    path.write_text("left by a killed owner")
    async with house.client() as first, house.client() as second:
        assert await second.query("conversations.list") == []
        assert first.hello.owner_is_us


async def test_what_cannot_be_removed_is_named(house, path):
    path.mkdir()
    with pytest.raises(NotAvailable, match="cannot remove"):
        async with house.client():
            pass


async def test_a_path_too_long_for_a_socket_is_named(tmp_path):
    house = House(tmp_path)
    far = tmp_path / ("d" * 100)
    house.settings = msgspec.structs.replace(house.settings, runtime_dir=far)
    with pytest.raises(NotAvailable, match="too long"):
        async with house.client():
            pass


@pytest.mark.parametrize("kind", ["file", "link", "foreign"])
async def test_a_runtime_directory_that_is_none_of_ours_is_refused(house, kind):
    place = house.settings.runtime_dir
    if kind == "file":
        place.write_text("")
    elif kind == "link":
        place.symlink_to(house.project)
    else:
        place.mkdir()
        if os.getuid():
            pytest.skip("only root can give a directory away")
        os.chown(place, 12_345, -1)
    with pytest.raises(NotAvailable):
        async with house.client():
            pass


async def test_an_open_directory_is_closed_to_others(house):
    house.settings.runtime_dir.mkdir(mode=0o755)
    async with house.client():
        assert house.settings.runtime_dir.stat().st_mode & 0o077 == 0


async def test_two_that_start_at_once_find_each_other(house):
    owners = []

    async def start():
        async with house.client() as client:
            owners.append(client.hello.owner_is_us)
            while len(owners) < 5:
                await anyio.lowlevel.checkpoint()
            await client.query("conversations.list")

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(start)
    assert sorted(owners) == [False] * 4 + [True]


async def test_looking_for_an_owner_makes_none(house):
    async with find_owner(house.settings) as none:
        assert none is None
    async with house.client(), find_owner(house.settings) as found:
        assert await found.query("conversations.list") == []


async def test_a_lone_error_is_raised_as_itself(house):
    with pytest.raises(ZeroDivisionError):
        async with house.client():
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("no.such", {}),
        ("conversations.list", {"limit": "many"}),
        ("conversations.list", {"limitt": 5}),
        ("conversations.list", {"limit": -1}),
        ("conversations.list", {"offset": 2**63}),
        ("memory.forget", {"id": 2**63}),
        ("conversations.show", {}),
        ("conversations.show", {"id": 7}),
        ("conversations.show", {"id": "x"}),
        ("conversations.show", {"id": "unknown-conversation"}),
        ("conversations.search", {"query": None}),
        ("conversations.import", {"data": {"id": "x"}}),
        ("conversations.import", {"data": 5}),
        ("conversations.private", {"id": "abcdefgh", "on": "perhaps"}),
        ("memory.forget", {"id": "one"}),
        ("memory.add", {"root": "/", "content": ""}),
        ("jobs.add", {"when": "x"}),
        ("context", {"conversation_id": "", "request": {"text": 1}}),
        ("policy.show", {"root": ["/"]}),
    ],
)
async def test_bad_arguments_of_a_query_are_a_usage_error(house, name, arguments):
    async with house.client() as client:
        with pytest.raises(RemoteError) as raised:
            await client.query(name, **arguments)
        assert raised.value.kind in {"Usage", "ConversationUnknown"}, raised.value.message
        assert await client.query("conversations.list", limit=1) == []


async def test_words_that_are_no_unicode_do_not_end_the_owner(house):
    model = house.script({"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request("caf\udce9", model=model))
    assert events[-1].text == "ok"
