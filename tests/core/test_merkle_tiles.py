import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.merkle import Frontier, leaf_hash, root_of
from hermes.core.tiles import Tiling, frontier_of, split, tail_ranges

LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(66_000)]


def _tails(size: int) -> list[list[bytes]]:
    """Each level's hashes behind its last full tile, from the leaves alone."""
    return [
        [root_of(LEAVES[n << 8 * level : (n + 1) << 8 * level]) for n in entries]
        for level, entries in enumerate(tail_ranges(size))
    ]


@given(st.lists(st.integers(0, 300), max_size=6))
def test_a_tiling_is_the_tree_however_it_grew(steps):
    tiling, size, full = Tiling(), 0, []
    for step in steps:
        full += tiling.extend(LEAVES[size : size + step])
        size += step
    assert tiling.size == size
    assert tiling.frontier.root == root_of(LEAVES[:size])
    assert [tile[:2] for tile in full] == [(0, number) for number in range(size // 256)]
    for tile in full:
        assert split(tile.data) == LEAVES[tile.number * 256 : (tile.number + 1) * 256]
        assert tile.root == root_of(split(tile.data))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537])
def test_a_tiling_goes_on_from_its_unfinished_tiles(size):
    again = Tiling(size, _tails(size))
    assert again.frontier.root == root_of(LEAVES[:size])
    whole = Tiling()
    whole.extend(LEAVES[:size])
    assert again.hashes == whole.hashes
    rest = LEAVES[size : size + 300]
    assert again.extend(rest) == whole.extend(rest)
    assert again.hashes == whole.hashes


def test_levels_fill_from_below():
    full = Tiling().extend(LEAVES[: 256 * 256])
    assert [tile[:2] for tile in full[-2:]] == [(0, 255), (1, 0)]
    assert split(full[-1].data) == [tile.root for tile in full[:-1]]
    assert full[-1].root == root_of(LEAVES[: 256 * 256])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="unfinished"):
        Tiling(3, [LEAVES[:2]])
    with pytest.raises(ValueError, match="unfinished"):
        Tiling(3)
    with pytest.raises(ValueError, match="hashes for a tree"):
        frontier_of(3, b"\0" * 32)
    with pytest.raises(ValueError, match="32 bytes"):
        frontier_of(1, b"\0" * 31)
    assert frontier_of(0, b"").root == Frontier().root
