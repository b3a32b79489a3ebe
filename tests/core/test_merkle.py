import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    Node,
    consistency,
    consistency_nodes,
    inclusion,
    inclusion_nodes,
    leaf_hash,
    node_hash,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# Every inclusion and consistency case of github.com/transparency-dev/merkle, testdata at commit
# 417fb0c3, Apache-2.0, put into one file unchanged; `taken` is the sha-256 over their paths and
# bytes there.
VECTORS = Path(__file__).parent / "vectors" / "rfc9162.json"
PINNED = "a78fc781e08fdb9152ed2ce73b8d84d14deb68c92be4c6870e92e83ca6c423ee"

# The tree that Certificate Transparency's own tests have used since 2012.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243",
        "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def _vectors(kind: str) -> list:
    data = VECTORS.read_bytes()
    assert hashlib.sha256(data).hexdigest() == PINNED
    return [pytest.param(case, id=name) for name, case in json.loads(data)[kind].items()]


def _raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _path(case) -> list[bytes]:
    return [_raw(one) for one in case["proof"] or ()]


def _tree(count: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def _mth(leaves: list[bytes]) -> bytes:
    """The definition of RFC 9162 §2.1.1, to the letter."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(_mth(leaves[:split]), _mth(leaves[split:]))


def _fetch(leaves: list[bytes]):
    return lambda node: _mth(leaves[node.number << node.level : (node.number + 1) << node.level])


@pytest.mark.parametrize("case", _vectors("inclusion"))
def test_foreign_inclusion_proofs(case):
    given_proof = (
        _raw(case["leafHash"]), case["leafIdx"], case["treeSize"], _path(case), _raw(case["root"])
    )  # fmt: skip
    if case["wantErr"]:
        with pytest.raises(ValueError, match=r"."):
            verify_inclusion(*given_proof)
        return
    verify_inclusion(*given_proof)


@pytest.mark.parametrize("case", _vectors("consistency"))
def test_foreign_consistency_proofs(case):
    given_proof = (
        case["size1"], _raw(case["root1"]), case["size2"], _raw(case["root2"]), _path(case)
    )  # fmt: skip
    # Where nothing is hashed, theirs takes roots of any length ("don't care"); ours does not.
    if case["wantErr"] or any(len(root) != 32 for root in (given_proof[1], given_proof[3])):
        with pytest.raises(ValueError, match=r"."):
            verify_consistency(*given_proof)
        return
    verify_consistency(*given_proof)


def test_the_foreign_proofs_that_hold_are_the_ones_made_here():
    leaves = [leaf_hash(data) for data in LEAVES]
    held = 0
    cases = json.loads(VECTORS.read_bytes())
    for case in cases["inclusion"].values():
        if not case["wantErr"] and case["treeSize"] > 1:
            made = inclusion(case["leafIdx"], case["treeSize"], _fetch(leaves))
            assert list(made) == _path(case)
            held += 1
    for case in cases["consistency"].values():
        if not case["wantErr"] and len(_path(case)):
            made = consistency(case["size1"], case["size2"], _fetch(leaves))
            assert list(made) == _path(case)
            held += 1
    assert held == 8


def test_the_roots_of_the_known_tree():
    frontier = Frontier()
    assert frontier.root == EMPTY_ROOT
    for data, root in zip(LEAVES, ROOTS, strict=True):
        frontier.append(leaf_hash(data))
        assert frontier.root.hex() == root


def test_hashes_are_of_their_domains():
    assert leaf_hash(b"L123456").hex().startswith("395aa064aa4c29f7")
    assert node_hash(b"N123", b"N456").hex().startswith("aa217fe888e47007")


@given(st.integers(0, 70))
def test_a_frontier_is_the_definition(count):
    leaves = _tree(count)
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert frontier.root == _mth(leaves) == root_of(leaves) == root_at(count, _fetch(leaves))
    again = Frontier(frontier.size, frontier.hashes)
    further = frontier.copy()
    further.append(leaf_hash(b"more"))
    assert again.root == frontier.root
    again.append(leaf_hash(b"more"))
    assert again.root == further.root == _mth([*leaves, leaf_hash(b"more")])


@given(st.data())
def test_a_proof_holds_for_its_leaf_and_for_nothing_else(data):
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    leaves = _tree(size)
    root = _mth(leaves)
    path = inclusion(index, size, _fetch(leaves))
    verify_inclusion(leaves[index], index, size, path, root)

    for wrong in _spoilt(path):
        with pytest.raises(ValueError, match=r"."):
            verify_inclusion(leaves[index], index, size, wrong, root)
    other = data.draw(st.integers(0, size + 2).filter(lambda number: number != index))
    with pytest.raises(ValueError, match=r"."):
        verify_inclusion(leaves[index], other, size, path, root)
    with pytest.raises(ValueError, match="another root"):
        verify_inclusion(leaf_hash(b"forged"), index, size, path, root)


@given(st.data())
def test_a_tree_that_grew_can_be_shown_and_one_that_was_rewritten_cannot(data):
    size = data.draw(st.integers(1, 70))
    old = data.draw(st.integers(0, size))
    leaves = _tree(size)
    before, after = _mth(leaves[:old]), _mth(leaves)
    path = consistency(old, size, _fetch(leaves))
    verify_consistency(old, before, size, after, path)

    for wrong in _spoilt(path):
        with pytest.raises(ValueError, match=r"."):
            verify_consistency(old, before, size, after, wrong)
    if old:
        changed = [*leaves]
        changed[data.draw(st.integers(0, old - 1))] = leaf_hash(b"rewritten")
        rewritten = consistency(old, size, _fetch(changed))
        with pytest.raises(ValueError, match=r"root"):
            verify_consistency(old, before, size, _mth(changed), rewritten)
    with pytest.raises(ValueError, match=r"."):
        verify_consistency(size, after, old - 1, before, path)


def _spoilt(path):
    yield [*path, leaf_hash(b"")]
    if path:
        yield path[:-1]
        yield path[1:]
        yield [*path[:-1], path[-1][:-1]]
        for place, one in enumerate(path):
            yield [*path[:place], bytes([one[0] ^ 1]) + one[1:], *path[place + 1 :]]


def test_an_empty_tree_has_one_root_only():
    verify_consistency(0, EMPTY_ROOT, 5, leaf_hash(b"any"), ())
    with pytest.raises(ValueError, match="empty tree"):
        verify_consistency(0, leaf_hash(b""), 5, leaf_hash(b"any"), ())
    with pytest.raises(ValueError, match="two roots"):
        verify_consistency(5, leaf_hash(b""), 5, leaf_hash(b"any"), ())


def test_what_a_proof_in_a_large_tree_needs():
    assert inclusion_nodes(0, 8) == ((Node(0, 1),), (Node(1, 1),), (Node(2, 1),))
    assert len(inclusion_nodes(123_456, 1_000_000)) == 20
    assert consistency_nodes(4, 8) == ((Node(2, 1),),)
    assert consistency_nodes(6, 8) == ((Node(1, 2),), (Node(1, 3),), (Node(2, 0),))
    assert consistency_nodes(0, 8) == consistency_nodes(8, 8) == ()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Frontier(3, (b"\0" * 32,)),
        lambda: Frontier(1, (b"short",)),
        lambda: Frontier(-1),
        lambda: inclusion_nodes(8, 8),
        lambda: inclusion_nodes(-1, 8),
        lambda: consistency_nodes(9, 8),
        lambda: consistency_nodes(-1, 8),
        lambda: root_at(-1, _fetch([])),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match=r"."):
        call()
