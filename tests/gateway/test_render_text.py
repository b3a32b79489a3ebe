import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from hermes.gateway.render_rich import Paint, color_system
from hermes.gateway.render_text import clean, local_time, one_line, reveal

NASTY = st.text(
    st.sampled_from("\x1b\x9b\x9d\x07[]0;31mHJ?<=(\\PX^_\r\n\t\u202e\u2066\u200b\x00\x7fab `*#|>&")
) | st.text(st.characters())


def unsafe(text):
    return {
        c
        for c in text
        if c not in "\n\t" and (unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in BIDI)
    }


BIDI = {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x61C)
}


@given(NASTY)
def test_clean_text_holds_nothing_that_a_terminal_obeys(text):
    assert unsafe(clean(text)) == set()


@given(NASTY)
def test_cleaning_twice_is_cleaning_once_where_nothing_was_hidden(text):
    once = clean(text)
    assert clean(once) == once


def test_joiners_stay_where_letters_need_them_and_nowhere_else():
    family, hindi = "👨\u200d👩\u200d👧", "नम\u200cस्ते"
    assert clean(f"{family} {hindi} a\u200db \u200d") == f"{family} {hindi} ab "
    assert "\u200d" not in reveal(family)


def test_a_stored_time_is_shown_by_the_clock_on_the_wall():
    here = datetime(2026, 11, 21, 5, 24, tzinfo=UTC).astimezone()
    assert local_time("2026-11-21T05:24:49.689Z") == here.strftime("%Y-%m-%d %H:%M")
    assert local_time("some \x1b[2Jday") == "some day"


@given(NASTY)
def test_revealed_text_holds_nothing_that_a_terminal_obeys_and_loses_no_letter(text):
    shown = reveal(text)
    assert unsafe(shown) == set()
    letters = [c for c in text if c.isalnum()]
    rest = iter(shown)
    assert all(letter in rest for letter in letters)


def test_headings_stand_left_and_numbers_keep_their_dot():
    shown = Paint(lambda: 30, None).markdown_block(
        "# Plan\n\n1. one\n2. two and more words than fit\n"
    )
    assert shown == snapshot("""\
Plan

 1. one
 2. two and more words than
    fit
""")


@given(NASTY)
def test_rendered_markdown_without_colours_holds_nothing_that_a_terminal_obeys(text):
    assert unsafe(Paint(lambda: 80, None).markdown_block(text)) == set()


@given(NASTY)
def test_rendered_markdown_in_colours_holds_only_colours(text):
    colours = color_system({"TERM": "xterm-256color"})
    painted = Paint(lambda: 80, colours).markdown_block(text)
    for piece in painted.split("\x1b[")[1:]:
        code, _, _ = piece.partition("m")
        assert set(code) <= set("0123456789;")
    assert unsafe(painted.replace("\x1b[", "")) == set()


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\r\nb\rc", "a\nbc"),
        ("\x9b2Jgone", "gone"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\x1b]0;never closed", "0;never closed"),
        ("äöü 漢字 🙂", "äöü 漢字 🙂"),
    ],
)
def test_what_cleaning_keeps(raw, safe):
    assert clean(raw).removeprefix("]") == safe


def test_one_line_folds_and_cuts():
    assert one_line("a\n  b\tc", 10) == "a b c"
    assert one_line("abcdefghij", 8) == "abcde..."


@pytest.mark.parametrize(
    "block", ["[" * 16_000, "*" * 16_000, "> " * 8_000, "|" * 16_000, "`" * 15_999, "- " * 8_000]
)
def test_markdown_made_to_be_slow_still_renders(block):
    assert Paint(lambda: 80, None).markdown_block(block)
