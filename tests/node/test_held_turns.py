"""Turns whose commands run in the sandbox: taken back by undo, and nothing left by a crash."""

import socket

import pytest
from house import House, call, calls, conversation_of, play, result_of

from hermes.config import Sandbox
from hermes.core.clock import SystemClock
from hermes.core.event import ApprovalAsked
from hermes.store.store import Store


@pytest.fixture
def held(standing, tmp_path):
    return House(tmp_path, sandbox=Sandbox(bash="overlay"))


async def test_undo_takes_back_what_a_command_did(held):
    (held.project / "old.txt").write_text("one\n")
    (held.project / "gone").write_bytes(b"\x00\xff")
    text = "echo two >> old.txt; rm gone; mkdir dir; echo fresh > dir/new; echo done"
    model = held.script(call("Bash", command=text), {"text": "ok"})
    async with held.client() as client:
        events = await play(client, held.request(model=model, yes=True))
        assert result_of(events) == "done\nexit code 0"
        assert (held.project / "dir/new").read_text() == "fresh\n"
        where = conversation_of(events)
        shown = await client.query("conversations.undo", id=where, apply=False)
        assert {file["path"].rpartition("/")[2] for file in shown["files"]} == {
            "old.txt", "gone", "new",
        }  # fmt: skip
        assert shown["unknown"] == []
        await client.query("conversations.undo", id=where, apply=True)
    assert (held.project / "old.txt").read_text() == "one\n"
    assert (held.project / "gone").read_bytes() == b"\x00\xff"
    assert not (held.project / "dir/new").exists()


async def test_a_refused_one_is_told_and_the_turn_goes_on(held):
    model = held.script(
        calls(
            ("Bash", {"command": "echo x > a; ln -s /etc/passwd b"}),
            ("Bash", {"command": "echo y > c"}),
            ("Bash", {"command": "cat c"}),
        ),
        {"text": "ok"},
    )
    async with held.client() as client:
        events = await play(client, held.request(model=model, yes=True))
    told = [event.result for event in events if type(event).__name__ == "ToolFinished"]
    assert "b: a link out of the workspace" in told[0]
    assert told[1:] == ["exit code 0", "y\nexit code 0"]
    assert sorted(path.name for path in held.project.iterdir()) == ["c"]


async def test_hermes_own_state_in_the_project_is_not_there(standing, tmp_path):
    house = House(tmp_path, sandbox=Sandbox(bash="overlay"))
    house.project = tmp_path  # the store, the settings and a script lie in it
    model = house.script(call("Bash", command="ls data; touch made; ls"), {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model, yes=True))
    assert "history" not in result_of(events)
    assert ".db" not in result_of(events)
    assert "made" in result_of(events)
    assert (tmp_path / "made").exists()


async def test_a_denied_place_stays_as_it_is(standing, tmp_path):
    rules = {"deny": ("FileEdit(locked/**)",), "ask": ("FileWrite(asked.*)",)}
    house = House(tmp_path, sandbox=Sandbox(bash="overlay"), rules=rules)
    model = house.script(
        calls(
            ("Bash", {"command": "mkdir locked; echo y > b; cp b locked/a"}),
            ("Bash", {"command": "echo x > c"}),
            ("Bash", {"command": "echo x > asked.txt"}),
        ),
        {"text": "ok"},
    )
    async with house.client() as client:
        events = await play(client, house.request(model=model, yes=True))
    told = [event.result for event in events if type(event).__name__ == "ToolFinished"]
    assert "denied by policy: the user rule FileEdit(locked/**) denies" in told[0]
    assert told[0].endswith("nothing that it did was kept")
    assert sorted(path.name for path in house.project.iterdir()) == ["asked.txt", "c"]


async def test_a_place_that_asks_is_asked_about_with_its_diff(standing, tmp_path):
    rules = {"allow": ("Bash(sh make.sh)", "Bash(sh other.sh)"), "ask": ("FileWrite(asked.*)",)}
    house = House(tmp_path, sandbox=Sandbox(bash="overlay"), rules=rules)
    (house.project / "make.sh").write_text("echo made > asked.txt")
    (house.project / "other.sh").write_text("echo made > plain.txt")
    model = house.script(
        calls(("Bash", {"command": "sh other.sh"}), ("Bash", {"command": "sh make.sh"})),
        calls(("Bash", {"command": "sh make.sh"})),
        {"text": "ok"},
    )
    answers, asked = ["no", "yes"], []
    request = house.request(model=model, interactive=True)
    async with house.client(interactive=True) as client, client.turn(request) as events:
        async for event in events:
            if isinstance(event, ApprovalAsked):
                asked.append(event)
                await client.approve(event.call_id, answers.pop(0))
    assert ["+made" in event.diff for event in asked] == [True, True]
    assert "FileWrite(asked.*)" in asked[0].reason
    assert (house.project / "plain.txt").exists()
    assert (house.project / "asked.txt").read_text() == "made\n"


