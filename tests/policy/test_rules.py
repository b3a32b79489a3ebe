import re
import tomllib
from pathlib import Path

import pytest

from hermes.policy.patterns import PathPattern, fault
from hermes.policy.rules import Malformed, Rule, parse_rule, read_rules

ROOT = Path("/nowhere/project")


@pytest.mark.parametrize(
    "text",
    ["Bash", "Bash(git:*)", "Bash(npm run test)", "Bash(a 'b c' \\* :*)", "FileEdit(*.md)",
     "FileRead(/etc/hosts)", "mcp__server__*", "Git(commit:*)", "Git", "*", "Fetch(x*)"],
)  # fmt: skip
def test_rules_that_read(text: str) -> None:
    assert isinstance(parse_rule(text, "user"), Rule)


@pytest.mark.parametrize(
    "text",
    ["", "Bash(", "Bash)", "Bash(git", "(x)", "Bash()", "Bash( )", "Bash(git *)", "Bash(*)",
     "Bash(:*)", "Bash(a;b)", "Bash(a && b:*)", "Bash(a | b)", "Bash(A=b c)", "Bash(a > b)",
     "Bash($x)", "Bash('a)", "Bash(git:*) x", "Bash (git)", "mcp__*(x)", "mcp*__x", "FileEdit(~/x)",
     "FileEdit(!x)", "FileEdit(../x)", "FileEdit(a**b)", "FileEdit([a)", "FileEdit([z-a])",
     "FileEdit(a\\b)", "FileEdit(a\nb)", "Bäsh", "Bash(a\nb)", "Bash(a # b)"],
)  # fmt: skip
def test_rules_that_do_not(text: str) -> None:
    found = parse_rule(text, "user")
    assert isinstance(found, Malformed)
    assert found.why


def test_the_rules_in_the_documentation_read() -> None:
    text = Path("docs/policy.md").read_text()
    config = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert config
    lists = tomllib.loads(re.sub("^  ", "", config[1], flags=re.MULTILINE))["rules"]
    assert not read_rules(lists, "user").malformed
    table = text.split("## Scopes")[0]
    rules = [r for line in table.splitlines() if line.startswith("| `")
             for r in re.findall(r"`([^`]+)`", line.split("|")[1])]  # fmt: skip
    assert len(rules) == 11
    assert all(isinstance(parse_rule(rule, "user"), Rule) for rule in rules)


def test_an_unknown_list_is_malformed() -> None:
    assert read_rules({"dney": ["Bash"]}, "user").malformed[0].reaches("FileWrite", writes=True)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.md", ["a.md", "x/y/a.md"], ["a.mdx", "md"]),
        ("src/*.py", ["src/a.py"], ["src/x/a.py", "x/src/a.py"]),
        ("src/**/*.py", ["src/a.py", "src/x/y/a.py"], ["a.py", "src/a.pyc"]),
        ("src/", ["src/a", "x/src/y/a"], ["src", "xsrc/a"]),
        ("a/b/", ["a/b/c"], ["x/a/b/c", "a/b"]),
        ("**/test_*", ["test_a", "x/test_b"], ["x/atest_"]),
        ("./a.py", ["a.py"], ["x/a.py"]),
        ("a?[!b-c].py", ["axd.py", "x/axa.py"], ["axb.py", "a/d.py"]),
        ("a+(b).txt", ["a+(b).txt"], ["aab.txt"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    assert not fault(pattern)
    for text in yes:
        assert PathPattern(pattern).covers(ROOT / text, ROOT), text
        assert PathPattern(pattern).may_cover(ROOT / text, ROOT), text
    for text in no:
        assert not PathPattern(pattern).covers(ROOT / text, ROOT), text


def test_a_name_never_allows_outside_but_denies_there() -> None:
    pattern = PathPattern("*.pem")
    assert not pattern.covers(Path("/etc/a.pem"), ROOT)
    assert pattern.may_cover(Path("/etc/a.pem"), ROOT)
    assert PathPattern("Secrets").may_cover(ROOT / "secrets" / "x", ROOT)
    assert not PathPattern("Secrets").covers(ROOT / "secrets" / "x", ROOT)


def test_absolute_patterns_follow_links(tmp_path: Path) -> None:
    base = tmp_path.resolve()
    (base / "real").mkdir()
    (base / "door").symlink_to("real")
    for text in (f"{base}/door/*.txt", f"{base}/door/a.txt", f"{base}/door/"):
        assert PathPattern(text).covers(base / "real" / "a.txt", ROOT)
        assert not PathPattern(text).covers(base / "other" / "a.txt", ROOT)
