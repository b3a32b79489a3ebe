import base64
import hashlib
from dataclasses import dataclass, field, replace

import msgspec
import pytest
from coincurve import PrivateKey
from embit.psbt import PSBT
from embit.script import Script
from embit.transaction import Transaction, TransactionInput, TransactionOutput
from signer_house import SOUL, WORD, Home, anchor_payload, checkpoint, claim_of

from hermes.chain.backend import Outpoint
from hermes.chain.psbt import finish
from hermes.chain.scripts import scripts_of
from hermes.chain.spend import check_spend
from hermes.core.anchor import AnchorKind, Payload
from hermes.errors import ProofInvalid, Refused
from hermes.identity.claim import fingerprint_of
from hermes.identity.coin import coin_script, deposit_script, witness_script
from hermes.identity.signer_memory import MONTH_MS, Spent, first_memory
from hermes.identity.signer_service import Signer
from hermes.identity.spend import digest_of, read_spend
from hermes.identity.spending import approve
from hermes.identity.statements import HANDOFF

REPLACEABLE = 0xFFFFFFFD
FOREIGN = b"\x00\x14" + b"\x07" * 20
AFTER = 144


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.now


def funding(script: bytes, value: int, salt: int = 0) -> Transaction:
    """A transaction whose output 1 pays a script."""
    spent = TransactionInput(bytes([salt]) * 32, 0, Script(b"\x51"))
    outputs = [TransactionOutput(9, Script(FOREIGN)), TransactionOutput(value, Script(script))]
    return Transaction(2, [spent], outputs, 0)


@dataclass(frozen=True)
class Draft:
    """A transaction that a test bends."""

    inputs: tuple
    outputs: tuple
    sequence: int = REPLACEABLE
    version: int = 2
    locktime: int = 0
    sighash: int | None = 1
    shown: dict = field(default_factory=dict)
    bare: tuple = ()
    swapped: dict = field(default_factory=dict)

    def psbt(self) -> str:
        vin = [TransactionInput(made.txid(), 1, sequence=self.sequence) for made in self.inputs]
        vout = [TransactionOutput(value, Script(script)) for value, script in self.outputs]
        psbt = PSBT(Transaction(self.version, vin, vout, self.locktime))
        for index, made in enumerate(self.inputs):
            scope = psbt.inputs[index]
            scope.sighash_type = self.sighash
            real = made.vout[1]
            scope.witness_utxo = self.shown.get(index, real)
            if index not in self.bare:
                scope.non_witness_utxo = self.swapped.get(index, made)
        return psbt.to_base64()


class Desk:
    """An unlocked signer that signed one checkpoint, and a good anchor of it."""

    def __init__(self, home: Home, signer: Signer, clock: Clock) -> None:
        self.home, self.signer, self.clock = home, signer, clock
        self.text = checkpoint(home, 5)
        self.coin = funding(coin_script(home.genesis), 50_000)
        self.good = Draft(
            (self.coin,), (self.payload(self.text), (49_500, coin_script(home.genesis)))
        )
        self.claim = claim_of(self.text, self.point(self.coin))

    @staticmethod
    def payload(text: str):
        raw = anchor_payload(text)
        return (0, b"\x6a" + bytes([len(raw)]) + raw)

    @staticmethod
    def point(made: Transaction) -> str:
        return f"{made.txid().hex()}:1"

    async def sign(self, draft: Draft | None = None, claim=None) -> str:
        return await self.signer.sign_psbt((draft or self.good).psbt(), claim or self.claim)

    async def refused(self, why: str, draft: Draft | None = None, claim=None) -> None:
        before = (self.home.folder / "signer.json").read_bytes()
        with pytest.raises(Refused, match=why):
            await self.sign(draft, claim)
        assert (self.home.folder / "signer.json").read_bytes() == before


async def open_desk(home: Home) -> Desk:
    await home.make()
    clock = Clock()
    signer = Signer(home.options, clock)
    await signer.unlock(WORD)
    await signer.sign_checkpoint(checkpoint(home, 5), ())
    return Desk(home, signer, clock)


def recovering() -> dict:
    secret = hashlib.sha256(b"recovery").digest()
    return {"recovery": (PrivateKey(secret).public_key.format().hex(), AFTER)}


@pytest.fixture
async def desk(tmp_path):
    return await open_desk(Home(tmp_path / "h"))


