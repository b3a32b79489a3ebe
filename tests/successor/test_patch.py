"""A diff is found in what stands around it, and handed on byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import PatchInvalid
from hermes.successor.patch import MOST, read_patch

DIFF = b"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-one\n+two\n"
FENCES = b"--- a/x.md\n+++ b/x.md\n@@ -1,3 +1,3 @@\n ```diff\n-one\n+two\n ```\n"


def test_a_diff_stays_as_it_is():
    assert read_patch(DIFF) == DIFF
    assert read_patch(b"From: somebody\n\nWhy.\n---\n" + DIFF).endswith(DIFF)


def test_fences_are_taken_out_in_order():
    text = b"# Why\n\n```diff\n" + DIFF + b"```\n\nand\n\n~~~~patch\n" + FENCES + b"~~~~\n"
    assert read_patch(text) == DIFF + FENCES


def test_other_fences_are_not():
    text = b"```python\n--- a/y\n+++ b/y\n```\n```diff\n" + DIFF + b"```\n"
    assert read_patch(text) == DIFF


def test_a_diff_of_a_text_with_fences_is_no_markdown():
    assert read_patch(FENCES) == FENCES


def test_lines_of_windows_in_markdown_are_mended():
    text = (b"```diff\n" + DIFF + b"```\n").replace(b"\n", b"\r\n")
    assert read_patch(text) == DIFF


@pytest.mark.parametrize(
    "text", [b"", b" \n\n", b"no diff at all", b"```diff\n```\n", b"```python\nx = 1\n```\n"]
)
def test_no_diff_is_no_patch(text):
    with pytest.raises(PatchInvalid):
        read_patch(text)


def test_ten_megabytes_are_too_much():
    with pytest.raises(PatchInvalid, match="bytes"):
        read_patch(DIFF + b"+" * 10 * MOST)


@given(st.binary(max_size=300))
def test_whatever_comes_there_is_a_diff_or_a_reason(data):
    try:
        found = read_patch(data)
    except PatchInvalid:
        return
    assert found.strip()
    assert found.endswith(b"\n")
