import os
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.core.tool import Place
from hermes.errors import ToolFailure
from hermes.tools.globs import matcher
from hermes.tools.search import search_tools

needs_rg = pytest.mark.skipif(not shutil.which("rg"), reason="no ripgrep here")


@pytest.fixture
def tools_of(shell, env, rg):
    return lambda way: search_tools(shell, env, rg if way == "rg" else None)


@pytest.fixture(params=["walk", pytest.param("rg", marks=needs_rg)])
def ask(request, bench, tools_of):
    return bench.use(*tools_of(request.param))


@pytest.fixture
def tree(root):
    files = {
        ".gitignore": "*.log\n/build/\n!keep.log\nsecret\n",
        "a.txt": "TODO one\nnothing\n  TODO two\n",
        "a/b.txt": "TODO three\r\nend\r\n",
        "a/.gitignore": "*.tmp\n!x.log\n",
        "a/x.log": "TODO log\n",
        "a/y.tmp": "TODO tmp\n",
        "a/build/f": "TODO not the top one\n",
        "build/out": "TODO built\n",
        "keep.log": "TODO kept\n",
        "other.log": "TODO other\n",
        ".hidden/file": "TODO hidden\n",
        ".git/config": "TODO git\n",
        "secret/key": "TODO key\n",
        "binary": "TODO\0",
        "z:1:x.txt": "TODO colon\n",
        "two\nlines": "TODO newline\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (root / "latin").write_bytes(b"TODO caf\xe9\n")
    (root / "link").symlink_to("a.txt")
    (root / "linked").symlink_to("a")
    return root


async def test_lines_in_order(ask, tree):
    result = await ask("Grep", pattern="TODO", path=".")
    assert result.text.split("\n") == [
        ".hidden/file:1: TODO hidden",
        "a/b.txt:1: TODO three",
        "a/build/f:1: TODO not the top one",
        "a/x.log:1: TODO log",
        "a.txt:1: TODO one",
        "a.txt:3:   TODO two",
        "keep.log:1: TODO kept",
        "latin:1: TODO caf�",
        "two\\nlines:1: TODO newline",
        "z:1:x.txt:1: TODO colon",
    ]


@needs_rg
async def test_what_ripgrep_says_beside_is_no_path(bench, tools_of, root):
    (root / "a").write_bytes(b"hit one\n" + b"x\n" * 100_000 + b"\0")
    (root / "b").write_text("hit two\n")
    found = await bench.use(*tools_of("rg"))("Grep", pattern="hit")
    assert found.text == "a:1: hit one\nb:1: hit two"


async def test_a_file_or_a_directory_by_name(ask, tree):
    assert (await ask("Grep", pattern="T.DO t", path="a")).text == "a/b.txt:1: TODO three"
    assert (await ask("Grep", pattern="two$", path="a.txt")).text == "a.txt:3:   TODO two"
    assert (await ask("Grep", pattern="three$", path="linked")).text == "a/b.txt:1: TODO three"
    ignored = await ask("Grep", pattern="TODO", path="build")
    assert ignored.text == "build/out:1: TODO built"


async def test_what_is_found_can_be_read_from_where_one_stands(ask, tree, context):
    ask.context = replace(context, place=Place(tree / "a", tree))
    assert (await ask("Grep", pattern="TODO one", path="..")).text == f"{tree}/a.txt:1: TODO one"
    assert (await ask("Grep", pattern="not the top")).text == "build/f:1: TODO not the top one"


async def test_nothing_and_wrong(ask, tree):
    assert (await ask("Grep", pattern="absent")).text == "nothing found"
    assert (await ask("Grep", pattern="x", path="gone")).text == "error: no such file or directory"
    bad = await ask("Grep", pattern="(unclosed")
    assert bad.text.startswith("error: bad pattern: missing ), unterminated")
    assert not bad.ok
    for pattern in ("x" * 2_000, "a\0b"):
        assert (await ask("Grep", pattern=pattern)).text.startswith("error: bad pattern")
    assert (await ask("Grep", pattern="-e")).text == "nothing found"
    assert (await ask("Grep", pattern="--pre=touch x")).text == "nothing found"


async def test_look_around_works_with_both(ask, tree):
    assert (await ask("Grep", pattern="TODO (?=two)")).text == "a.txt:3:   TODO two"


async def test_many_are_counted_and_long_lines_cut(ask, root):
    (root / "many").write_text("hit\n" * 5_000 + "hit" + "x" * 100_000)
    result = await ask("Grep", 500, pattern="hit")
    assert result.text.startswith("[5001 found]\nmany:1: hit\n")
    assert len(result.text) <= 500
    limited = await ask("Grep", pattern="hit", limit=2)
    assert limited.text == "[5001 found]\nmany:1: hit\nmany:2: hit"
    long = await ask("Grep", pattern="x{50}")
    assert len(long.text) < 400
    assert long.text.endswith("…")


async def test_a_catastrophic_pattern_is_killed(bench, shell, env, root):
    (root / "f").write_text("a" * 5_000 + "\n")
    ask = bench.use(*search_tools(shell, env, None, 1.0))
    result = await ask("Grep", pattern="(a+)+b")
    assert result.text == "error: timed out after 1 s; search a smaller directory"


async def test_directories_that_cannot_be_read_are_passed_over(ask, tree):
    (tree / "a").chmod(0)
    try:
        result = await ask("Grep", pattern="TODO one")
    finally:
        (tree / "a").chmod(0o755)
    assert result.text == "a.txt:1: TODO one"


async def test_glob(ask, tree):
    anywhere = "a.txt\na/b.txt\nz:1:x.txt"
    assert (await ask("Glob", pattern="*.txt")).text == anywhere
    assert (await ask("Glob", pattern="**/*.txt")).text == anywhere
    assert (await ask("Glob", pattern="./*.txt")).text == "a.txt\nz:1:x.txt"
    assert (await ask("Glob", pattern="b.txt")).text == "a/b.txt"
    assert (await ask("Glob", pattern="*.{txt,log}", path="a")).text == "a/b.txt\na/x.log"
    assert (await ask("Glob", pattern="**/out")).text == "nothing found"
    assert (await ask("Glob", pattern="*", path="a.txt")).text == "error: not a directory"
    assert (await ask("Glob", pattern="[")).text == "nothing found"
    assert not (await ask("Glob", pattern="")).ok


async def test_a_hostile_ignore_file_is_read_with_care(ask, root):
    (root / "f").write_text("hit\n")
    (root / ".gitignore").write_bytes(b"\xff\xfe\n!\n[\n\0\n//\nnot-f\n")
    assert (await ask("Grep", pattern="hit")).text == "f:1: hit"


async def test_an_ignore_file_that_is_no_file(bench, shell, env, root):
    (root / "f").write_text("hit\n")
    os.mkfifo(root / ".gitignore")
    ask = bench.use(*search_tools(shell, env, None))
    assert (await ask("Grep", pattern="hit")).text == "f:1: hit"


names = st.sampled_from(["a", "b", "a.py", "b.py", "c.log", "d"])
rules = st.lists(
    st.sampled_from(
        [
            "*.py",
            "!a.py",
            "a/",
            "/a",
            "a/b",
            "**/b",
            "d/**",
            "*",
            "!*/",
            "!b.py",
            "/*.log",
            "# no",
            "",
        ]
    ),
    max_size=4,
)


@needs_rg
@given(
    files=st.lists(st.lists(names, min_size=1, max_size=3), min_size=1, max_size=8),
    ignores=st.dictionaries(st.sampled_from(["", "a", "d"]), rules, max_size=3),
    pattern=st.sampled_from(["hit", "h.t$", r"\bhit\b", "(?i)HIT", r"\d+", "^", "é"]),
    git=st.booleans(),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
async def test_both_ways_give_the_same(bench, tools_of, files, ignores, pattern, git):
    top = Path(tempfile.mkdtemp(dir=bench.context.place.root))
    for number, parts in enumerate(files):
        path = top.joinpath(*parts)
        if any(parent.is_file() for parent in path.parents) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"hit {number}\r\né\nmiss".encode())
    for directory, lines in ignores.items():
        if (top / directory).is_dir():
            (top / directory / ".gitignore").write_text("\n".join(lines))
    if git:
        (top / ".git").mkdir()
    bench.context = replace(bench.context, place=Place(top, bench.context.place.root))
    answers = []
    for way in ("rg", "walk"):
        for name in bench.registry.names():
            bench.registry.remove(name)
        bench.use(*tools_of(way))
        found = await bench("Grep", pattern=pattern)
        answers.append((found.text, (await bench("Glob", pattern="**")).text))
    assert answers[0] == answers[1]


def test_matching_is_never_slow():
    fits = matcher("*a" * 200 + "b")
    assert not fits("a" * 250)
    assert not matcher("**/" * 300 + "x")("/".join("y" * 300))
    with pytest.raises(ToolFailure):
        matcher("{a,b}" * 30)


@given(
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "*", "?", "**", "b*", "[ab]"]), min_size=1, max_size=4),
)
def test_double_stars_agree_with_bash(parts, pattern):
    path, text = "/".join(parts), "/".join(pattern)
    if parts[-1:] and pattern[-1] == "**":
        return  # ours are files only: bash's trailing ** means directories too
    regex = bash_regex(text if "/" in text else f"**/{text}")
    assert matcher(text)(path) == bool(re.fullmatch(regex, path))


def bash_regex(text: str) -> str:
    out = ""
    for part in text.split("/")[:-1]:
        out += "(?:[^/]+/)*" if part == "**" else piece(part) + "/"
    return out + piece(text.rsplit("/", maxsplit=1)[-1])


def piece(part: str) -> str:
    return part.replace("?", "[^/]").replace("*", "[^/]*") if part != "[ab]" else part
