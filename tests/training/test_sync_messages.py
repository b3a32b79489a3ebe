"""Contributions, states and aggregation: what is refused, and that all get the same bytes."""

import hashlib
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import SyncDiverged, SyncRefused

pytest.importorskip("numpy")
from training.sync.aggregate import Guard, aggregate, read_all
from training.sync.compress import Compressor, Contribution, Scheme, largest, pack, unpack
from training.sync.outer import Outer, outer_step
from training.sync.quantise import BITS, quantise, quantised_size, restore
from training.sync.state import State, pack_state, terms_of, unpack_state

TERMS = terms_of([("a", (2, 3))], "settings")


def normal(size, seed=0):
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def about(number=0, base=b"b" * 16):
    return Contribution(number, 50, base, normal(1))


def resealed(message):
    return message + hashlib.blake2b(message, digest_size=16).digest()


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=1200),
    st.sampled_from(BITS),
)
def test_quantised_values_keep_size_and_sign(values, bits):
    values = np.array(values, np.float32)
    data = quantise(values, bits)
    assert len(data) == quantised_size(len(values), bits)
    back = restore(data, len(values), bits)
    assert back.dtype == np.float32
    assert np.all((np.sign(back) == np.sign(values)) | (back == 0) | (values == 0))
    assert np.abs(back).max() <= np.abs(values).max() * 1.001


@pytest.mark.parametrize(("bits", "error"), [(1, 0.37), (2, 0.12), (4, 0.02), (8, 1e-4)])
def test_quantising_costs_what_theory_says(bits, error):
    values = normal(100_000)
    back = restore(quantise(values, bits), len(values), bits)
    assert np.square(values - back).mean() / np.square(values).mean() < error


@given(
    st.integers(1, 3000),
    st.sampled_from(BITS),
    st.sampled_from([1.0, 0.5, 0.01]),
    st.integers(0, 2**32 - 1),
)
def test_a_message_comes_back_as_it_was_sent(size, bits, keep, number):
    values = normal(size)
    message = pack(values, Scheme(bits, keep), about(number))
    assert len(message) <= largest(size)
    first, again = unpack(message, size), unpack(message, size)
    assert (first.round, first.steps, first.base) == (number, 50, b"b" * 16)
    assert first.values.tobytes() == again.values.tobytes()
    assert np.count_nonzero(first.values) <= max(1, int(size * keep))


@pytest.mark.parametrize("scheme", [Scheme(1), Scheme(2), Scheme(4, keep=0.1)])
def test_error_feedback_loses_nothing(scheme):
    compressor, size, rounds = Compressor(scheme, 600), 600, 60
    delta, got = normal(size), np.zeros(size, np.float32)
    for number in range(rounds):
        got += unpack(compressor.pack(delta, number, 1, b"b" * 16), size).values
    likeness = got @ delta / np.linalg.norm(got) / np.linalg.norm(delta)
    assert likeness > 0.99
    assert np.linalg.norm(got / rounds - delta) < 0.2 * np.linalg.norm(delta)


def test_a_message_that_was_late_leaves_no_trace():
    one, other = Compressor(Scheme(1), 50), Compressor(Scheme(1), 50)
    one.pack(normal(50, 1), 0, 1, b"b" * 16)
    one.lost()
    assert one.pack(normal(50, 2), 1, 1, b"b" * 16) == other.pack(normal(50, 2), 1, 1, b"b" * 16)


def test_weights_that_are_no_numbers_are_not_sent():
    delta = normal(50)
    delta[3] = np.nan
    with pytest.raises(SyncRefused, match="diverged"):
        Compressor(Scheme(), 50).pack(delta, 0, 1, b"b" * 16)


@given(st.binary(max_size=400))
def test_garbage_is_refused(data):
    for read in (lambda: unpack(data, 100), lambda: unpack_state(data, 100, TERMS)):
        with pytest.raises(SyncRefused):
            read()


@given(st.data())
def test_damage_anywhere_is_refused(data):
    message = bytearray(pack(normal(300), Scheme(2), about()))
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SyncRefused):
        unpack(bytes(message), 300)


@given(st.data())
def test_a_well_sealed_lie_is_refused_or_read(data):
    message = bytearray(pack(normal(300), Scheme(2, 0.5), about())[:-16])
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = unpack(resealed(bytes(message)), 300)
    except SyncRefused:
        return
    assert read.values.shape == (300,)
    assert np.all(np.isfinite(read.values))


def test_of_a_bomb_no_more_is_inflated_than_fits():
    message = pack(np.zeros(5000, np.float32), Scheme(2), about())
    bomb = message[:48] + zlib.compress(bytes(50_000_000), 9)
    assert message[6] == 1, "zeros deflate"
    with pytest.raises(SyncRefused):
        unpack(resealed(bomb), 5000)
    with pytest.raises(SyncRefused, match="bytes of values or more"):
        unpack(resealed(message[:48] + zlib.compress(bytes(200_000), 9)), 5000)


