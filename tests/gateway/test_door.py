"""Owner and front end over a wire: requests, events, owners that go away."""

import anyio
import pytest

from hermes.conversation.bus import Bus
from hermes.core.clock import SystemClock
from hermes.core.event import Notice, TurnFinished, TurnStarted, Usage
from hermes.core.request import PROTOCOL, TurnRequest
from hermes.errors import OwnerGone, ProtocolMismatch, TurnError
from hermes.gateway.client import Client, RemoteError
from hermes.gateway.server import Visitor
from hermes.gateway.wire import Lines, Wire, memory_wires

HEAD = {"conversation_id": "c", "turn_id": "t", "at": 0}


class FakeDesk:
    """A desk whose turns end when the test says so."""

    def __init__(self, pid: int = 1, protocol: int = PROTOCOL) -> None:
        self.bus = Bus()
        self.pid = pid
        self.protocol = protocol
        self.turns: list[TurnRequest] = []
        self.asked = anyio.Event()
        self.reported = []
        self.waits = ()

    def hello(self):
        hello = {"version": "0", "pid": self.pid, "node": "n", "store": "s"}
        return hello | {"protocol": self.protocol}

    async def address(self, request):
        return request

    async def turn(self, request, catch_up):
        self.turns.append(request)
        self.asked.set()
        if request.text == "over":
            catch_up(TurnFinished(**HEAD, text="long ago", usage=Usage()))
        if request.text == "bad":
            raise TurnError("cannot", "do not")

    async def approve(self, call_id, answer, *, by, reason):
        return answer == "yes"

    async def stop(self, conversation):
        return conversation == "c"

    async def status(self, conversation):
        return {"running": []}

    async def query(self, name, arguments):
        if name == "slow":
            await anyio.sleep_forever()
        if name == "defect":
            raise TypeError("a bug")
        return {name: arguments}

    def waiting(self, conversation):
        return self.waits

    def so_far(self, conversation):
        return self.waits

    def report(self, where, error):
        self.reported.append((where, error))


class FakeOpener:
    """Opens doors to one desk after the other."""

    def __init__(self, tasks, *desks) -> None:
        self.tasks = tasks
        self.desks = list(desks)
        self.owners = []

    async def open(self):
        ours, theirs = memory_wires()
        self.owners.append(ours)
        self.tasks.start_soon(Visitor(self.desks.pop(0), ours, "test").serve)
        return theirs, False


def _request(text: str = "hello") -> TurnRequest:
    return TurnRequest(turn_id="t", conversation_id="c", text=text, cwd="/", root="/")


@pytest.fixture
async def tasks():
    async with anyio.create_task_group() as group:
        yield group
        group.cancel_scope.cancel()


async def _client(tasks, *desks) -> tuple[Client, FakeOpener]:
    opener = FakeOpener(tasks, *desks)
    client = Client(opener, SystemClock())
    await client.connect()
    tasks.start_soon(client.run)
    return client, opener


async def test_a_turn_streams_until_its_final_event(tasks):
    desk = FakeDesk()
    client, _ = await _client(tasks, desk)
    with anyio.fail_after(2):
        async with client.turn(_request()) as events:
            desk.bus.publish(TurnStarted(**HEAD))
            desk.bus.publish(TurnFinished(**HEAD, text="hi", usage=Usage()))
            desk.bus.publish(Notice(**HEAD, text="after"))
            seen = [event async for event in events]
    assert [type(event).__name__ for event in seen] == ["TurnStarted", "TurnFinished"]


async def test_control_is_answered_while_something_runs(tasks):
    client, _ = await _client(tasks, FakeDesk())
    with anyio.fail_after(2):
        tasks.start_soon(client.query, "slow")
        assert await client.stop("c")
        assert await client.status() == {"running": []}
        assert await client.query("x", a=1) == {"x": {"a": 1}}


async def test_an_error_comes_back_with_its_remedy(tasks):
    client, _ = await _client(tasks, FakeDesk())
    with pytest.raises(RemoteError, match="cannot") as raised:
        async with client.turn(_request("bad")):
            pass
    assert raised.value.remedy == "do not"
    assert raised.value.kind == "TurnError"


async def test_a_watcher_first_sees_what_waits(tasks):
    desk = FakeDesk()
    desk.waits = (Notice(**HEAD, text="waiting"),)
    client, _ = await _client(tasks, desk)
    with anyio.fail_after(2):
        async with client.watch("c") as events:
            desk.bus.publish(Notice(**HEAD, text="news"))
            assert [(await anext(events)).text for _ in range(2)] == ["waiting", "news"]


async def test_a_running_turn_is_asked_for_again_when_the_owner_dies(tasks):
    first, second = FakeDesk(pid=1), FakeDesk(pid=2)
    client, opener = await _client(tasks, first, second)
    with anyio.fail_after(2):
        async with client.turn(_request()) as events:
            await opener.owners[0].aclose()
            notice = await anext(events)
            assert "pid 1" in notice.text
            assert "pid 2" in notice.text
            await second.asked.wait()
            second.bus.publish(TurnFinished(**HEAD, text="hi", usage=Usage()))
            assert (await anext(events)).text == "hi"
    assert second.turns == first.turns
    assert client.hello.pid == 2


async def test_another_protocol_is_refused(tasks):
    client = Client(FakeOpener(tasks, FakeDesk(protocol=99)), SystemClock())
    with pytest.raises(ProtocolMismatch, match="protocol 99"):
        await client.connect()


async def test_nonsense_ends_a_visit_and_nothing_else(tasks):
    ours, theirs = memory_wires()
    tasks.start_soon(Visitor(FakeDesk(), ours, "test").serve)
    assert (await theirs.receive())["method"] == "hello"
    await theirs.send({"jsonrpc": "2.0", "id": 1, "method": "no"})
    assert (await theirs.receive())["error"]["code"] == -32601
    await theirs.send({"jsonrpc": "2.0", "id": 2, "method": "turn", "params": {"text": 5}})
    assert (await theirs.receive())["error"]["code"] == -32602
    await theirs._lines.send(b"{nonsense")
    with anyio.fail_after(2), pytest.raises(OwnerGone):
        await theirs.receive()
    await theirs.aclose()


async def test_lines_survive_any_cut(tmp_path):
    got = []

    async def serve(stream):
        wire = Wire(Lines(stream))
        got.extend([await wire.receive() for _ in range(2)])
        await wire.aclose()

    listener = await anyio.create_unix_listener(tmp_path / "s")
    async with listener, anyio.create_task_group() as tg:
        tg.start_soon(listener.serve, serve)
        stream = await anyio.connect_unix(tmp_path / "s")
        for byte in b'{"a":1}\n{"b":"' + b"x" * 100 + b'"}\n':
            await stream.send(bytes([byte]))
        with anyio.fail_after(2), pytest.raises(anyio.EndOfStream):
            await stream.receive()
        await stream.aclose()
        tg.cancel_scope.cancel()
    assert got == [{"a": 1}, {"b": "x" * 100}]
