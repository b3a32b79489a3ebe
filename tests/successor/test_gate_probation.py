import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.config import Successor
from hermes.store.health import Stretch
from hermes.successor.probation import Watched, judge

TERMS = Successor(probation_turns=20, probation_hours=24.0)
HOUR = 3_600_000
GOOD = Stretch(50, 1, 2_000)


def seen(now=Stretch(), before=GOOD, crashes=0, age_ms=0):  # noqa: B008 - frozen
    return Watched(now, before, crashes, age_ms)


@pytest.mark.parametrize(
    ("watched", "word"),
    [
        (seen(), "stay"),
        (seen(Stretch(19, 0, 2_000)), "stay"),
        (seen(Stretch(20, 0, 2_000)), "keep"),
        (seen(Stretch(20, 2, 2_000)), "keep"),  # a tenth, after a fiftieth: small numbers
        (seen(Stretch(2, 2, 0)), "stay"),  # two are too few to say
        (seen(Stretch(8, 3, 2_000)), "leave"),
        (seen(Stretch(8, 3, 2_000), before=Stretch(50, 20, 2_000)), "stay"),  # it was so before
        (seen(Stretch(6, 0, 6_000)), "leave"),
        (seen(Stretch(4, 0, 60_000)), "stay"),
        (seen(Stretch(6, 0, 2_900), before=Stretch(50, 0, 1_000)), "stay"),  # within a second
        (seen(Stretch(6, 0, 60_000), before=Stretch(2, 0, 10)), "stay"),  # nothing to compare with
        (seen(crashes=3), "leave"),
        (seen(crashes=2), "stay"),
        (seen(age_ms=24 * HOUR), "keep"),
        (seen(Stretch(9, 4, 0), age_ms=24 * HOUR), "leave"),
    ],
)
def test_the_word_on_a_version(watched, word):
    found = judge(watched, TERMS)
    assert found.word == word
    assert found.why


@given(
    st.builds(
        Watched,
        st.builds(lambda n, f, m: Stretch(n + f, f, m), *[st.integers(0, 10**6)] * 3),
        st.builds(lambda n, f, m: Stretch(n + f, f, m), *[st.integers(0, 10**6)] * 3),
        st.integers(0, 10),
        st.integers(0, 10**12),
    )
)
def test_as_good_as_before_is_never_left(watched):
    same = Watched(watched.before, watched.before, 0, watched.age_ms)
    assert judge(same, TERMS).word != "leave"
    crashed = Watched(watched.now, watched.before, 3, watched.age_ms)
    assert judge(crashed, TERMS).word == "leave"
