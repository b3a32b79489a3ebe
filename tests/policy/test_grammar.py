import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.load import load
from hermes.policy.command import ParsedCommand, Unparseable


def parse(text: str) -> ParsedCommand | Unparseable:
    found: ParsedCommand | Unparseable = load("shell_grammar").parse(text)
    return found


def heads(text: str) -> list[str]:
    found = parse(text)
    assert isinstance(found, ParsedCommand), found
    return [part.texts[0] for part in found.parts if part.words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a; b && c || d & e | f |& g\nh", [*"abcdefgh"]),
        ("(a; b); { c; }; ! d", [*"abcd"]),
        ("if a; then b; elif c; then d; else e; fi", [*"abcde"]),
        ("while a; do b; done; until c; do d; done", [*"abcd"]),
        ("for i in x $(a); do b; done", ["a", "b"]),
        ("case $(a) in x) b;; *) c;; esac", [*"abc"]),
        ("f() { a; }; function g { b; }; f", [*"abf"]),
        ('a "$(b "$(c)")" `d` <(e) >(f)', [*"abcdef"]),
        ("a ${x:-$(b)} $((1 + $(c)))", [*"abc"]),
        ("a <<E\n$(b) ${x:-$(c)}\nE\nd", [*"abcd"]),
        ("a <<'E'\n$(b)\nE\nd", [*"ad"]),
        ("cat <<'E' > f\ncout << x << y;\nE", ["cat"]),
        ("a <<-E | b\n\tx\n\tE", [*"ab"]),
        ('a <<< "$(b)"', [*"ab"]),
        ("A=$(a) B=`b` c", [*"cab"]),
        ("a > $(b) 2>&1 < <(c)", [*"abc"]),
        ('[[ $(a) == x ]] && [ -n "$(b)" ] && c', ["[[", "a", "[", "b", "c"]),
        ("export A=$(a)", ["export", "a"]),
        ('git commit -m "$(cat <<\'E\'\nx (y\nE\n)"', ["git", "cat"]),
    ],
)  # fmt: skip
def test_every_simple_command_is_found(text: str, expected: list[str]) -> None:
    assert heads(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " \n", "a 'b", 'a "b', "a `b", "a $(b", "a &&", "| a", "a ;; ; b", "a )", "then a", "{ a",
     "time { a; }", "time if a; then b; fi", "a \\\n b", "a\rb", "a\0b", "a\x1bb",
     "a\u00a0b", "a\u2028b",
     "a\u200bb", "a\u202eb", "\ufeffa", "a <> b", "a <<E\nx", "a <<E <<F\nx\nE\ny\nF",
     "a <<E\nx `b` ${y}\nE", "a <<$E\nx\n$E", "x" * 70_000, "$(" * 70 + "a" + ")" * 70, "a\ud800b"],
)  # fmt: skip
def test_what_is_not_certain_is_not_parsed(text: str) -> None:
    assert isinstance(parse(text), Unparseable)


@pytest.mark.parametrize(
    "text",
    ["a $b", "a ${b}", "a *", "a b?", "a [b]", "a {b,c}", "a {1..3}", "a ~", "a ~b/c", "a b=~",
     "a $'b'", '$"a"', 'a "$b"', "a `b`", "$a", "l? x", "a$IFS/b", "a !b", 'a "!b"', "(a)",
     "a <<E\nE"],
)  # fmt: skip
def test_expansions_are_never_plain(text: str) -> None:
    found = parse(text)
    assert isinstance(found, ParsedCommand)
    assert not found.plain


def test_words_redirects_and_assignments() -> None:
    found = parse("A=b C='d e' x\\ y 'p'\"q\"r >f 2>>'g h' <i >&2 &>j >|k arg")
    assert isinstance(found, ParsedCommand)
    part = found.parts[0]
    assert found.plain
    assert part.texts == ("x y", "pqr", "arg")
    assert [word.text for word in part.assigns] == ["A=b", "C=d e"]
    assert [(r.op, r.target.text) for r in part.redirects] == [
        (">", "f"), (">>", "g h"), ("<", "i"), (">&", "2"), ("&>", "j"), (">|", "k"),
    ]  # fmt: skip
    assert [r.writes for r in part.redirects] == [True, True, False, False, True, True]


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("ab $\"'`(){}<>|&;\n\\#=E-!*é"), max_size=60))
def test_two_readers_agree_or_nobody_is_believed(text: str) -> None:
    found = parse(text)
    if isinstance(found, ParsedCommand) and found.plain:
        assert all(part.known and not part.strange for part in found.parts)
        assert all(redirect.target.known for part in found.parts for redirect in part.redirects)


def test_long_hostile_texts_end() -> None:
    for text in ("(" * 20_000, "a;" * 20_000, "env " * 10_000, "'" * 20_001, "$(" * 10_000):
        assert parse(text)
