import json
import os
import re
import signal
import tomllib
from pathlib import Path

import anyio
import pytest

from hermes.config import Settings
from hermes.core.event import TurnFinished, TurnStarted, Usage
from hermes.core.request import TurnRequest
from hermes.errors import ConversationUnknown
from hermes.gateway.terminal import run_terminal
from hermes.gateway.terminal_approval import parse
from hermes.gateway.terminal_models import has_model, keep_model
from hermes.gateway.terminal_pick import fuzzy
from hermes.testing.door import ScriptedDoor
from hermes.testing.terminal import piped_terminal

CONVERSATION = "0199a000-0000-7000-8000-000000000001"
COPY = "0199a000-0000-7000-8000-000000000002"
SHOWN = {
    "id": CONVERSATION,
    "title": "A talk",
    "messages": [
        {"role": "user", "parts": [{"type": "text", "text": "hello there"}]},
        {"role": "assistant", "parts": [{"type": "text", "text": "general **answer**"}]},
    ],
}
PLAN = {
    "turn_id": "t",
    "text": "replace X with Y",
    "files": [
        {"path": "a.md", "state": "clean", "diff": "-Y\n+X\n"},
        {"path": "b.md", "state": "changed", "diff": ""},
    ],
    "unknown": ["Bash"],
}


@pytest.fixture
def terminal():
    with piped_terminal() as opened:
        yield opened


async def chat(terminal, tmp_path, keys, *, answers=None, turns=(), **request):
    door = ScriptedDoor(
        turns,
        {"conversations.show": SHOWN, "models.list": []} | (answers or {}),
        {"model": "m", "context": {"used": 100, "window": 1000}, "clients": 2},
    )
    fields = {"model": "scripted:x", "conversation_id": CONVERSATION} | request
    config = tmp_path / "config"
    settings = Settings(data_dir=tmp_path, config_dir=config, runtime_dir=tmp_path)
    await terminal.type(keys)
    asked = TurnRequest(turn_id="", text="", cwd=str(tmp_path), root="/project", **fields)
    with anyio.fail_after(15):
        await run_terminal(
            door,
            settings,
            asked,
            environ={"TERM": "xterm"},
            streams=(terminal.input, terminal.output),
        )
    return door


async def say(door, asked):
    head = {"conversation_id": asked.conversation_id or COPY, "turn_id": asked.turn_id, "at": 1}
    yield TurnStarted(**head)
    yield TurnFinished(**head, text="ok", usage=Usage())


def leaving(terminal):
    async def turn(door, asked):
        async for event in say(door, asked):
            yield event
        await terminal.type("/quit\r")

    return turn


async def test_resuming_shows_the_last_messages(tmp_path, terminal):
    await chat(terminal, tmp_path, "/quit\r")
    assert "› hello there" in terminal.text  # noqa: RUF001
    assert "general answer" in terminal.text


async def test_resume_picks_from_a_filtered_list(tmp_path, terminal):
    listed = [{"id": "other", "title": "Weather"}, {"id": CONVERSATION, "title": "A talk"}]
    door = await chat(
        terminal,
        tmp_path,
        "/resume\rtlk\r/quit\r",
        answers={"conversations.list": listed},
        conversation_id="",
    )
    assert door.asked("conversations.show") == [{"id": CONVERSATION}]
    assert "general answer" in terminal.text


async def test_leaving_a_list_changes_nothing(tmp_path, terminal):
    listed = [{"id": "other", "title": "Weather"}]
    door = await chat(
        terminal,
        tmp_path,
        "/resume\r\x03/quit\r",
        answers={"conversations.list": listed},
        conversation_id="",
    )
    assert door.asked("conversations.show") == []


async def test_what_an_owner_refuses_is_said_and_the_chat_goes_on(tmp_path, terminal):
    gone = ConversationUnknown("no conversation has this id", "see /resume")
    answers = {"conversations.show": gone}
    await chat(terminal, tmp_path, "/resume x\r/mode\r/quit\r", answers=answers, conversation_id="")
    assert "no conversation has this id" in terminal.text
    assert "see /resume" in terminal.text
    assert "mode auto" in terminal.text


@pytest.mark.parametrize(("word", "applies"), [("y", [False, True]), ("n", [False])])
async def test_undo_shows_what_it_would_do_and_asks(tmp_path, terminal, word, applies):
    def undo(*, apply, **_):
        return PLAN | {"applied": apply}

    door = await chat(
        terminal, tmp_path, f"/undo\r{word}\r/quit\r", answers={"conversations.undo": undo}
    )
    assert [a["apply"] for a in door.asked("conversations.undo")] == applies
    for words in ("+X", "a.md goes back", "b.md was changed since", "what Bash did is not known"):
        assert words in terminal.text