@pytest.mark.parametrize("with_recovery", [False, True])
async def test_a_good_anchor_is_signed_and_holds(tmp_path, with_recovery):
    record = recovering() if with_recovery else {}
    desk = await open_desk(Home(tmp_path / "h", **record))
    genesis = desk.home.genesis
    scripts = scripts_of(genesis)
    assert (coin_script(genesis), deposit_script(genesis)) == (scripts.coin, scripts.deposit)
    assert witness_script(genesis) == scripts.witness
    deposit = funding(deposit_script(genesis), 2_000, 1)
    outputs = (*desk.good.outputs, (1_500, deposit_script(genesis)))
    draft = replace(desk.good, inputs=(desk.coin, deposit), outputs=outputs)
    raw = finish(draft.psbt(), await desk.sign(draft), scripts)
    previous = {
        Outpoint(made.txid().hex(), 1): (made.vout[1].value, bytes(made.vout[1].script_pubkey.data))
        for made in draft.inputs
    }
    assert len(check_spend(raw, previous).outputs) == 3
    spoilt = raw[:-40] + bytes([raw[-40] ^ 1]) + raw[-39:]
    with pytest.raises(ProofInvalid):
        check_spend(spoilt, previous)
    assert (await desk.signer.status()).month_sat == 1_000


def outputs(desk: Desk, *rest, payload=None, coin=49_500, to=None) -> Draft:
    """The good anchor with other outputs."""
    first = payload or desk.good.outputs[0]
    script = to or coin_script(desk.home.genesis)
    return replace(desk.good, outputs=(first, (coin, script), *rest))


def own(desk: Desk) -> bytes:
    return deposit_script(desk.home.genesis)


def lying(desk: Desk) -> Draft:
    lie = TransactionOutput(60_000, desk.coin.vout[1].script_pubkey)
    return replace(desk.good, shown={0: lie})


def deposit(desk: Desk) -> Transaction:
    return funding(own(desk), 2_000, 1)


BENT = {
    "the fee is 2001 sat": lambda d: outputs(d, coin=47_999),
    "worth more": lambda d: outputs(d, coin=50_001),
    "output 1 does not pay": lambda d: outputs(d, to=FOREIGN),
    "output 0 is not OP_RETURN": lambda d: outputs(d, payload=d.payload(checkpoint(d.home, 6))),
    "output 0 .* nothing else": lambda d: outputs(
        d, payload=(1, d.good.outputs[0][1]), coin=49_000
    ),
    "output 0 is": lambda d: outputs(d, payload=(0, d.good.outputs[0][1] + b"\x01x")),
    "output 0": lambda d: replace(d.good, outputs=d.good.outputs[::-1]),
    "output 2 pays": lambda d: outputs(d, (9_500, FOREIGN), coin=40_000),
    "output 3 pays": lambda d: outputs(d, (5_000, own(d)), (4_500, own(d)), coin=40_000),
    "output 2 pays where": lambda d: outputs(d, (1_000, FOREIGN), coin=48_500),
    "dust": lambda d: outputs(d, (200, own(d)), coin=49_300),
    "the layout is": lambda d: replace(d.good, outputs=d.good.outputs[:1]),
    "sighash 2": lambda d: replace(d.good, sighash=2),
    "sighash 129": lambda d: replace(d.good, sighash=0x81),
    "input 1 is foreign": lambda d: replace(d.good, inputs=(d.coin, funding(FOREIGN, 2_000, 1))),
    "there twice": lambda d: replace(d.good, inputs=(d.coin, d.coin)),
    "input 0 is not the coin": lambda d: replace(d.good, inputs=(deposit(d), d.coin)),
    "not the real one": lying,
    "amount is unproven": lambda d: replace(d.good, bare=(0,)),
    "another transaction": lambda d: replace(d.good, swapped={0: deposit(d)}),
    "replaceable": lambda d: replace(d.good, sequence=0xFFFFFFFF),
    "version 2": lambda d: replace(d.good, version=1),
    "lock time": lambda d: replace(d.good, locktime=700_000),
}


@pytest.mark.parametrize("why", list(BENT))
async def test_a_bent_transaction_is_refused(desk, why):
    await desk.refused(why, BENT[why](desk))


