"""Transactions, scripts and signatures against published vectors; Core's engine against ours."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from coincurve import PrivateKey
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.chain.backend import Outpoint, Txid
from hermes.chain.scripts import (
    coin_script,
    p2wpkh,
    payload_in,
    payload_script,
    scripts_of,
    witness_script,
)
from hermes.chain.sighash import check_ours, digest_of, keyhash_code
from hermes.chain.spend import HAVE_KERNEL, check_spend
from hermes.chain.transaction import (
    Output,
    outpoint_of,
    outpoint_text,
    output_of,
    transaction_of,
    txid_of,
    vsize,
)
from hermes.core.anchor import AnchorKind, Payload
from hermes.errors import ProofInvalid
from hermes.identity import coin as signers
from hermes.identity.genesis import found
from hermes.identity.keys import Keys

VECTORS = Path(__file__).with_name("vectors")
PINS = {
    "bip143.mediawiki": "15b4ac6f072bb8793c1427080007eef2fd02028d9afaca32865593b479a3b1ff",
    "bip341_wallet.json": "403e19fb81dd1f31e745699216308f61fb403774b2aafa87b631b8f7c042d37f",
}
COIN, RECOVERY = PrivateKey(b"\x01" * 32), PrivateKey(b"\x02" * 32)
PUBLIC, SPARE = COIN.public_key.format(), RECOVERY.public_key.format()
KEYS = Keys.from_secret(b"\x07" * 32, "regtest")
PAYLOAD = Payload(AnchorKind.CHECKPOINT, bytes(range(32)))


def _text(name: str) -> str:
    data = (VECTORS / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == PINS[name]
    return data.decode()


def _section(title: str) -> str:
    return _text("bip143.mediawiki").split(f"=== {title} ===")[1].split("\n===")[0]


def _first(pattern: str, text: str) -> bytes:
    return bytes.fromhex(re.search(pattern + r":?\s*\(?<?([0-9a-f]{20,})", text)[1])


@pytest.mark.parametrize(
    ("title", "index", "code", "value"),
    [
        ("Native P2WPKH", 1, "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1", 600_000_000),
        ("P2SH-P2WPKH", 0, "001479091972186c449eb1ded22b78e40d009bdf0089", 1_000_000_000),
        ("P2SH-P2WSH", 0, "", 987_654_321),
    ],
)
def test_bip143_digests_of_sighash_all(title, index, code, value):
    section = _section(title)
    unsigned = transaction_of(_first("unsigned transaction", section))
    script = bytes.fromhex(code)
    told = keyhash_code(script) if code else _first("witnessScript ?", section)
    assert digest_of(unsigned, index, told, value) == _first("sigHash", section)


def test_bip143_signed_transactions_hold_for_cores_engine():
    section = _section("Native P2WPKH")
    raw = _first("serialized signed transaction is", section)
    one, two = (spend.outpoint for spend in transaction_of(raw).inputs)
    outputs = [bytes.fromhex(x) for x in re.findall(r"scriptPubKey : ([0-9a-f]+)", section)]
    previous = {one: (625_000_000, outputs[0]), two: (600_000_000, outputs[1])}
    check_spend(raw, previous)
    with pytest.raises(ProofInvalid):
        check_spend(raw, previous | {two: (600_000_001, outputs[1])})
    section = _section("P2SH-P2WPKH")
    raw = _first("serialized signed transaction is", section)
    output = re.search(r"scriptPubKey : ([0-9a-f]+)", section)[1]
    point = transaction_of(raw).inputs[0].outpoint
    check_spend(raw, {point: (1_000_000_000, bytes.fromhex(output))})


def test_bip341_wallet_transaction_holds_and_no_input_without_its_own_value():
    case = json.loads(_text("bip341_wallet.json"))["keyPathSpending"][0]
    raw = bytes.fromhex(case["auxiliary"]["fullySignedTx"])
    spent = [
        (u["amountSats"], bytes.fromhex(u["scriptPubKey"])) for u in case["given"]["utxosSpent"]
    ]
    points = [one.outpoint for one in transaction_of(raw).inputs]
    previous = dict(zip(points, spent, strict=True))
    assert len(check_spend(raw, previous).inputs) == 9
    for point in points:
        value, script = previous[point]
        with pytest.raises(ProofInvalid):
            check_spend(raw, previous | {point: (value + 1, script)})
        with pytest.raises(ProofInvalid, match="not known"):  # the engine itself would abort
            check_spend(raw, {p: o for p, o in previous.items() if p != point})


def test_our_path_calls_nothing_good_that_it_does_not_know():
    case = json.loads(_text("bip341_wallet.json"))["keyPathSpending"][0]
    raw = bytes.fromhex(case["auxiliary"]["fullySignedTx"])
    spent = [
        Output(u["amountSats"], bytes.fromhex(u["scriptPubKey"]))
        for u in case["given"]["utxosSpent"]
    ]
    with pytest.raises(ProofInvalid):
        check_ours(transaction_of(raw), spent)


def _spend(
    script: bytes, witness: bytes, *, key=COIN, choice=None, sequence=0xFFFFFFFD, value=50_000
):
    """An anchor of one coin, signed by hand: apart from every path that is tested."""
    point = TransactionInput(b"\x11" * 32, 1, sequence=sequence)
    outputs = [
        TransactionOutput(0, Script(payload_script(PAYLOAD))),
        TransactionOutput(value - 500, Script(script)),
    ]
    made = Transaction(2, [point], outputs, 0)
    code = witness or keyhash_code(script)
    signature = key.sign(made.sighash_segwit(0, Script(code), value), hasher=None) + b"\x01"
    ours = key.public_key.format()
    items = [signature, choice, witness] if witness else [signature, ours]
    made.vin[0].witness = Witness(items)
    return made.serialize(), Outpoint(Txid("11" * 32), 1)


def _both(raw: bytes, point: Outpoint, value: int, script: bytes) -> bool:
    """What Core's engine and our path say; they must not differ."""
    try:
        check_spend(raw, {point: (value, script)})
        core = True
    except ProofInvalid:
        core = False
    try:
        check_ours(transaction_of(raw), (Output(value, script),))
        ours = True
    except (ProofInvalid, ValueError):
        ours = False
    assert core == ours
    return core


