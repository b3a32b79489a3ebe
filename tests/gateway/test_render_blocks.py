from hypothesis import given
from hypothesis import strategies as st

from hermes.gateway.render_blocks import Blocks

MARKDOWN = st.lists(
    st.sampled_from(
        ["a word\n", "\n", "```python\n", "```\n", "~~~\n", "    code\n", "1. one\n", "end"]
    )
).map("".join)


def streamed(text, size):
    blocks = Blocks()
    found = [b for i in range(0, len(text), size) for b in blocks.feed(text[i : i + size])]
    return found + blocks.finish()


@given(MARKDOWN, st.integers(1, 7))
def test_blocks_do_not_depend_on_how_the_text_was_cut(text, size):
    assert streamed(text, size) == streamed(text, max(len(text), 1))


@given(MARKDOWN, st.integers(1, 7))
def test_every_line_comes_out_once_and_in_order(text, size):
    out = [line for block in streamed(text, size) for line in block.split("\n") if line.strip()]
    assert out == [line for line in text.split("\n") if line.strip()]


def test_a_paragraph_is_finished_by_the_next_one():
    blocks = Blocks()
    assert blocks.feed("one\ntwo\n\nthr") == []
    assert blocks.feed("ee\n") == ["one\ntwo\n"]
    assert blocks.finish() == ["three\n"]


def test_a_fence_is_one_block_whatever_stands_in_it():
    text = "```\na\n\nb\n~~~\n```\nafter\n"
    assert streamed(text, 3) == ["```\na\n\nb\n~~~\n```", "after\n"]


def test_an_indented_line_belongs_to_the_item_before_it():
    text = "1. one\n\n   more of one\n\nnext\n"
    assert streamed(text, 4) == ["1. one\n\n   more of one\n", "next\n"]


def test_a_long_fence_is_committed_in_parts_that_are_fences():
    text = "```python\n" + "x = 1\n" * 450 + "```\n"
    found = streamed(text, 50)
    assert len(found) == 3
    assert all(block.startswith("```python") and block.endswith("```") for block in found)
    assert sum(block.count("x = 1") for block in found) == 450


def test_ten_megabytes_without_a_line_end_are_not_kept():
    blocks = Blocks()
    found = []
    for _ in range(10_000):
        found += blocks.feed("x" * 1_000)
        assert len(blocks.rest) < 70_000
    assert sum(map(len, [*found, *blocks.finish()])) == 10_000_000


def test_the_tail_is_the_last_lines():
    blocks = Blocks()
    blocks.feed("```\na\nb\nc")
    assert blocks.tail(2) == ["b", "c"]
    assert Blocks().tail(3) == []
