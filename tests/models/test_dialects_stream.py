from hypothesis import example, given
from hypothesis import strategies as st

from hermes.core.model import ToolSpec
from hermes.models.dialects import parse
from hermes.models.holdback import Holdback

TOOLS = [ToolSpec(name, "", {"type": "object"}) for name in ("FileRead", "Bash", "Jobs")]
NAMES = [tool.name for tool in TOOLS]
CALL = '<tool_call>\n{"name": "Bash", "arguments": {"command": "ls"}}\n</tool_call>'
FRAGMENTS = st.sampled_from(
    [
        "Hello",
        " ",
        "\n",
        "\n\n",
        "`",
        "``",
        "```",
        "```json\n",
        "~~~\n",
        "<",
        "<tool",
        "_call>",
        "<b>",
        "<function=Bash>",
        "<|tool_call>",
        CALL,
        "[",
        "[1]",
        "Bash(",
        "{",
        '{"name": "Bash"}',
        "}",
        "]",
        "a < b",
        "<think>",
        "</think>",
        "<start_function_call>",
        "x" * 40,
        "é\U0001f600",
        "<|python_tag|>",
    ]
)
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=4)), max_size=25).map("".join)


def shown(holdback: Holdback, text: str, *, thought: bool = False) -> str:
    return "".join(p.text for p in holdback.feed(text) if p.thought == thought)


def stream(text: str, sizes: list[int]) -> tuple[str, Holdback]:
    holdback, out, place = Holdback(NAMES), "", 0
    while place < len(text):
        size = sizes[place % len(sizes)]
        out += shown(holdback, text[place : place + size])
        place += size
    return out, holdback


@given(TEXTS, st.lists(st.integers(1, 12), min_size=1, max_size=5))
@example("a `b <tool_call>{}` c\n" + CALL, [3])
@example('[0{"name": "Bash"}', [1])
@example('[see Bash("x")]', [1])
@example("```\n" + CALL + "\n```\n" + CALL, [1])
@example("I read it.\n\n" + CALL, [2])
def test_what_was_shown_begins_the_final_text(text, sizes):
    out, holdback = stream(text, sizes)
    final = parse(holdback.answer, TOOLS).text
    assert final.startswith(out)


@given(TEXTS)
def test_cutting_changes_nothing_of_the_answer(text):
    assert stream(text, [1])[1].answer == stream(text, [10_000])[1].answer


def test_prose_passes_without_delay():
    holdback = Holdback(NAMES)
    for piece in ("The", " answer", " is", " a < b", " and [1]", " `code`", " {x}", "\nnext"):
        before = len(piece) - len(piece.rstrip())
        assert before == 0
        assert shown(holdback, piece) == piece


def test_a_bracket_that_calls_nothing_passes_at_once():
    holdback = Holdback(NAMES)
    assert shown(holdback, "[120") == "[120"
    assert shown(holdback, " lines]") == " lines]"


def test_a_call_never_shows():
    for text in (
        CALL,
        "ok " + CALL,
        "[Bash(command='ls')]",
        '{"name": "Bash"}',
        "```json\n{}\n```",
    ):
        out, _ = stream(text, [1])
        assert out in ("", "ok")


def test_a_quoted_call_shows():
    text = "Write `<tool_call>` like so:\n```\n" + CALL + "\n```\nThat is all."
    out, _ = stream(text, [1])
    assert out == text


def test_a_thought_is_told_apart_and_may_quote_calls():
    text = f"<think>I could {CALL}</think>\n\nDone."
    holdback = Holdback(NAMES)
    pieces = [piece for char in text for piece in holdback.feed(char)]
    assert "".join(p.text for p in pieces if p.thought) == f"I could {CALL}"
    assert "".join(p.text for p in pieces if not p.thought) == "Done."
    assert parse(holdback.answer, TOOLS) == parse("Done.", TOOLS)


def test_an_unfinished_thought_is_no_answer():
    holdback = Holdback(())
    assert shown(holdback, "<think>so </thi", thought=True) == "so "
    assert [p.text for p in holdback.flush()] == ["</thi"]
    assert holdback.answer == ""


def test_without_tools_nothing_is_held():
    holdback = Holdback(())
    assert shown(holdback, CALL) == CALL
    assert shown(holdback, " ") == " "


def test_one_long_line_in_small_pieces_stays_linear():
    holdback = Holdback(NAMES)
    total = sum(len(shown(holdback, "ab` <t")) for _ in range(20_000))
    assert total >= 20_000 * 6 - 600