def test_another_models_message_is_refused():
    with pytest.raises(SyncRefused, match="about 300 weights"):
        unpack(pack(normal(300), Scheme(), about()), 301)


@pytest.mark.parametrize("given_", [{"bits": 3}, {"keep": 0}, {"keep": 1.1}])
def test_schemes_that_cannot_be(given_):
    with pytest.raises(ValueError, match="keep"):
        Scheme(**given_)


def test_state_comes_back_and_another_runs_does_not():
    state = State(7, normal(10), normal(10, 1), TERMS)
    data = pack_state(state)
    again = unpack_state(data, 10, TERMS)
    assert again.digest == state.digest
    assert again.weights.tobytes() == state.weights.tobytes()
    with pytest.raises(SyncRefused, match="other terms"):
        unpack_state(data, 10, terms_of([("a", (2, 3))], "others"))
    with pytest.raises(SyncRefused, match="damaged"):
        unpack_state(data[:-1] + bytes([data[-1] ^ 1]), 10, TERMS)
    unwell = pack_state(State(7, np.full(10, np.inf, np.float32), None, TERMS))
    with pytest.raises(SyncRefused, match="no numbers"):
        unpack_state(unwell, 10, TERMS)


def test_outer_step_averages_or_carries_momentum():
    state = State(0, np.zeros(3, np.float32), None, TERMS)
    update = np.ones(3, np.float32)
    assert outer_step(state, update, Outer()).weights.tolist() == [-1] * 3
    assert outer_step(state, update, Outer(rate=0.5)).weights.tolist() == [-0.5] * 3
    nesterov = Outer(rate=1.0, momentum=0.5)
    once = outer_step(state, update, nesterov)
    assert once.weights.tolist() == [-1.5] * 3
    assert outer_step(once, update, nesterov).weights.tolist() == [-3.25] * 3
    idle = outer_step(once, None, nesterov)
    assert (idle.round, idle.weights.tolist()) == (2, [-1.5] * 3)


def alike(count, size=2000, noise=1.0):
    common = normal(size)
    return {f"w{n}": common + noise * normal(size, n + 1) for n in range(count)}


def test_aggregate_is_the_same_in_any_order():
    sent = alike(5)
    backwards = dict(reversed(sent.items()))
    for guard in (Guard(), Guard(trim=0.2)):
        one, other = aggregate(sent, guard), aggregate(backwards, guard)
        assert one.update.tobytes() == other.update.tobytes()


def test_honest_workers_are_all_heard():
    outcome = aggregate(alike(4), Guard(clip=False))
    assert not outcome.refused
    assert np.allclose(outcome.update, np.mean(list(alike(4).values()), axis=0), atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (100 * normal(2000, 99), "elsewhere"),
        (-10 * normal(2000), "elsewhere"),
        (np.full(2000, np.nan, np.float32), "no numbers"),
        (np.zeros(2000, np.float32), "nought"),
    ],
)
def test_bad_values_are_refused(bad, reason):
    sent = alike(3) | {"bad": bad}
    outcome = aggregate(sent, Guard())
    assert list(outcome.refused) == ["bad"]
    assert reason in outcome.refused["bad"]
    assert np.linalg.norm(outcome.update - normal(2000)) < np.linalg.norm(normal(2000))


def test_none_weighs_more_than_the_median():
    sent = alike(4, noise=0.1)
    loud = sent | {"w0": 1000 * sent["w0"]}
    calm, clipped = aggregate(sent, Guard()).update, aggregate(loud, Guard()).update
    assert np.linalg.norm(calm - clipped) < 0.1 * np.linalg.norm(calm)


def test_trimming_leaves_out_the_extremes_of_each_weight():
    sent = {f"w{n}": np.array([value], np.float32) for n, value in enumerate([1, 2, 4, 50])}
    outcome = aggregate(sent, Guard(clip=False, trim=0.25, cosine=-1))
    assert outcome.update.tolist() == [3.0]


def test_all_refused_is_no_update():
    assert aggregate({"a": np.zeros(3, np.float32)}, Guard()).update is None


def test_another_round_or_base_is_refused_and_a_majority_of_others_is_heeded():
    state = State(3, normal(20), None, TERMS)

    def message(number, base):
        return pack(normal(20), Scheme(), about(number, base))

    good, other = message(3, state.digest), message(3, b"o" * 16)
    values, outcome = read_all({"a": good, "b": message(2, state.digest), "c": good}, state)
    assert sorted(values) == ["a", "c"]
    assert "round 2" in outcome.refused["b"]
    values, outcome = read_all({"a": good, "b": other, "c": b"garbage"}, state)
    assert sorted(values) == ["a"]
    assert sorted(outcome.refused) == ["b", "c"]
    with pytest.raises(SyncDiverged):
        read_all({"a": good, "b": other, "c": other}, state)