def test_every_flipped_bit_of_an_anchor_is_refused_by_both():
    assert HAVE_KERNEL
    dead_man = witness_script(PUBLIC, SPARE, 144)
    plain = p2wpkh(PUBLIC), b"", None
    for script, witness, choice in (plain, (coin_script(PUBLIC, SPARE, 144), dead_man, b"\x01")):
        raw, point = _spend(script, witness, choice=choice)
        assert _both(raw, point, 50_000, script)
        for bit in range(len(raw) * 8):
            bad = bytearray(raw)
            bad[bit // 8] ^= 1 << bit % 8
            # MINIMALIF is policy: the engine takes any true value for the choice of path.
            path = len(raw) - 6 - len(witness)
            if choice and bad[path] != raw[path]:
                with pytest.raises(ProofInvalid):
                    check_ours(transaction_of(bytes(bad)), (Output(50_000, script),))
                continue
            assert not _both(bytes(bad), point, 50_000, script)


@settings(max_examples=60)
@given(
    after=st.integers(1, 0xFFFF),
    sequence=st.one_of(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)),
    by_recovery=st.booleans(),
)
def test_both_judges_agree_on_the_dead_mans_delay(after, sequence, by_recovery):
    script, witness = coin_script(PUBLIC, SPARE, after), witness_script(PUBLIC, SPARE, after)
    key, choice = (RECOVERY, b"") if by_recovery else (COIN, b"\x01")
    if by_recovery and sequence == 0:
        sequence = 1  # embit writes a sequence of 0 as another
    raw, point = _spend(script, witness, key=key, choice=choice, sequence=sequence)
    opens = not sequence & (1 << 31 | 1 << 22) and sequence & 0xFFFF >= after
    assert _both(raw, point, 50_000, script) == (opens or not by_recovery)
    wrong = COIN if by_recovery else RECOVERY
    raw, point = _spend(script, witness, key=wrong, choice=choice, sequence=sequence or 1)
    assert not _both(raw, point, 50_000, script)


@settings(max_examples=25)
@given(after=st.integers(1, 0xFFFF))
def test_the_signer_builds_the_same_scripts_by_itself(after):
    genesis = found(KEYS, "00" * 32, 1, recovery=(SPARE.hex(), after))
    ours = scripts_of(genesis)
    assert ours.coin == signers.coin_script(genesis)
    assert ours.witness == signers.witness_script(genesis)
    assert ours.deposit == signers.deposit_script(genesis)


def test_a_coin_without_recovery_is_plain():
    ours = scripts_of(found(KEYS, "00" * 32, 1))
    assert ours.coin == ours.deposit == p2wpkh(ours.public)
    assert not ours.witness


@given(body=st.binary(min_size=32, max_size=32), junk=st.binary(max_size=60))
def test_payloads_are_read_in_their_one_form_only(body, junk):
    for kind in (AnchorKind.GENESIS, AnchorKind.CHECKPOINT, AnchorKind.BATCH):
        script = payload_script(Payload(kind, body))
        assert payload_in(script) == Payload(kind, body)
        assert len(script) == 40
        assert payload_in(b"\x6a\x4c" + script[1:]) is None
        assert payload_in(script + b"\x00") is None
    handoff = payload_script(Payload(AnchorKind.HANDOFF, body + body))
    assert len(handoff) == 72
    assert payload_in(handoff) == Payload(AnchorKind.HANDOFF, body + body)
    assert payload_in(b"\x6a" + junk) is None or junk[1:5] == b"HRM2"


def test_ids_sizes_outpoints():
    raw, _ = _spend(p2wpkh(PUBLIC), b"")
    found_one = transaction_of(raw)
    assert txid_of(raw) == found_one.txid == Transaction.parse(raw).txid().hex()
    assert 158 <= vsize(raw) <= 160
    assert output_of(raw, found_one.outpoint(1)).value == 49_500
    for wrong in (Outpoint(Txid("00" * 32), 0), found_one.outpoint(2)):
        with pytest.raises(ValueError, match=r"not|no output"):
            output_of(raw, wrong)
    assert outpoint_of(outpoint_text(found_one.outpoint(1))) == found_one.outpoint(1)
    for text in ("", "00:1", "zz" * 32 + ":0", "00" * 32, "00" * 32 + ":-1"):
        with pytest.raises(ValueError, match=r"outpoint|hex"):
            outpoint_of(text)


@given(st.data())
def test_bytes_that_are_no_transaction_are_refused(data):
    raw, _ = _spend(p2wpkh(PUBLIC), b"")
    cut = data.draw(st.integers(0, len(raw) - 1))
    more = data.draw(st.binary(min_size=1, max_size=8))
    for bad in (raw[:cut], raw + more, data.draw(st.binary(max_size=200))):
        with pytest.raises(ValueError, match="transaction"):
            transaction_of(bad)


def test_more_out_than_in_is_refused():
    raw, point = _spend(p2wpkh(PUBLIC), b"")
    with pytest.raises(ProofInvalid, match="pays more"):
        check_spend(raw, {point: (49_000, p2wpkh(PUBLIC))})
