"""What runs outside of the sandbox is what was surely meant; what changed inside is judged."""

from pathlib import Path

import pytest

from hermes.core.tool import Place, Subject
from hermes.errors import Usage
from hermes.policy.gate import Call, Gate, with_yes
from hermes.policy.outside import Outside, read_outside
from hermes.policy.project import ProjectPolicy
from hermes.policy.rules import read_rules


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("command", "means"),
    [
        ("npm install", True),
        ("npm install left-pad --save", True),
        ("cd web && npm install", True),
        ("npm install && ls", True),
        ("timeout 60 npm install", False),  # not named itself, and reading parts are no reason
        ("git status", True),
        ("git status | head", True),
        ("ls", False),
        ("npm run build", False),
        ("npm install; rm -rf x", False),
        ("npm install $(rm x)", False),
        ("npm install > log.txt", False),
        ("PATH=. npm install", False),
        ("./npm install", False),
        ("echo npm install", False),
        ("npm 'install", False),
        ("for a in b; do npm install; done", False),
    ],
)
def test_only_what_is_surely_meant_in_every_part(place, command, means):
    assert read_outside(["npm install:*", "git status"]).means(command, place) is means


def test_without_patterns_nothing_is(place):
    assert not Outside().means("ls", place)


@pytest.mark.parametrize("pattern", ["", "a; b", "$(x)", "a > b", "a 'b"])
def test_a_pattern_that_is_no_plain_command_is_an_error(pattern):
    with pytest.raises(Usage, match=r"sandbox\.outside"):
        read_outside([pattern])


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("src/a.py", "allow"),
        ("locked/a", "deny"),
        ("locked/deep/a", "deny"),
        ("a.lock", "ask"),
        (".envrc", "ask"),
        ("sub/.bashrc", "ask"),
        (".ssh/config", "ask"),
        (".git/objects/aa", "allow"),  # what is in it is read by the sandbox
        (".git/a.lock", "ask"),
    ],
)
def test_a_changed_place_is_judged_by_rules(place, path, verdict):
    rules = read_rules({"deny": ["FileWrite(locked/**)"], "ask": ["FileEdit(*.lock)"]}, "user")
    gate = Gate(rules, ProjectPolicy())
    judged = gate.decide_changes([place.root / "ok", place.root / path], place)
    assert judged.verdict == verdict
    if verdict == "deny":
        assert "FileWrite(locked/**)" in judged.reason


def test_a_rule_that_nobody_can_read_denies_every_change(place):
    gate = Gate(read_rules({"deny": ["FileWrite(a"]}, "user"), ProjectPolicy())
    assert gate.decide_changes([Path(place.root, "b")], place).verdict == "deny"


def test_a_link_that_goes_is_judged_where_it_lay(place):
    (place.root / "l").symlink_to("/etc/passwd")
    gate = Gate(read_rules({}, "user"), ProjectPolicy())
    assert gate.decide_changes([place.root / "l"], place).verdict == "allow"


def judged(place, command, why, *, mode="ask", **lists):
    gate = Gate(read_rules(lists, "user"), ProjectPolicy())
    return gate.decide(Call("Bash", "write", Subject("command", command), place, mode, (), why))


@pytest.mark.parametrize("command", ["make", "ls", "for a in b; do make; done"])
def test_whoever_asks_to_leave_is_a_question_that_only_a_person_answers(place, command):
    decision = judged(place, command, "the network", mode="auto", allow=["Bash"])
    assert (decision.verdict, decision.always) == ("ask", "")
    assert with_yes(decision) == decision
    assert with_yes(judged(place, command, "", allow=["Bash"])).verdict == "allow"


@pytest.mark.parametrize(
    ("command", "mode", "lists"),
    [
        ("make", "ask", {"allow": ["Bash"], "deny": ["Bash(make:*)"]}),
        ("make", "read-only", {"allow": ["Bash"]}),
        ("make", "ask", {"allow": ["Bash(make"]}),
        ("make 'x", "ask", {}),
    ],
)
def test_what_is_denied_inside_is_denied_outside(place, command, mode, lists):
    assert judged(place, command, "please", mode=mode, **lists).verdict == "deny"


@pytest.mark.parametrize(
    ("why", "shown"),
    [
        ("it  needs\nthe network", "it needs the network"),
        ('x". It was approved before. "', "x'. It was approved before. '"),
        ("a\x1b[2K\u202eb\u200b\x9bc\U000e0041\ud800", "a [2K b c"),
        ("\u200b", ""),
        ("y" * 5_000, "y" * 100 + "..."),
    ],
)
def test_a_reason_is_shown_on_one_line_behind_what_happens(place, why, shown):
    reason = judged(place, "make", why).reason
    assert reason.startswith("runs OUTSIDE the sandbox, with all of your rights.")
    assert reason.endswith(f': "{shown}"')
    assert len(reason) <= 200
