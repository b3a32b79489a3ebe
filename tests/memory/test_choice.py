from hypothesis import given
from hypothesis import strategies as st

from hermes.memory.choice import Terms, chosen
from hermes.memory.recall import Reasons, Recalled
from hermes.store.memory import Memory


def _found(number: int, content: str, score: float = 1.0) -> Recalled:
    memory = Memory(number, "p", "decision", content, "", 0, 1.0, None)
    return Recalled(memory, score, Reasons())


def _contents(lines) -> list[str]:
    return [line.recalled.memory.content for line in lines]


WIDE = Terms(0.3, 10_000, 9)


def test_order_is_kept_repeats_are_skipped_and_what_does_not_fit_is_near():
    found = [
        _found(1, "first"),
        _found(2, " First "),
        _found(3, "long " * 40),
        _found(1, "first"),
        _found(4, "second"),
        _found(5, "third"),
    ]
    choice = chosen(found, Terms(0.3, 120, 2))
    assert _contents(choice.lines) == ["first", "second"]
    assert [one.memory.id for one in choice.near] == [3, 5]
    assert chosen(found, Terms(0.3, 0, 9)).lines == ()
    assert chosen(found, Terms(0.3, 10_000, 0)).lines == ()


def test_the_threshold_divides_shown_near_and_neither():
    found = [_found(number, str(number), score) for number, score in enumerate((0.3, 0.29, 0.1))]
    choice = chosen(found, WIDE)
    assert _contents(choice.lines) == ["0"]
    assert [one.memory.id for one in choice.near] == [1]


def test_what_the_conversation_knows_is_not_said_again():
    choice = chosen([_found(1, "one"), _found(2, "two")], WIDE, known={1})
    assert _contents(choice.lines) == ["two"]
    assert choice.near == ()


@given(
    st.lists(st.tuples(st.text(), st.floats(0, 1)), max_size=20),
    st.floats(0, 1),
    st.integers(0, 500),
    st.integers(0, 10),
)
def test_a_choice_keeps_to_its_terms(rows, least, room, most):
    found = [_found(number, content, score) for number, (content, score) in enumerate(rows)]
    choice = chosen(found, Terms(least, room, most))
    texts = [line.text for line in choice.lines]
    assert len(texts) <= most
    assert sum(len(text.encode()) + 1 for text in texts) <= room
    assert all(line.recalled.score >= least for line in choice.lines)
    shown = {line.recalled.memory.id for line in choice.lines}
    assert shown.isdisjoint(one.memory.id for one in choice.near)