async def test_a_fee_rate_has_a_cap_of_its_own(tmp_path):
    home = Home(tmp_path / "h")
    home.caps = msgspec.structs.replace(home.caps, fee_rate_most=3.0)
    desk = await open_desk(home)
    await desk.refused("sat a virtual byte", desk.good)  # 500 sat over some 160
    cheap = replace(desk.good, outputs=(desk.good.outputs[0], (49_600, coin_script(home.genesis))))
    await desk.sign(cheap)


async def test_a_month_has_a_cap_and_replacements_count_once(desk):
    spent = 0
    for salt in range(2, 5):
        coin = funding(coin_script(desk.home.genesis), 50_000, salt)
        outputs = (desk.good.outputs[0], (48_200, coin_script(desk.home.genesis)))
        draft = replace(desk.good, inputs=(coin,), outputs=outputs)
        claim = claim_of(desk.text, desk.point(coin))
        if spent + 1_800 > desk.home.caps.month_most:
            await desk.refused("this month's fees", draft, claim)
            continue
        await desk.sign(draft, claim)
        await desk.sign(draft, claim)  # a replacement of itself
        spent += 1_800
        assert (await desk.signer.status()).month_sat == spent
    again = Signer(desk.home.options, desk.clock)  # the ledger outlives the process
    await again.unlock(WORD)
    assert (await again.status()).month_sat == spent
    with pytest.raises(Refused, match="this month"):
        await again.sign_psbt(draft.psbt(), claim)
    desk.clock.now += MONTH_MS + 1
    await again.sign_psbt(draft.psbt(), claim)
    assert (await again.status()).month_sat == 1_800


async def test_only_its_own_checkpoints_are_anchored(desk):
    other = checkpoint(desk.home, 6)
    draft = replace(desk.good, outputs=(desk.payload(other), desk.good.outputs[1]))
    await desk.refused("none that this signer signed", draft, claim_of(other, desk.claim.coin))
    wrong = msgspec.structs.replace(desk.claim, checkpoint=other)
    await desk.refused("none that this signer signed", claim=wrong)
    note = (desk.home.folder / "checkpoint.note").read_text()
    await desk.sign(claim=msgspec.structs.replace(desk.claim, checkpoint=note))
    forged = note.replace("\n5\n", "\n6\n")
    await desk.refused(
        "none that this signer", claim=msgspec.structs.replace(desk.claim, checkpoint=forged)
    )


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        (AnchorKind.GENESIS, b"own", ""),
        (AnchorKind.GENESIS, b"\x01" * 32, "genesis record"),
        (AnchorKind.BATCH, b"\x01" * 32, ""),
        (AnchorKind.HANDOFF, b"\x01" * 64, "handoff"),
    ],
)
async def test_payload_kinds(desk, kind, body, why):
    if body == b"own":
        body = hashlib.sha256(desk.home.genesis.record.block().data).digest()
    raw = Payload(kind, body).encode()
    script = b"\x6a" + bytes([len(raw)]) + raw
    draft = replace(desk.good, outputs=((0, script), desk.good.outputs[1]))
    claim = msgspec.structs.replace(desk.claim, payload=raw.hex(), checkpoint="")
    if why:
        await desk.refused(why, draft, claim)
    else:
        await desk.sign(draft, claim)


async def test_malformed_psbts(desk):
    raw = base64.b64decode(desk.good.psbt())
    for end in range(0, len(raw), 3):
        with pytest.raises(Refused):
            await desk.signer.sign_psbt(base64.b64encode(raw[:end]).decode(), desk.claim)
    huge = base64.b64encode(raw + bytes(400_000)).decode()
    with pytest.raises(Refused, match="more than 256 kB"):
        await desk.signer.sign_psbt(huge, desk.claim)
    bomb = raw[:5] + b"\x01\x04\x05\xfe\xff\xff\xff\xff" + raw[5:]  # four billion inputs
    with pytest.raises(Refused, match="global fields"):
        await desk.signer.sign_psbt(base64.b64encode(bomb).decode(), desk.claim)
    for text in ("", "no base64!", "cHNidP8="):
        with pytest.raises(Refused):
            await desk.signer.sign_psbt(text, desk.claim)


