"""What of a conversation a window can hold."""

from hypothesis import given
from hypothesis import strategies as st

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
