from hypothesis import given
from hypothesis import strategies as st

from hermes.sandbox.output import Output


@given(st.lists(st.binary(max_size=50), max_size=30), st.integers(2, 100))
def test_head_and_tail_and_a_true_count(pieces, cap):
    whole = b"".join(pieces)
    output = Output(cap)
    for piece in pieces:
        output.add(piece)
    head, tail = output.parts()
    assert len(head) + len(tail) + output.dropped == len(whole)
    assert len(head) + len(tail) <= cap
    assert whole.startswith(head)
    assert whole.endswith(tail)
    if output.dropped == 0:
        assert head + tail == whole
    assert output.lines == len(whole.split(b"\n")) - (whole.endswith(b"\n") or not whole)
