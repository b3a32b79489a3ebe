import anyio
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from prompt_toolkit.utils import get_cwidth

from hermes.core.event import ApprovalAsked
from hermes.core.request import TurnRequest
from hermes.gateway.render_event import ASCII
from hermes.gateway.terminal_view import View, clip


def view(**changes):
    request = TurnRequest(turn_id="", text="", cwd="/", root="/", **changes)
    return View(request, ASCII)


def shown(here, rows=24, columns=80):
    return "".join(text for _, text in here.message(rows, columns))


async def test_the_status_line():
    here = view(model="http://127.0.0.1:1/v1#llama3:8b", mode="auto", private=True)
    here.status = {
        "context": {"used": 512, "window": 4096},
        "engine": {"state": "loading", "tokens_per_s": 45.4},
    }
    here.title, here.queue = "A \x1b[2Jtalk", ["one", "two"]
    here.since = anyio.current_time()
    assert here.status_line(120) == snapshot(
        " llama3:8b - 12% of 4,096 - 45 tok/s - loading - working 0 s - 2 queued - auto"
        " - private - A talk"
    )
    here.hint = "Ctrl-C again or Ctrl-D leaves"
    assert here.status_line(40).startswith(" Ctrl-C again or Ctrl-D leaves - llama3")


def test_a_title_is_cut_or_left_out_where_there_is_no_room():
    here = view(model="small")
    here.title = "a long title of a conversation"
    assert here.status_line(32) == snapshot(" small - ask - a long title...")
    assert here.status_line(20) == snapshot(" small - ask")


def test_an_engine_at_rest_is_not_worth_a_word():
    here = view(model="m")
    for state, said in (("starting", True), ("stopped", False), ("ready", False)):
        here.status = {"engine": {"state": state}}
        assert (state in here.status_line()) is here.warming is said


def test_a_long_paragraph_shows_its_end_while_it_grows():
    here = view()
    here.blocks.feed("word " * 100 + "漢字 last")
    assert "last\n" in shown(here, columns=40)
    assert all(get_cwidth(row.rstrip()) < 40 for row in shown(here, columns=40).split("\n"))


async def test_queued_messages_are_seen_and_a_call_that_waits_is_not_shown_as_running():
    here = view()
    here.since = anyio.current_time()
    here.queue = ["first\nof two", "second"]
    here.tools["c"] = "* Bash ls"
    assert "queued: first of two\n  queued: second" in shown(here)
    assert "* Bash ls" in shown(here)
    here.approvals["c"] = ApprovalAsked(
        conversation_id="c", turn_id="t", at=0, call_id="c", name="Bash", arguments={}, rule="Bash"
    )
    assert "* Bash ls" not in shown(here)


def test_what_is_unknown_is_left_out():
    assert view().status_line() == " the model that ships - ask"


def test_the_tail_leaves_room_on_a_small_screen():
    here = view()
    here.blocks.feed("```\n" + "line\n" * 50)
    assert shown(here, rows=10).count("line") == 2
    assert shown(here, rows=4).count("line") == 1
    assert shown(here, rows=60).count("line") == 6


def test_a_waiting_approval_changes_the_prompt():
    here = view()
    assert shown(here).endswith("\n> ")
    here.approvals["c"] = ApprovalAsked(
        conversation_id="c", turn_id="t", at=0, call_id="c", name="Bash", arguments={}, rule="Bash"
    )
    assert shown(here).endswith("\ny/a/n/d > ")


@given(st.text("aä漢🙂\t "), st.integers(20, 100))
def test_a_clipped_line_fits(text, columns):
    assert sum(map(get_cwidth, clip(text, columns))) < max(columns, 1)


def test_an_alarm_stands_first():
    here = view(model="m")
    here.status = {"alarms": ["the store was \x1b[2Jshortened", "another"]}
    assert here.status_line() == snapshot(" the store was shortened - see /status - m - ask")
    here.status = {"alarms": []}
    assert here.status_line() == snapshot(" m - ask")
