import msgspec
import pytest
from inline_snapshot import snapshot

from hermes.core.event import ApprovalAsked, Compacted, ToolFinished, TurnFailed, Usage
from hermes.gateway.render_event import (
    ASCII,
    UNICODE,
    approval_lines,
    arguments_line,
    call_line,
    compacted_line,
    failed_lines,
    marks_for,
    result_line,
    usage_line,
)

HEAD = {"conversation_id": "c", "turn_id": "t", "at": 0}


def finished(result, *, ok=True, denied=False, name="FileRead"):
    return ToolFinished(
        **HEAD, call_id="1", name=name, ok=ok, denied=denied, result=result, truncated=False
    )


def test_call_lines():
    assert [
        call_line("FileRead", {"path": "README.md"}, UNICODE),
        call_line("Grep", {"pattern": "x y", "path": "src", "limit": 5}, ASCII),
        call_line("Jobs", {}, UNICODE),
        call_line("Bash", '{"command": "ls', UNICODE),
        call_line("Ev\x1b[2Jil", {"a": "\x1b]0;x\x07"}, UNICODE),
    ] == snapshot(
        [
            "● FileRead README.md",
            "* Grep x y path=src limit=5",
            "● Jobs",
            '● Bash {"command": "ls',
            "● Ev\\x1b[2Jil a=\\x1b]0;x\\x07",
        ]
    )


def test_result_lines():
    assert [
        result_line(finished("[120 lines]\nfirst\nsecond"), UNICODE, {"path": "a"}),
        result_line(finished("wrote 12 bytes", name="FileWrite"), UNICODE),
        result_line(finished("one\ntwo\n"), ASCII),
        result_line(finished("error: no such file or directory", ok=False), UNICODE),
        result_line(finished("error: refused by the person", ok=False, denied=True), UNICODE),
        result_line(finished(""), ASCII),
        result_line(finished("a\nb\nexit code 2", name="Bash"), UNICODE, {"command": "ls x"}),
        result_line(finished("a\nexit code 0", name="Bash"), UNICODE),
        result_line(finished("[900 lines]\nz\nexit code 1", name="Bash"), UNICODE),
        result_line(finished("exit code 0", name="Bash"), UNICODE, {"command": "x" * 90}, 40),
    ] == snapshot(
        [
            "✓ FileRead a · 120 lines",
            "✓ FileWrite · wrote 12 bytes",
            "+ FileRead - 2 lines",
            "✗ FileRead · no such file or directory",
            "⊘ FileRead · refused by the person",
            "+ FileRead - nothing",
            "✓ Bash ls x · 2 lines, exit code 2",
            "✓ Bash · a",
            "✓ Bash · 900 lines, exit code 1",
            "✓ Bash xxxxxxxxxxxxxxx... · exit code 0",
        ]
    )


def test_an_approval_shows_all_of_what_is_asked():
    asked = ApprovalAsked(
        **HEAD,
        call_id="1",
        name="Bash",
        arguments={"command": "ls\nrm -rf \x1b[8mhidden", "timeout": 5},
        rule="Bash(ls:*)",
        reason="commands ask",
    )
    assert approval_lines(asked, ASCII) == snapshot(
        [
            "? Bash needs your word: commands ask",
            "    command:",
            "    | ls",
            "    | rm -rf \\x1b[8mhidden",
            "    timeout: 5",
            "  y once   n [reason] no   d diff   a always: Bash(ls:*)",
        ]
    )
    once = approval_lines(msgspec.structs.replace(asked, rule=""), ASCII)
    assert once[-1] == "  y once   n [reason] no   d diff"


def test_other_lines():
    failed = TurnFailed(**HEAD, error="the engine died", remedy="say it again")
    ended = TurnFailed(**HEAD, error="stopped", remedy="", kind="TurnStopped")
    assert failed_lines(ended, ASCII) == ["- stopped"]
    assert failed_lines(failed, ASCII) == ["x the engine died", "  say it again"]
    assert usage_line(Usage(), ASCII) == ""
    assert usage_line(Usage(1204, 1100, 57, 1, 10, 2100), ASCII) == snapshot(
        "1 step - 1,204 tokens in (1,100 cached), 57 out - 2.1 s"
    )
    compacted = Compacted(**HEAD, elided_results=2, dropped_turns=1, saved_tokens=900)
    assert "900 tokens" in compacted_line(compacted, ASCII)
    summed = msgspec.structs.replace(compacted, by="qwen\x1b[5m", digest_bytes=640)
    line = compacted_line(summed, ASCII)
    assert "640 bytes tell of them (summed up by qwen" in line
    assert "\x1b" not in line
    full = msgspec.structs.replace(compacted, by="limit")
    assert "the window was full" in compacted_line(full, ASCII)


def test_a_long_argument_is_cut():
    assert len(arguments_line({"content": "x" * 500}, 60)) == 60


@pytest.mark.parametrize(
    ("encoding", "marks"),
    [("utf-8", UNICODE), ("latin-1", ASCII), ("ascii", ASCII), (None, ASCII), ("no-such", ASCII)],
)
def test_marks_follow_the_encoding(encoding, marks):
    assert marks_for(encoding) is marks
