"""What an engine is given when nobody says."""

import os

import msgspec
import pytest

from hermes.models.engine_plan import slots_of, threads_of, window_of
from tests.models.engine_talk import INFO

LARGE = msgspec.structs.replace(INFO, parameters=8_000_000_000, context_length=131_072)
SILENT = msgspec.structs.replace(INFO, context_length=0)


@pytest.mark.parametrize(
    ("info", "asked", "window"),
    [
        (INFO, 0, 2_048),
        (INFO, 1_024, 1_024),
        (INFO, 4_096, 2_048),
        (LARGE, 8_192, 8_192),
        (SILENT, 0, 4_096),
        (SILENT, 9_000, 9_000),
    ],
)
def test_the_window_is_never_more_than_the_file_can(info, asked, window):
    assert window_of(info, asked) == window


def test_a_small_model_gets_one_thread_and_two_slots():
    assert (threads_of(INFO, 0), slots_of(INFO, 0)) == (1, 2)


def test_a_large_model_leaves_a_core_free():
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert 1 <= threads_of(LARGE, 0) <= max(1, allowed - 1)
    assert slots_of(LARGE, 0) == 1


def test_what_is_asked_for_is_given_within_the_machine():
    assert threads_of(INFO, 1) == 1
    assert threads_of(LARGE, 10_000) <= os.cpu_count()
    assert slots_of(LARGE, 3) == 3
