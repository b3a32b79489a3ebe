"""What of a conversation a window can hold."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage
from hermes.prompt.budget import Cut, Scale, apply_cut, fit, size_of

_roles = st.sampled_from(["user", "assistant", "tool"])
_messages = st.lists(
    st.builds(
        lambda role, n: ChatMessage(role, "x" * n),
        _roles,
        st.integers(min_value=0, max_value=5_000),
    ),
    max_size=30,
)


def _size(messages, cut) -> int:
    return sum(size_of(m) for m in apply_cut(messages, cut))


@given(_messages, st.integers(min_value=1, max_value=40_000))
def test_a_cut_never_grows_what_is_shown_and_is_stable(messages, budget):
    cut = fit(messages, budget, Cut())
    assert _size(messages, cut) <= _size(messages, Cut()) + 80
    assert fit(messages, budget, cut) == cut or _size(messages, cut) > budget


@given(_messages, st.integers(min_value=2_000, max_value=40_000))
def test_what_can_fit_fits(messages, budget):
    newest = max((i for i, m in enumerate(messages) if m.role == "user"), default=0)
    cut = fit(messages, budget, Cut())
    if len(messages) - newest <= 3:
        assert _size(messages, cut) <= budget


@given(_messages, st.integers(min_value=1, max_value=9_000))
def test_the_newest_words_of_the_person_are_always_shown(messages, budget):
    messages = [*messages, ChatMessage("user", "the question")]
    shown = apply_cut(messages, fit(messages, budget, Cut()))
    assert shown[-1].content.endswith("the question")


def test_bulky_results_go_before_anything_else():
    messages = [
        ChatMessage("user", "one"),
        ChatMessage("assistant", "I look"),
        ChatMessage("tool", "r" * 9_000),
        ChatMessage("assistant", "it says r"),
        ChatMessage("user", "two"),
    ]
    shown = apply_cut(messages, fit(messages, 3_000, Cut()))
    assert [m.role for m in shown] == [m.role for m in messages]
    assert "left out" in shown[2].content
    assert shown[0].content == "one"


def test_the_answer_to_an_unreadable_call_is_not_the_persons_word():
    messages = [
        ChatMessage("user", "an old turn" * 200),
        ChatMessage("assistant", "yes" * 200),
        ChatMessage("user", "the question"),
        ChatMessage("assistant", "garbled" * 200),
        ChatMessage("user", "[error: the tool call could not be read]", name="unreadable"),
    ]
    shown = apply_cut(messages, fit(messages, 900, Cut()))
    assert any("the question" in m.content for m in shown)
    assert shown[-1].name == "unreadable"


def test_a_cut_goes_deep_enough_to_last():
    messages = [ChatMessage("user", "q" * 1_000) for _ in range(10)]
    cut = fit(messages, 9_000, Cut())
    assert _size(messages, cut) <= 0.75 * 9_000
    longer = [*messages, ChatMessage("user", "q" * 1_000)]
    assert fit(longer, 9_000, cut) == cut


def test_a_dropped_beginning_is_said():
    messages = [ChatMessage("user", "a" * 2_000), ChatMessage("user", "b" * 100)]
    shown = apply_cut(messages, fit(messages, 1_000, Cut()))
    assert shown[0].content.startswith("[Earlier turns left out")


def test_the_scale_learns_from_reports():
    scale = Scale(3.0)
    assert scale.learn(1_000, 500).bytes_per_token == 2.0
    assert scale.learn(100, 3) == scale


def _step(number, argument="x", result="r", *, raw=False):
    call = ToolCall(CallId(f"c{number}"), "FileWrite", json.dumps({"path": argument}))
    said = f"<tool_call>{call.arguments}</tool_call>" if raw else ""
    return [
        ChatMessage("assistant", said, (call,), raw=raw),
        ChatMessage("tool", result, call_id=call.id),
    ]


@given(
    st.integers(min_value=1, max_value=60),
    st.integers(min_value=0, max_value=3_000),
    st.integers(min_value=0, max_value=3_000),
    st.integers(min_value=2_500, max_value=20_000),
    st.booleans(),
)
def test_a_turn_of_any_length_fits_step_by_step(steps, argument, result, budget, raw):
    messages, cut = [ChatMessage("user", "the task")], Cut()
    cuts = set()
    for number in range(steps):
        messages += _step(number, "a" * argument, "r" * result, raw=raw)
        cut = fit(messages, budget, cut)
        shown = apply_cut(messages, cut)
        cuts.add(cut)
        assert sum(map(size_of, shown)) <= budget
        assert shown[0].content.startswith("the task")
        assert [m.role for m in shown] == ["user", *["assistant", "tool"] * (len(shown) // 2)]
        assert shown[-1].call_id == messages[-1].call_id
        for said, answered in zip(shown[1::2], shown[2::2], strict=True):
            assert said.calls[0].id == answered.call_id
            assert list(json.loads(said.calls[0].arguments)) == ["path"]
            assert said.raw is (raw and said.content != "")
    assert len(cuts) <= steps


def test_results_go_before_what_the_model_wrote_and_that_before_whole_steps():
    messages = [ChatMessage("user", "the task")]
    for number in range(4):
        messages += _step(number, "a" * 1_000, "r" * 1_000)
    cut = fit(messages, 7_500, Cut())
    assert (cut.results > 0, cut.written, cut.gap_end) == (True, 0, 0)
    cut = fit(messages, 4_500, Cut())
    assert (cut.results > 0, cut.written > 0, cut.gap_end) == (True, True, 0)
    cut = fit(messages, 2_600, Cut())
    assert cut.gap_end > cut.gap == 1


def test_left_out_steps_are_said_and_go_with_their_turn():
    messages = [ChatMessage("user", "the task")]
    for number in range(40):
        messages += _step(number, "a" * 100, "r" * 100)
    cut = fit(messages, 3_000, Cut())
    shown = apply_cut(messages, cut)
    assert "first steps" in shown[0].content
    assert shown[1:] == tuple(messages[cut.gap_end :])
    messages += [ChatMessage("user", "next"), *_step(99, "a" * 2_000), ChatMessage("user", "last")]
    shown = apply_cut(messages, fit(messages, 2_500, cut))
    assert "first steps" not in shown[0].content
    assert shown[-1].content.endswith("last")


def test_arguments_that_are_no_object_are_named_by_their_length():
    call = ToolCall(CallId("1"), "FileRead", "[" * 5_000)
    long = ChatMessage("assistant", "", (call, call), raw=False)
    messages = [ChatMessage("user", "u"), long, ChatMessage("tool", "error", call_id=CallId("1"))]
    shown = apply_cut(messages, fit(messages, 1_000, Cut()))
    assert json.loads(shown[1].calls[1].arguments) == {"left_out": "5000 characters"}


def test_a_soft_cut_takes_bulky_results_before_old_turns():
    messages = [
        ChatMessage("user", "an old decision"),
        ChatMessage("assistant", "noted"),
        ChatMessage("user", "the task"),
        ChatMessage("assistant", "I look"),
        ChatMessage("tool", "r" * 9_000),
        ChatMessage("assistant", "and again"),
        ChatMessage("tool", "s" * 900),
    ]
    assert fit(messages, 3_000, Cut()).dropped == 2
    soft = fit(messages, 3_000, Cut(), soft=True)
    assert soft.dropped == 0
    assert _size(messages, soft) <= 3_000
    assert fit(messages, 1, Cut(), soft=True).longest == 0


def test_digests_stand_where_messages_were():
    messages = [
        ChatMessage("user", "old"),
        ChatMessage("user", "older"),
        ChatMessage("user", "the task"),
        *_step(1),
        *_step(2),
    ]
    cut = Cut(dropped=1, told=1, digest="of old", gap=3, gap_end=5, gap_told=5, gap_digest="of 1")
    shown = [m.content for m in apply_cut(messages, cut)]
    assert shown[0] == "of old\nolder"
    assert shown[1] == "the task\nof 1"
    assert len(shown) == 4
    later = [m.content for m in apply_cut(messages, msgspec.structs.replace(cut, dropped=2))]
    assert later[0].startswith("of old\n[Earlier turns left out")  # it tells of the first only
    assert not cut.untold
    assert msgspec.structs.replace(cut, dropped=2).untold


def test_a_digest_goes_before_the_persons_words_do():
    messages = [ChatMessage("user", "old"), ChatMessage("user", "w" * 900)]
    cut = fit(messages, 1_100, Cut(dropped=1, told=1, digest="d" * 500))
    assert cut.digest == ""
    assert apply_cut(messages, cut)[-1].content.endswith("w" * 900)