async def test_another_witness_script_is_refused(tmp_path):
    desk = await open_desk(Home(tmp_path / "h", **recovering()))
    psbt = PSBT.from_string(desk.good.psbt())
    psbt.inputs[0].witness_script = Script(b"\x51")
    with pytest.raises(Refused, match="another witness script"):
        await desk.signer.sign_psbt(psbt.to_base64(), desk.claim)


async def test_the_settings_network_is_the_identitys(tmp_path):
    home = Home(tmp_path / "h")
    home.caps = msgspec.structs.replace(home.caps, network="signet")
    desk = await open_desk(home)
    await desk.refused("settings say signet")


@pytest.mark.parametrize("lacking", ["nothing", "config", "environment", "fingerprint"])
async def test_the_main_network_takes_three_keys(tmp_path, lacking):
    home = Home(tmp_path / "h", network="main")
    home.caps = msgspec.structs.replace(
        home.caps,
        network="regtest" if lacking == "config" else "main",
        mainnet=lacking != "environment",
    )
    desk = await open_desk(home)
    typed = "" if lacking == "fingerprint" else fingerprint_of(home.genesis.cid)
    claim = msgspec.structs.replace(desk.claim, fingerprint=typed)
    if lacking == "nothing":
        await desk.sign(claim=claim)
    else:
        await desk.refused("settings say|HERMES_V2_MAINNET|fingerprint", claim=claim)


@dataclass
class Succession:
    """An old identity that appoints a new one, and the transaction that both sign."""

    old: Desk
    new: Desk
    record: bytes
    draft: Draft
    claim: object

    def side(self, *, gives: bool, **fields):
        blocks = {"successor": self.new} if gives else {"predecessor": self.old}
        known = {k: d.home.genesis.record.block().data.hex() for k, d in blocks.items()}
        return msgspec.structs.replace(self.claim, **(known | fields))


async def succession(tmp_path) -> Succession:
    old = await open_desk(Home(tmp_path / "old", **recovering()))
    new = await open_desk(Home(tmp_path / "new", seed=b"two", parent=old.home.genesis.cid))
    fields = {
        "old": old.home.genesis.cid,
        "new": new.home.genesis.cid,
        "soul": hashlib.sha256(SOUL).hexdigest(),
        "verdict": "",
        "checkpoint": old.text,
    }
    record = await old.signer.attest(HANDOFF, fields)
    body = hashlib.sha256(old.text.encode()).digest() + hashlib.sha256(record).digest()
    raw = Payload(AnchorKind.HANDOFF, body).encode()
    stake = funding(deposit_script(new.home.genesis), 1_000, 3)
    outputs = ((0, b"\x6a" + bytes([len(raw)]) + raw), (50_000, coin_script(new.home.genesis)))
    draft = replace(old.good, inputs=(old.coin, stake), outputs=outputs)
    claim = msgspec.structs.replace(
        old.claim, kind="handoff", payload=raw.hex(), checkpoint="", handoff=record.hex()
    )
    return Succession(old, new, record, draft, claim)


async def test_both_sign_a_handoff(tmp_path):
    made = await succession(tmp_path)
    first = await made.old.sign(made.draft, made.side(gives=True))
    both = await made.new.signer.sign_psbt(first, made.side(gives=False))
    psbt = PSBT.from_string(both)
    keys = [[key.sec().hex() for key in scope.partial_sigs] for scope in psbt.inputs]
    assert keys == [[made.old.home.genesis.coin], [made.new.home.genesis.coin]]


async def test_each_side_refuses_an_altered_handoff(tmp_path):
    made = await succession(tmp_path)
    sides = ((made.old, made.side(gives=True)), (made.new, made.side(gives=False)))
    payload, coin = made.draft.outputs
    for desk, claim in sides:
        to_other = replace(made.draft, outputs=(payload, (50_000, FOREIGN)))
        await desk.refused("output 1 does not pay", to_other, claim)
        dear = replace(made.draft, outputs=(payload, (48_000, coin[1])))
        await desk.refused("the fee is", dear, claim)
        other = replace(
            made.draft, outputs=((0, payload[1][:-1] + bytes((payload[1][-1] ^ 1,))), coin)
        )
        await desk.refused("output 0", other, claim)
        lie = msgspec.structs.replace(
            claim, payload=claim.payload[:-1] + "01"[claim.payload[-1] == "0"]
        )
        await desk.refused("not of this handoff", made.draft, lie)
        torn = msgspec.structs.replace(claim, handoff=claim.handoff[:-2])
        await desk.refused("no handoff record", made.draft, torn)
        spoilt = bytearray(made.record)
        spoilt[-10] ^= 1
        forged = msgspec.structs.replace(claim, handoff=bytes(spoilt).hex())
        await desk.refused("handoff record", made.draft, forged)
    stranger = Home(tmp_path / "x", seed=b"three").genesis.record.block().data.hex()
    await made.old.refused(
        "another successor", made.draft, made.side(gives=True, successor=stranger)
    )
    await made.new.refused(
        "handoff record", made.draft, made.side(gives=False, predecessor=stranger)
    )