async def test_choices_travel_with_the_next_turn(tmp_path, terminal):
    answers = {"skin.get": {"name": "plain"}, "conversations.private": {}}
    keys = "/mode read-only\r/model other.gguf\r/skin plain\r/private\rgo\r"
    door = await chat(terminal, tmp_path, keys, answers=answers, turns=[leaving(terminal)])
    sent = door.requests[0]
    assert (sent.mode, sent.model, sent.skin, sent.private) == (
        "read-only",
        "other.gguf",
        "plain",
        True,
    )
    assert door.asked("conversations.private") == [{"id": CONVERSATION, "on": True}]


async def test_model_chooses_from_those_there_are(tmp_path, terminal):
    models = [{"model": "ember", "current": True}, {"model": "http://h:1/v1#llama", "window": 8192}]
    door = await chat(
        terminal,
        tmp_path,
        "/model\r\x1b[B\rgo\r",
        answers={"models.list": models},
        turns=[leaving(terminal)],
    )
    assert door.requests[0].model == "http://h:1/v1#llama"


async def test_fork_and_new_lead_elsewhere(tmp_path, terminal):
    door = await chat(
        terminal,
        tmp_path,
        "/fork\rgo\r",
        answers={"conversations.fork": {"id": COPY}},
        turns=[leaving(terminal)],
    )
    assert door.requests[0].conversation_id == COPY


async def test_new_starts_without_a_conversation(tmp_path, terminal):
    door = await chat(terminal, tmp_path, "/new\rgo\r", turns=[leaving(terminal)])
    assert door.requests[0].conversation_id == ""


async def test_the_manual_has_every_command(tmp_path, terminal):
    await chat(terminal, tmp_path, "/help\r/quit\r")
    page = Path(__file__).parents[2] / "docs" / "terminal.md"
    documented = re.findall(r"^\| `/(\w+)", page.read_text(), re.MULTILINE)
    helped = re.findall(r"^  /(\w+)", terminal.text.replace("\r", ""), re.MULTILINE)
    assert documented == helped


async def test_a_running_turn_keeps_its_conversation(tmp_path, terminal):
    async def turn(door, asked):
        head = {"conversation_id": CONVERSATION, "turn_id": asked.turn_id, "at": 1}
        yield TurnStarted(**head)
        await terminal.type("/new\rlater\r/stop\r")
        await door.stopped.wait()
        yield TurnFinished(**head, text="ok", usage=Usage())
        await terminal.type("\x15/quit\r")

    door = await chat(terminal, tmp_path, "go\r", turns=[turn])
    assert "/stop it before /new" in terminal.text
    assert [request.text for request in door.requests] == ["go"]


async def test_search_memory_context_status_and_help(tmp_path, terminal):
    hits = [
        {"conversation": CONVERSATION, "at": "2026", "role": "user", "snippet": "port \x1b[5m80"}
    ]
    size = {
        "profile": "native",
        "window": 4096,
        "total": 420,
        "method": "estimate",
        "parts": [{"name": "system", "tokens": 420, "bytes": 900}],
        "view": {
            "by": "rules",
            "saved": 7_000,
            "digest_bytes": 600,
            "kept": {"messages": 4, "tokens": 300, "shown": 300},
            "shortened": {"messages": 2, "tokens": 2_000, "shown": 160},
            "summarised": {"messages": 30, "tokens": 5_060, "shown": 200},
            "dropped": {"messages": 0, "tokens": 0, "shown": 0},
        },
    }
    answers = {
        "conversations.search": hits,
        "memory.add": {"id": 1},
        "memory.search": [{"id": 1, "content": "the port is 80"}],
        "memory.list": [],
        "memory.forget": {"id": 7, "erased": False},
        "memory.why": {"least": 0.3, "memories": []},
        "context": size,
    }
    keys = (
        "/search port\r/memory add the port is 80\r/memory port\r/memory\r/memory forget 7\r"
        "/memory why\r"
        "/context\r/status\r/help\r/nonsense\r/quit\r"
    )
    door = await chat(terminal, tmp_path, keys, answers=answers)
    assert door.asked("memory.add") == [{"root": "/project", "content": "the port is 80"}]
    for words in (
        "port 80",
        "the port is 80",
        "nothing is remembered here",
        "no memory has the id 7",
        "420 of 4,096 tokens (10%), native, estimated",
        "7,000 tokens saved, by rules; the store keeps all:",
        "30 messages, 5,060 tokens as 200",
        "100 of 1,000 tokens",
        "/export FILE.md|.json",
        "there is no /nonsense",
    ):
        assert words in terminal.text