OUT = {"command": "touch ../beside made", "outside": "it needs the directory above"}
WAYS = [
    {"yes": True},
    {"yes": True, "mode": "auto"},
    {"yes": False, "mode": "auto"},
]


async def answered(house, request, *answers):
    """Play a turn, giving each question the next answer; the questions and the results."""
    asked, told, left = [], [], list(answers)
    async with house.client(interactive=True) as client, client.turn(request) as events:
        async for event in events:
            if isinstance(event, ApprovalAsked):
                asked.append(event)
                await client.approve(event.call_id, left.pop(0))
            elif type(event).__name__ == "ToolFinished":
                told.append(event.result)
    assert left == []
    return asked, told


async def test_outside_is_asked_each_time_whatever_allows_it(standing, tmp_path):
    house = House(tmp_path, sandbox=Sandbox(bash="overlay"), rules={"allow": ("Bash",)})
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]} && echo reached"
        out = {"command": reach, "outside": "the test's server"}
        model = house.script(
            calls(("Bash", {"command": reach})),
            calls(("Bash", out)),
            calls(("Bash", out), ("Bash", {"command": reach})),
            calls(("Bash", OUT)),
            {"text": "ok"},
        )
        request = house.request(model=model, interactive=True, yes=True)
        asked, told = await answered(house, request, "always", "yes", "yes")
    async with Store.open(house.settings.data_dir / "hermes.db", SystemClock()) as store:
        kept = await store.approvals.of_turn(request.turn_id)
    assert {one.answer for one in kept} == {"yes"}
    assert ["reached" in text for text in told] == [False, True, True, False, False]
    assert {event.rule for event in asked} == {""}
    assert asked[0].reason.startswith("runs OUTSIDE the sandbox")
    assert "the test's server" in asked[0].reason
    assert (tmp_path / "beside").exists()
    assert (house.project / "made").exists()


async def test_outside_a_no_runs_nothing(held):
    model = held.script(call("Bash", **OUT), {"text": "ok"})
    request = held.request(model=model, interactive=True)
    asked, (told,) = await answered(held, request, "no")
    assert len(asked) == 1
    assert told == "error: not approved to run outside of the sandbox: the person said no"
    assert not (held.base / "beside").exists()
    assert list(held.project.iterdir()) == []


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_outside_with_nobody_there_is_refused(standing, tmp_path, way):
    house = House(tmp_path, sandbox=Sandbox(bash="overlay"), rules={"allow": ("Bash",)})
    model = house.script(call("Bash", **OUT), {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model, **way))
    why = "nobody is here to ask"
    assert result_of(events) == f"error: not approved to run outside of the sandbox: {why}"
    assert not (tmp_path / "beside").exists()
    assert list(house.project.iterdir()) == []


async def test_outside_a_deny_is_no_question(standing, tmp_path):
    rules = {"allow": ("Bash",), "deny": ("Bash(touch:*)",)}
    house = House(tmp_path, sandbox=Sandbox(bash="overlay"), rules=rules)
    model = house.script(call("Bash", **OUT), {"text": "ok"})
    asked, (told,) = await answered(house, house.request(model=model, interactive=True))
    assert asked == []
    assert told == "error: denied by policy: the user rule Bash(touch:*) denies it"
    assert not (tmp_path / "beside").exists()


async def test_outside_what_the_person_named_is_not_asked_again(standing, tmp_path):
    sandbox = Sandbox(bash="overlay", outside=("touch:*",))
    house = House(tmp_path, sandbox=sandbox, rules={"allow": ("Bash(touch:*)",)})
    model = house.script(call("Bash", **OUT), {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model))
    assert result_of(events) == "exit code 0"
    assert (tmp_path / "beside").exists()


async def test_outside_for_no_reason_is_inside(held):
    out = OUT | {"outside": " \n"}
    model = held.script(call("Bash", **out), {"text": "ok"})
    async with held.client() as client:
        events = await play(client, held.request(model=model, yes=True))
    assert result_of(events) == "exit code 0"
    assert not (held.base / "beside").exists()
    assert (held.project / "made").exists()