async def test_who_appoints_a_successor_cannot_take_its_deposits(tmp_path):
    made = await succession(tmp_path)
    old, new = made.old, made.new.home.genesis
    rich = funding(deposit_script(new), 900_000, 5)
    payload, _ = made.draft.outputs
    outputs = (payload, (1_000, coin_script(new)), (948_500, deposit_script(old.home.genesis)))
    drain = replace(made.draft, inputs=(old.coin, rich), outputs=outputs)
    await made.new.refused("output 2 pays", drain, made.side(gives=False))


def test_spends_of_coins_that_never_were_do_not_fill_the_memory(tmp_path):
    home = Home(tmp_path / "h")
    coin = funding(coin_script(home.genesis), 50_000)
    text = checkpoint(home, 5)
    outputs = (Desk.payload(text), (49_500, coin_script(home.genesis)))
    spend = read_spend(Draft((coin,), outputs).psbt())
    claim = claim_of(text, Desk.point(coin))
    now = Clock().now
    many = tuple(Spent(f"{number:064x}:0", 0, now) for number in range(4_096))
    memory = first_memory(home.genesis).with_checkpoint(text, digest_of(text))
    full = msgspec.structs.replace(memory, spent=many)
    assert approve(spend, claim, home.genesis, memory, home.caps, now).sat == 500
    with pytest.raises(Refused, match="4096 coins"):
        approve(spend, claim, home.genesis, full, home.caps, now)
    assert approve(spend, claim, home.genesis, full, home.caps, now + MONTH_MS).sat == 500


async def test_a_stake_goes_to_the_appointed_only(tmp_path):
    made = await succession(tmp_path)
    old, new = made.old, made.new.home.genesis
    payload, coin = old.good.outputs
    draft = replace(old.good, outputs=(payload, (48_500, coin[1]), (1_000, deposit_script(new))))
    await old.refused("output 2 pays", draft)
    claim = msgspec.structs.replace(old.claim, successor=new.record.block().data.hex())
    await old.sign(draft, claim)
    assert (await old.signer.status()).month_sat == 1_500
    more = replace(old.good, outputs=(payload, (47_500, coin[1]), (2_000, deposit_script(new))))
    await old.refused("output 2 pays", more, claim)
    stranger = Home(tmp_path / "x", seed=b"three").genesis.record.block().data.hex()
    await old.refused(
        "handoff record|not appointed",
        draft,
        msgspec.structs.replace(old.claim, successor=stranger),
    )


async def test_a_successor_recovers_a_dead_predecessors_coin(tmp_path):
    made = await succession(tmp_path)
    new, old = made.new, made.old
    own = new.home.genesis
    raw = Payload(AnchorKind.GENESIS, hashlib.sha256(own.record.block().data).digest()).encode()
    deposit = funding(deposit_script(own), 2_000, 4)
    outputs = ((0, b"\x6a" + bytes([len(raw)]) + raw), (51_000, coin_script(own)))
    draft = replace(old.good, inputs=(old.coin, deposit), outputs=outputs, sequence=AFTER)
    claim = msgspec.structs.replace(
        old.claim,
        kind="recover",
        payload=raw.hex(),
        checkpoint="",
        predecessor=old.home.genesis.record.block().data.hex(),
    )
    signed = PSBT.from_string(await new.sign(draft, claim))
    assert [len(scope.partial_sigs) for scope in signed.inputs] == [0, 1]
    elsewhere = replace(draft, outputs=(outputs[0], (51_000, FOREIGN)))
    await new.refused("output 1 does not pay", elsewhere, claim)
    await old.refused("does not name that predecessor|genesis", draft, claim)
