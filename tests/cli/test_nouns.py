import json
import subprocess

import pytest

from hermes.cli.world import project_root
from hermes.testing.door import ScriptedDoor

TALK = {
    "id": "0199a000",
    "title": "A \x1b[31mtalk",
    "updated": "2026-11-21T03:51:00.000Z",
    "messages": 3,
    "private": False,
}
SHOWN = TALK | {
    "messages": [{"role": "user", "at": "T", "parts": [{"type": "text", "text": "hi\x1b[2J"}]}]
}
JOB = {"id": "j1", "when": "every day", "next_due": "2026-11-22T09:00:00.000Z", "task": "look"}


def door(**answers):
    return ScriptedDoor(answers={name.replace("_", "."): value for name, value in answers.items()})


WHY = {
    "conversation_id": "c1",
    "least": 0.3,
    "memories": [
        {
            "turn": "t1",
            "at": "2026-01-01T00:00:00.000Z",
            "memory": memory,
            "memory_type": "decision",
            "content": content,
            "score": score,
            "why": {"text_rank": 1, "text": score, "relevance": 1.0, "age_days": 2, "words": ["p"]},
            "shown": score > 0.3,
            "said": "which \x1b[5mport?",
        }
        for memory, content, score in ((3, "the port is 80", 0.78), (4, None, 0.2))
    ],
}
NONE = {"conversation_id": "", "least": 0.3, "memories": []}


@pytest.mark.parametrize(
    ("words", "query", "answer", "arguments", "said"),
    [
        ("conversations list --limit 5", "conversations.list", [TALK], {"limit": 5}, "A talk"),
        ("conversations show 0199a000", "conversations.show", SHOWN, {"id": "0199a000"}, "hi\n"),
        ("conversations search hi", "conversations.search", [], {"query": "hi"}, "nothing found"),
        ("conversations export 0199a000", "conversations.export", SHOWN, {}, "## You"),
        ("conversations fork 0199a000", "conversations.fork", TALK, {}, "0199a000"),
        ("conversations private x", "conversations.private", TALK, {"on": True}, "private"),
        ("conversations private x --off", "conversations.private", TALK, {"on": False}, "no lon"),
        ("memory add fact", "memory.add", {"id": 1}, {"content": "fact"}, "remembered"),
        ("memory search fact", "memory.search", [], {"query": "fact"}, "nothing found"),
        ("memory list", "memory.list", [{"id": 1, "content": "fact"}], {"offset": 0}, "fact"),
        ("memory forget 1", "memory.forget", {"erased": True}, {"id": 1}, "forgotten"),
        ("memory why", "memory.why", WHY, {"turns": 5}, "shown 0.78  3  the port is 80"),
        ("memory why --conversation c1", "memory.why", NONE, {"conversation": "c1"}, "no memory"),
        ("jobs list", "jobs.list", [JOB], {}, "every day"),
        ("jobs add tomorrow look", "jobs.add", JOB, {"when": "tomorrow", "task": "look"}, "j1"),
        ("jobs add tomorrow --command ls", "jobs.add", JOB, {"command": "ls"}, "j1"),
        ("jobs cancel j1", "jobs.cancel", {}, {"id": "j1"}, "cancelled"),
        ("jobs runs j1", "jobs.runs", [], {"id": "j1"}, "not run yet"),
        ("skin list", "skins.list", [{"name": "plain"}], {}, "plain"),
        ("skin show plain", "skin.get", {"name": "plain"}, {"name": "plain"}, "name: plain"),
        ("skin show plain", "skin.get", {"colours": {"ok": "red"}}, {"name": "plain"}, "ok red"),
        ("policy show", "policy.show", {"user": {"deny": ["Bash(rm:*)"]}}, {}, "- Bash(rm:*)"),
        ("policy trust", "policy.trust", {"trusted": True}, {}, "trusted: yes"),
    ],
)
def test_every_verb_asks_and_prints(shell, words, query, answer, arguments, said):
    shell.door = ScriptedDoor(answers={query: answer})
    assert shell.run(*words.split()) == 0
    assert shell.door.asked(query)[0].items() >= arguments.items()
    assert said in shell.out
    assert "\x1b" not in shell.out


@pytest.mark.parametrize(
    ("words", "query", "answer"),
    [
        ("conversations list", "conversations.list", [TALK]),
        ("conversations export x", "conversations.export", SHOWN),
        ("memory list", "memory.list", [{"id": 1}]),
        ("jobs list", "jobs.list", [JOB]),
        ("skin show plain", "skin.get", {"name": "plain"}),
        ("policy show", "policy.show", {"rules": []}),
    ],
)
def test_json_is_what_the_owner_answered(shell, words, query, answer):
    shell.door = ScriptedDoor(answers={query: answer})
    assert shell.run(*words.split(), "--json") == 0
    assert json.loads(shell.out) == answer


def test_an_export_is_written_to_a_new_file_only(shell):
    shell.door = door(conversations_export=SHOWN)
    assert shell.run("conversations", "export", "x", "--out", "talk.json") == 0
    assert json.loads((shell.home / "talk.json").read_text()) == SHOWN
    assert shell.run("conversations", "export", "x", "--out", "talk.json") == 2
    assert shell.run("conversations", "export", "x", "--out", "no/where.md") == 2


def test_an_import_reads_a_file_or_a_pipe(shell):
    shell.door = door(conversations_import=TALK)
    (shell.home / "talk.json").write_text(json.dumps(SHOWN))
    assert shell.run("conversations", "import", "talk.json") == 0
    assert shell.run("conversations", "import", "-", stdin=json.dumps(SHOWN)) == 0
    assert shell.door.asked("conversations.import") == [{"data": SHOWN}] * 2
    assert shell.run("conversations", "import", "gone.json") == 2
    assert shell.run("conversations", "import", "-", stdin="{") == 2


def test_usage_errors_of_nouns(shell):
    shell.door = door(memory_forget={"erased": False})
    assert shell.run("jobs", "add", "tomorrow") == 2
    assert shell.run("jobs", "add", "tomorrow", "x", "--command", "y") == 2
    assert shell.run("memory", "forget", "7") == 2
    assert shell.run("memory", "forget", "seven") == 2
    assert shell.run("memory") == 2


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completions_name_every_command(shell, shell_name):
    assert shell.run("completion", shell_name) == 0
    for word in ("conversations", "doctor", "--max-steps", "forget"):
        assert word in shell.out


def test_bash_completes_with_it(shell):
    shell.run("completion", "bash")
    script = shell.out + (
        "COMP_WORDS=(hermes memory fo); COMP_CWORD=2; _hermes; echo ${COMPREPLY[@]}\n"
        "COMP_WORDS=(hermes chat --mo); COMP_CWORD=2; _hermes; echo ${COMPREPLY[@]}\n"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["forget", "--model --mode"]


def test_the_project_is_the_nearest_marked_directory_but_never_all_of_home(tmp_path):
    deep = tmp_path / "home" / "work" / "src"
    deep.mkdir(parents=True)
    home = tmp_path / "home"
    assert project_root(deep, home) == deep
    (home / ".git").mkdir()
    assert project_root(deep, home) == deep
    (home / "work" / ".hermes-v2").mkdir()
    assert project_root(deep, home) == home / "work"
    (deep / ".git").mkdir()
    assert project_root(deep, home) == deep