async def test_ctrl_c_while_no_prompt_is_open_does_not_end_the_chat(tmp_path, terminal):
    def interrupted(**_):
        os.kill(os.getpid(), signal.SIGINT)
        return []

    before = signal.getsignal(signal.SIGINT)
    keys = "/search a\r/search b\r/quit\r"
    door = await chat(terminal, tmp_path, keys, answers={"conversations.search": interrupted})
    assert len(door.asked("conversations.search")) == 2
    assert signal.getsignal(signal.SIGINT) == before


async def test_export_never_replaces_a_file_unasked(tmp_path, terminal):
    (tmp_path / "there.md").write_text("mine")
    keys = "/export there.md\rn\r/export new.json\r/export new.md\r/quit\r"
    await chat(terminal, tmp_path, keys, answers={"conversations.export": SHOWN})
    assert (tmp_path / "there.md").read_text() == "mine"
    assert json.loads((tmp_path / "new.json").read_text()) == SHOWN
    assert "general **answer**" in (tmp_path / "new.md").read_text()


async def test_the_first_start_offers_local_models_and_keeps_the_choice(tmp_path, terminal):
    models = [{"model": "http://127.0.0.1:11434/v1#llama", "window": 8192}]
    door = await chat(
        terminal,
        tmp_path,
        "llama\rgo\r",
        answers={"models.list": models},
        turns=[leaving(terminal)],
        model="",
    )
    assert door.requests[0].model == "http://127.0.0.1:11434/v1#llama"
    kept = tomllib.loads((tmp_path / "config" / "config.toml").read_text())
    assert kept == {"model": "http://127.0.0.1:11434/v1#llama"}


def test_a_kept_model_leaves_the_rest_of_the_file_alone(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('# mine\nskin = "plain"\n[limits]\nsteps = 3\n')
    assert keep_model(path, 'odd "name"')
    assert path.read_text().endswith('# mine\nskin = "plain"\n[limits]\nsteps = 3\n')
    assert tomllib.loads(path.read_text())["model"] == 'odd "name"'
    assert has_model(path)
    assert not keep_model(path, "another")
    path.write_text("broken = = toml")
    assert not keep_model(path, "x")
    assert path.read_text() == "broken = = toml"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("y", ("yes", "")),
        ("Yes", ("yes", "")),
        ("a", ("always", "")),
        ("n", ("no", "")),
        ("no, use b.md", ("no", "use b.md")),
        ("yes please", None),
        ("yesterday", None),
        ("always look first", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_what_counts_as_an_answer(line, answer):
    assert parse(line) == answer


def test_fuzzy_matching_prefers_what_stands_together():
    rows = ["t-a-l-k", "a talk", "nothing"]
    assert fuzzy("talk", rows) == [1, 0]
    assert fuzzy("", rows) == [0, 1, 2]
    assert fuzzy("zzz", rows) == []


SKILL = {
    "name": "notes",
    "state": "new",
    "description": "Writes\x1b[2J notes.",
    "path": "/p/.agents/skills/notes",
    "files": ["SKILL.md"],
    "body": "\n".join(f"line {n}" for n in range(40)),
    "remarks": ["SKILL.md, line 8: runs what the network sends"],
}


async def test_skills_are_listed_shown_and_approved(terminal, tmp_path):
    answers = {"skills.list": [SKILL], "skills.show": SKILL, "skills.say": SKILL}
    keys = "/skills\r/skills show notes\r/skills approve notes\r/skills what\r/quit\r"
    door = await chat(terminal, tmp_path, keys, answers=answers)
    assert door.asked("skills.list") == [{"root": "/project"}]
    assert door.asked("skills.say") == [{"root": "/project", "name": "notes", "state": "approved"}]
    seen = terminal.text
    assert "  notes, new: Writes notes." in seen
    assert "10 more lines: hermes skills show notes" in seen
    assert "look at this: SKILL.md, line 8" in seen
    assert "notes is approved" in seen
    assert "/skills [show | approve | reject | disable NAME]" in seen
