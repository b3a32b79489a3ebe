"""What is allowed, through the door: project files, trust, modes, malformed rules."""

import json

import pytest
from stranger import call, calls


def policy(stranger, text):
    (stranger.project / ".git").mkdir(exist_ok=True)
    stranger.write(".hermes-v2/policy.toml", text)


def touch(stranger, name="made", *words):
    model = stranger.script(call("Bash", command=f"touch {name}"), {"text": "ok"})
    return stranger.ask("go", *model, *words)


def test_a_cloned_project_loosens_nothing_until_it_is_trusted(stranger):
    policy(stranger, 'allow = ["Bash(touch:*)", "FileWrite(*)"]\n')
    before = touch(stranger)
    assert before.code == 3
    assert not (stranger.project / "made").exists()
    (notice,) = before.of("notice")
    assert "not trusted" in notice["text"]
    assert "Bash(touch:*)" in notice["text"]
    trusted = stranger.run("policy", "trust", "--json", check=True)
    assert json.loads(trusted.out)["trusted"] is True
    after = touch(stranger)
    assert after.code == 0
    assert after.of("notice") == []
    assert (stranger.project / "made").exists()
    policy(stranger, 'allow = ["Bash(touch:*)", "Bash(rm:*)"]\n')  # changed: trusted no more
    assert touch(stranger, "again").code == 3
    assert not (stranger.project / "again").exists()


def test_a_project_may_tighten_without_trust(stranger):
    policy(stranger, 'deny = ["FileRead(*.key)", "Bash(touch:*)"]\n')
    stranger.write("a.key", "secret\n")
    model = stranger.script(call("FileRead", path="a.key"), {"text": "ok"})
    done = stranger.ask("go", *model, "--yes")
    assert done.code == 3
    assert "secret" not in done.out
    assert touch(stranger, "made", "--yes").code == 3


def test_a_broken_policy_file_closes_everything(stranger):
    policy(stranger, "allow = [\n")
    done = touch(stranger, "made", "--yes")
    assert done.code == 3
    assert "policy.toml" in done.of("notice")[0]["text"]
    assert not (stranger.project / "made").exists()


@pytest.mark.parametrize("rule", ["Bash(touch:*", "Bash touch", "", "Bash()x"])
def test_a_malformed_rule_denies_and_is_named(stranger, rule):
    stranger.config(f"[rules]\nallow = [{json.dumps(rule)}]\n")
    done = touch(stranger, "made", "--yes")
    assert done.code == 3, done
    assert not (stranger.project / "made").exists()
    told = json.dumps([e.get("result", e.get("text", "")) for e in done.events])
    assert "malformed" in told
    assert json.dumps(rule)[1:-1] in told
    shown = stranger.run("policy", "show", "--json", check=True)
    assert "malformed" in shown.out


def test_a_malformed_rule_of_another_tool_is_named(stranger):
    stranger.config('[rules]\nallow = ["FileRead(*.md"]\n')
    done = touch(stranger, "made.md", "--yes")
    assert done.code == 0
    assert any("FileRead(*.md" in event["text"] for event in done.of("notice"))
    model = stranger.script(call("FileRead", path="made.md"), {"text": "ok"})
    assert stranger.ask("go", *model, "--yes").code == 3


def test_a_malformed_rule_on_writing_denies_every_file(stranger):
    stranger.config('[rules]\nallow = ["FileWrite(*.md"]\n')
    model = stranger.script(call("FileWrite", path="a.txt", content="x"), {"text": "ok"})
    assert stranger.ask("go", *model, "--yes").code == 3
    assert not (stranger.project / "a.txt").exists()


def test_the_persons_own_rules_hold(stranger):
    stranger.config('[rules]\nallow = ["Bash(touch:*)"]\ndeny = ["Bash(touch secret:*)"]\n')
    assert touch(stranger).code == 0
    assert touch(stranger, "secret", "--yes").code == 3
    assert not (stranger.project / "secret").exists()
    assert touch(stranger, "a; rm made").code == 3
    assert (stranger.project / "made").exists()


@pytest.mark.parametrize(
    ("words", "written", "touched", "code"),
    [
        ((), False, False, 3),
        (("--mode", "read-only"), False, False, 3),
        (("--mode", "read-only", "--yes"), False, False, 3),
        (("--mode", "ask", "--yes"), True, True, 0),
        (("--mode", "auto"), True, False, 3),
        (("--mode", "auto", "--yes"), True, True, 0),
    ],
)
def test_modes(stranger, words, written, touched, code):
    stranger.write("a.txt", "walrus\n")
    model = stranger.script(
        calls(
            ("FileRead", {"path": "a.txt"}),
            ("Bash", {"command": "cat a.txt"}),
            ("FileWrite", {"path": "w", "content": "w"}),
            ("Bash", {"command": "touch t"}),
        ),
        {"text": "ok"},
    )
    done = stranger.ask("go", *model, *words)
    assert (stranger.project / "w").exists() == written
    assert (stranger.project / "t").exists() == touched
    assert done.code == code
    assert [event["ok"] for event in done.of("tool_finished")][:2] == [True, True]


def test_a_mode_changes_no_tools(stranger):
    """What the model is offered is the same in every mode."""
    told = []
    for mode in ("read-only", "ask", "auto"):
        model = stranger.script(call("NoSuchTool"), {"text": "ok"})
        done = stranger.ask("go", *model, "--mode", mode)
        told.append(done.of("tool_finished")[0]["result"])
    assert len(set(told)) == 1
