import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.model import ToolSpec
from hermes.models.dialects import parse

FIXTURES = Path(__file__).parent / "fixtures"
LIMITED = {"properties": {"path": {"type": "string"}, "limit": {"type": "integer"}}}
NAMES = ("FileWrite", "FileEdit", "Grep", "Bash", "Jobs", "Status")
TOOLS = [ToolSpec("FileRead", "", LIMITED), *(ToolSpec(name, "", {}) for name in NAMES)]


def cases() -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    found = []
    for block in (FIXTURES / "calls.txt").read_text().split("#### ")[1:]:
        title, _, rest = block.partition("\n")
        text, _, expected = rest.rpartition("\n----")
        said, _, calls = expected.partition("\n")
        pairs = [tuple(line.split(" ", 1)) for line in calls.splitlines()]
        found.append((title, text, said.strip().replace("\\n", "\n"), pairs))
    return found


@pytest.mark.parametrize(("title", "text", "said", "calls"), cases(), ids=[c[0] for c in cases()])
def test_what_small_models_write_is_read(title, text, said, calls):
    parsed = parse(text, TOOLS)
    assert parsed.malformed == ""
    assert [(c.name, c.arguments) for c in parsed.calls] == calls
    assert parsed.text == said
    assert len({c.id for c in parsed.calls}) == len(calls)


@pytest.mark.parametrize("text", (FIXTURES / "prose.txt").read_text().split("\n====\n"))
def test_what_is_quoted_or_no_call_stays_text(text):
    parsed = parse(text, TOOLS)
    assert parsed.calls == ()
    assert parsed.malformed == ""
    assert parsed.text == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<tool_call>{"name": "Bash", "arguments": {"command": "ls', "not closed"),
        ('ok\n<tool_call>\n{"name": "Bash", "arguments": [1]}</tool_call>', "no object"),
        ('<tool_call>{"arguments": {}}</tool_call>', "no name"),
        ('<tool_call>{"name": 3, "arguments": {}}</tool_call>', "no name"),
        ('<tool_call>{"name": "Bash"', "breaks off"),
        ("<tool_call>\nBash: ls", "no tool's name"),
        ("<tool_call>" + "[" * 100_000, "nested too deeply"),
        ('<tool_call>{"name": "Bash", "arguments": ' + '{"a":' * 500, "nested too deeply"),
        ("<function=Bash><parameter=command>rm -rf /tmp/x", "not closed"),
        ("<function=Bash>rubbish</function>", "no tool's name"),
        ("<function=Bash><parameter=a>b</parameter>rubbish", "not closed"),
        ('{"name": "Bash"', "breaks off"),
        ('<|tool_call>call:Bash{command:<|"|>ls}<tool_call|>', "not closed"),
        ('{"name": "Bash", "arguments": {"command": "ls', "not closed"),
        ('[Bash(command="ls', "not closed"),
        ('[Bash("ls")]', "expected '='"),
        ('<tool_call>{"name": "Jobs", "arguments": {}}</tool_call>' * 65, "64 calls"),
        ("[" + "Jobs()," * 65 + "]", "64 calls"),
    ],
)
def test_a_begun_call_that_cannot_be_read_says_why(text, says):
    parsed = parse(text, TOOLS)
    assert says in parsed.malformed
    assert parsed.calls == ()
    assert "<tool_call>" not in parsed.text


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "Bash", "arguments": {"command": "rm -rf build"',
        '{"name": "Bash", "arguments": {"command": "rm -rf build"',
        '[Bash(command="rm -rf build"',
        "<function=Bash><parameter=command>rm -rf build</parameter>",
    ],
)
def test_a_call_cut_at_the_token_limit_is_no_call(text):
    assert parse(text, TOOLS).calls
    cut = parse(text, TOOLS, cut=True)
    assert cut.calls == ()
    assert "token limit" in cut.malformed


def test_a_whole_call_before_the_token_limit_counts():
    text = '<tool_call>{"name": "Jobs", "arguments": {}}</tool_call>'
    assert len(parse(text, TOOLS, cut=True).calls) == 1


def test_without_tools_nothing_is_a_call():
    text = '<tool_call>{"name": "Bash", "arguments": {"command": "ls"}}</tool_call>'
    assert parse(text, []).text == text


def test_a_neutralised_marker_is_no_call():
    text = '<\u200btool_call>{"name": "Bash", "arguments": {"command": "rm"}}</tool_call>'
    assert parse(text, TOOLS).calls == ()


PIECES = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        "<function=Bash>",
        "<parameter=a>",
        "</parameter>",
        "</function>",
        "<|tool_call>",
        "call:Bash",
        "<tool_call|>",
        '<|"|>',
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
        '{"name": "Bash", "arguments": {"command": "ls"}}',
        '{"name":',
        '"arguments":',
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        '"',
        "'",
        "\\",
        "\\u",
        ":",
        ",",
        "=",
        "Bash",
        "Bash(",
        "Jobs",
        "1e999",
        "-",
        "True",
        "null",
        "\n",
        "```",
        "`",
        "```json\n",
        " ",
        "\ud800",
        "x" * 30,
    ]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join), st.booleans())
def test_any_text_is_read_without_a_crash(text, cut):
    parsed = parse(text, TOOLS, cut=cut)
    assert not (parsed.calls and parsed.malformed)
    assert len(parsed.calls) <= 64
    letters = iter(text)
    assert all(letter in letters for letter in parsed.text)  # nothing is added or moved


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=10) | st.integers(), max_size=3))
def test_valid_arguments_come_through_byte_for_byte(arguments):
    text = json.dumps(arguments)
    (call,) = parse(f'<tool_call>{{"name": "Bash", "arguments": {text}}}</tool_call>', TOOLS).calls
    assert call.arguments == text


HOSTILE = {
    "brackets": "<tool_call>" + "[" * 5_000_000,
    "openers": "<tool_call>" * 400_000,
    "talk": "a <tool_call> b " * 300_000,
    "functions": "<function=Bash><parameter=a>" * 200_000,
    "fences": "```\n" * 1_000_000,
    "backticks": "`" * 5_000_000,
    "spans": "`a " * 1_500_000 + "<tool_call>{}",
    "blanks": "<tool_call>" + " " * 5_000_000,
    "quotes": '<tool_call>{"name": "' + '\\"' * 2_500_000,
    "string": '<tool_call>{"name": "Bash", "arguments": {"command": "' + "x" * 5_000_000,
    "items": '{"name": "Bash", "arguments": [' + "1," * 2_500_000,
    "bare": "{" * 5_000_000,
    "gemma": "<|tool_call>call:Bash{" * 200_000,
    "ends": "<function=A><parameter=b>" + "</parameter>x" * 400_000,
    "lists": "[Bash(" * 800_000,
    "calls": '<tool_call>{"name": "Jobs", "arguments": {}}</tool_call>\n' * 80_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_megabytes_take_linear_time(name):
    """A quadratic reader would need hours and run into the suite's time-out."""
    assert parse(HOSTILE[name], TOOLS).calls == ()
