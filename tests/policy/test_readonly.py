import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nasty import NASTY

from hermes.core.tool import Place
from hermes.load import load
from hermes.policy.readonly import bash_effect, bash_reading, git_effect

READS = """
ls
ls -la src
ls -R --color=never
cat README.md src/a.py
head -20 README.md
head -n 5 README.md
tail -n +3 README.md
wc -l README.md
grep -rn "x = 1" src
grep -n -e x -e y README.md
rg -n --type py x src
find . -name '*.py' -type f
find src \\( -name '*.py' -o -name '*.md' \\) -print
git status
git status --short --branch
git diff
git diff --stat HEAD~1 HEAD
git --no-pager log --oneline -5
git log --format=%H%n%an --since=yesterday
git show HEAD
git branch -a
git branch --list 'x*'
git rev-parse --abbrev-ref HEAD
git ls-files
git blame README.md
git stash list
echo hello world
echo "done!"
printf '%s\\n' a
pwd
date +%Y
true && false || echo no
test -f README.md && cat README.md
sed -n '1,5p' README.md
sort README.md | uniq -c | sort -rn | head -5
cat README.md 2>/dev/null
ls nothing > /dev/null 2>&1
cat < README.md
cd src && ls && cat a.py
cd src; cat a.py
timeout 5 ls
time ls -l
nice -n 5 cat README.md
LC_ALL=C sort README.md
env LC_ALL=C sort README.md
command -v git
jq .a README.md
# a remark
ls # a remark
sha256sum README.md
stat -c %s README.md
! grep -q x README.md
""".strip().splitlines()


def is_read_only(command: str, place: Place) -> bool:
    """Whether it only reads, and only inside the project root."""
    found = bash_reading(command, place)
    return found is not None and not found.outside


@pytest.mark.parametrize("command", READS)
def test_plain_reads_are_known(command: str, place: Place) -> None:
    assert is_read_only(command, place)
    assert bash_effect(command, place) == "read"


@pytest.mark.parametrize("command", NASTY)
def test_nasty_commands_are_not_known_to_read(command: str, place: Place) -> None:
    assert not is_read_only(command, place)


def test_reads_outside_are_reads_but_no_plain_ones(place: Place) -> None:
    for command in ("cat /etc/hosts", "cat ../outside/key", "ls ..", "cd / && ls", "git diff /x"):
        assert bash_effect(command, place) == "read"
        assert not is_read_only(command, place)


def test_links_are_followed_before_judging(place: Place) -> None:
    (place.root / "link").symlink_to(place.root.parent / "outside")
    (place.root / "key").symlink_to("../outside/key")
    (place.root / "dangling").symlink_to("../outside/not-there")
    for command in ("cat link/key", "cat key", "cat dangling", "ls link", "cd link && ls"):
        assert not is_read_only(command, place)
    assert is_read_only("ls -l README.md", place)


def test_a_root_that_is_a_link(place: Place, tmp_path: Path) -> None:
    (tmp_path / "door").symlink_to(place.root)
    linked = Place(tmp_path / "door", tmp_path / "door")
    assert is_read_only("cat README.md", linked)
    assert not is_read_only("cat ../outside/key", linked)


def test_a_repository_hidden_in_the_tree_brings_its_own_programs(place: Place) -> None:
    hidden = place.root / "src"
    assert is_read_only("git status", Place(hidden, place.root))
    (hidden / "objects").mkdir()
    (hidden / "HEAD").write_text("ref: refs/heads/main\n")
    assert not is_read_only("git status", Place(hidden, place.root))
    assert is_read_only("git status", place)


def test_a_directory_is_no_file_to_compare(place: Place) -> None:
    assert not is_read_only("diff src src", place)
    assert is_read_only("diff README.md src/a.py", place)


def test_the_git_tool_leaves_its_first_word_out(place: Place) -> None:
    assert git_effect("log --oneline", place) == "read"
    assert git_effect("commit -m x", place) == "write"


SAFE = ["ls", "cat README.md", "git status", "echo hi", "wc -l README.md"]
BAD = ["rm x", "curl evil", "tee f", "sh", "python x", "git push", "mv a b", "frobnicate"]
JOINTS = [";", "&&", "||", "|", "|&", "&", "\n", " ; ", " && ", "; # x\n"]
FRAMES = [
    "{}",
    "({})",
    "{{ {}; }}",
    "echo $({})",
    'echo "$({})"',
    "echo `{}`",
    "cat <({})",
    "if true; then {}; fi",
    "for i in 1; do {}; done",
    "! {}",
    "time {}",
    "timeout 5 {}",
    "nice {}",
    "env {}",
    "LC_ALL=C {}",
    "command {}",
    "xargs {}",
    "bash -c '{}'",
    "cat <<E\n$({})\nE",
    "f() {{ {}; }}; f",
]


@st.composite
def composed(draw: st.DrawFn) -> str:
    bad = draw(st.sampled_from(BAD))
    for frame in draw(st.lists(st.sampled_from(FRAMES), max_size=3)):
        bad = frame.format(bad)
    before = draw(st.lists(st.sampled_from(SAFE), max_size=3))
    after = draw(st.lists(st.sampled_from(SAFE), max_size=2))
    text = ""
    for piece in [*before, bad, *after]:
        text += (draw(st.sampled_from(JOINTS)) if text else "") + piece
    return text


HERE = Place(Path("/nowhere/project"), Path("/nowhere/project"))


@settings(max_examples=300)
@given(composed())
def test_no_composition_hides_a_command(command: str) -> None:
    assert not is_read_only(command, HERE)
    assert bash_effect(command, HERE) == "write"


@settings(max_examples=400)
@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from([*"'\"`$(){}[]<>|&;#!~*?\\ \n\t=-", "<<E", "E\n", "ls", "a", "for", "do"]),
        max_size=25,
    ).map("".join)
)
def test_any_text_is_answered(command: str) -> None:
    assert bash_effect(command, HERE) in {"read", "write"}


def _shell_words(arguments: str) -> list[str] | None:
    """What bash itself makes of the words; None when it refuses them."""
    ran = subprocess.run(
        ["bash", "--norc", "-c", f"printf '%s\\0' {arguments}"], capture_output=True, check=False
    )
    return ran.stdout.decode().split("\0")[:-1] if ran.returncode == 0 else None


def test_words_are_those_of_bash() -> None:
    pieces = ["a", "b c", "'d e'", '"f g"', "\\ ", '\\"', "#", " #x", "=", "{}", "''", '"\\$"', "!",
              "^", "%", "@", "~", " ~", ":", "é", "1,2",
              '"\\a"', "\\a", "[", "]", "}", "-", "a=b"]  # fmt: skip
    seen = 0
    for one in pieces:
        for two in pieces:
            text = f"x{one} {two}y{one}{two}"
            parsed = load("shell_grammar").parse(f"printf '%s\\0' {text}")
            if not getattr(parsed, "plain", False) or (one + two).count("#") > 1:
                continue
            seen += 1
            if seen % 4 == 0:
                assert [w.text for w in parsed.parts[0].words[2:]] == _shell_words(text), text
    assert seen > 100
