"""A turn narrowed to the tools that instructions name: only ever tighter."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.tool import Place, Subject
from hermes.policy.decision import Call
from hermes.policy.gate import Gate
from hermes.policy.project import ProjectPolicy
from hermes.policy.rules import read_rules

_ORDER = {"allow": 0, "ask": 1, "deny": 2}


def call(tool: str, kind: str, value: str, effect: str = "write", root: Path = Path("/p")) -> Call:
    changes = (root / value,) if kind == "path" and effect == "write" else ()
    place = Place(root, root)
    return Call(tool, effect, Subject(kind, value), place, "auto", changes)  # type: ignore[arg-type] - words of the table


def gate(*rules: str, allow: tuple[str, ...] = ("Bash",), narrow: bool = True) -> Gate:
    made = Gate(read_rules({"allow": allow, "deny": ["Bash(rm:*)"]}, "user"), ProjectPolicy())
    if narrow:
        made.narrow("notes", rules)
    return made


@pytest.mark.parametrize(
    ("rules", "asked", "verdict"),
    [
        (("Bash(git log:*)",), call("Bash", "command", "git log -3"), "allow"),
        (("Bash(git log:*)",), call("Git", "command", "log -3", "read"), "allow"),
        (("Bash(git log:*)",), call("Bash", "command", "git log && touch a"), "ask"),
        (("Bash(git log:*)",), call("Bash", "command", "git push"), "ask"),
        (("FileRead",), call("FileRead", "path", "a.md", "read"), "allow"),
        (("FileRead",), call("Grep", "path", "src", "read"), "allow"),
        (("FileRead(docs/)",), call("FileRead", "path", "docs/a.md", "read"), "allow"),
        (("FileRead(docs/)",), call("FileRead", "path", "a.md", "read"), "ask"),
        (("FileRead",), call("FileWrite", "path", "a.md"), "ask"),
        (("FileWrite(*.md)",), call("FileWrite", "path", "a.md"), "allow"),
        (("FileWrite(*.md)",), call("FileWrite", "path", "a.py"), "ask"),
        (("FileWrite",), call("FileWrite", "path", "/etc/passwd"), "deny"),
        (("Bash",), call("Bash", "command", "rm -rf x"), "deny"),
        (("Bash((",), call("Bash", "command", "ls", "read"), "ask"),
        ((), call("FileRead", "path", "a.md", "read"), "ask"),
        ((), call("Skill", "text", "other", "read"), "allow"),
        (("mcp__a__*",), call("mcp__a__b", "text", "x", "read"), "allow"),
        (("mcp__a__*",), call("mcp__c__b", "text", "x", "read"), "ask"),
    ],
)
def test_what_is_named_goes_on_as_before_and_the_rest_asks(
    rules: tuple[str, ...], asked: Call, verdict: str
) -> None:
    assert gate(*rules).decide(asked).verdict == verdict


def test_what_asks_anyway_asks_as_it_did() -> None:
    asked = call("Remember", "text", "x")
    free = gate(narrow=False).decide(asked)
    assert (free.verdict, free.always) == ("ask", "Remember")
    assert gate("Bash").decide(asked) == replace(free, always="")


def test_two_narrow_together() -> None:
    made = gate("Bash(git:*)")
    made.narrow("other", ("Bash(git log:*)",))
    assert made.decide(call("Bash", "command", "git log")).verdict == "allow"
    assert made.decide(call("Bash", "command", "git status && git push")).verdict == "ask"


def test_always_would_not_help_and_is_not_offered() -> None:
    asked = gate("FileRead", allow=()).decide(call("Bash", "command", "make"))
    assert (asked.verdict, asked.always) == ("ask", "")


_RULES = st.sampled_from(
    [
        "Bash",
        "Bash(git:*)",
        "Bash(rm:*)",
        "FileRead",
        "FileWrite(/etc/)",
        "FileEdit",
        "*",
        "Bash(",
        "",
    ]
)
_CALLS = st.sampled_from(
    [
        call("Bash", "command", "git log"),
        call("Bash", "command", "rm -rf x"),
        call("Bash", "command", "$(x"),
        call("FileWrite", "path", "/etc/passwd"),
        call("FileWrite", "path", "a.md"),
        call("FileRead", "path", "a.md", "read"),
        call("FileRead", "path", "/etc/shadow", "read"),
        call("Remember", "text", "x"),
    ]
)


@given(st.lists(_RULES, max_size=3), _CALLS)
def test_it_never_loosens(rules: list[str], asked: Call) -> None:
    free = gate(narrow=False, allow=()).decide(asked).verdict
    assert _ORDER[gate(*rules, allow=()).decide(asked).verdict] >= _ORDER[free]
