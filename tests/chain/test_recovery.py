"""The recovery key signs one thing only: the dead instance's coin to the heir that is named."""

import subprocess
import sys

import msgspec
import pytest
from embit.ec import PrivateKey as WifKey
from embit.psbt import PSBT
from embit.script import Script

from hermes.chain.coin import Funds
from hermes.chain.fees import Budget
from hermes.chain.handoff_layout import Cost, lay_out_recovery
from hermes.chain.lineage_wire import Lineage
from hermes.chain.psbt import psbt_of
from hermes.chain.recovery import check_recovered
from hermes.chain.recovery_signer import Request, sign
from hermes.chain.scripts import scripts_of
from hermes.config import Chain
from hermes.errors import HermesError, NotAvailable, ProofInvalid, Refused
from hermes.identity.spend import read_spend
from hermes.testing.lineages import AFTER, RECOVERY, Line, who

DEAD = who("dead", recovery=True)
HEIR = who("heir", parent=DEAD.genesis.cid)
STRANGER = who("stranger")
CAPS = Chain()
COST = Cost(2.0, Budget(50.0, 20_000, 100_000))


def coin():
    line = Line(DEAD)
    line.checkpoint(1)
    return line, Funds(line.coin.outpoint, line.coin.value, line.coin.script, line.links[-1].raw)


def draft(heir=HEIR, cost=COST):
    _, funds = coin()
    layout = lay_out_recovery(funds, (), DEAD.genesis, heir.genesis, cost)
    return psbt_of(layout, (DEAD.scripts, heir.scripts), AFTER)


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "recovery.key"
    path.write_text(RECOVERY.secret.hex() + "\n")
    return path


def request(psbt, key, **parts):
    named = {"old": DEAD.block.hex(), "new": HEIR.block.hex(), "key": str(key)}
    return Request(psbt=psbt, **named | {"fee_most": 20_000, "fee_rate_most": 50.0} | parts)


def altered(change):
    psbt = PSBT.from_string(draft())
    change(psbt)
    return psbt.to_base64()


def test_what_it_signs_is_a_link_of_the_line(key):
    line, _ = coin()
    signed = sign(request(draft(), key))
    before = Lineage(line.genesis, tuple(line.links))
    found = check_recovered(read_spend(signed), before, HEIR.genesis, CAPS)
    assert found.old.cid == DEAD.genesis.cid
    assert len(found.lineage.links) == 3
    with pytest.raises(ProofInvalid, match="not the coin that the lineage ends with"):
        check_recovered(
            read_spend(signed), Lineage(line.genesis, (line.links[0],)), HEIR.genesis, CAPS
        )


def test_a_key_in_wif_does_as_well(tmp_path):
    path = tmp_path / "wif"
    path.write_text(WifKey(RECOVERY.secret).wif())
    assert sign(request(draft(), path)) == sign_hex(tmp_path)


def sign_hex(tmp_path):
    path = tmp_path / "hex"
    path.write_text(RECOVERY.secret.hex())
    return sign(request(draft(), path))


def dearer(psbt):
    psbt.outputs[1].value -= 50_000


def elsewhere(psbt):
    psbt.outputs[1].script_pubkey = Script(STRANGER.scripts.coin)


def another_payload(psbt):
    psbt.outputs[0].script_pubkey = Script(bytes(psbt.outputs[0].script_pubkey.data)[:-1] + b"\0")


def sooner(psbt):
    psbt.inputs[0].sequence = AFTER - 1


def without_delay(psbt):
    psbt.inputs[0].sequence = 0xFFFFFFFF


def another_script(psbt):
    psbt.inputs[0].witness_script = Script(b"\x51")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (dearer, "more than the settings allow"),
        (elsewhere, "does not go to the heir"),
        (another_payload, "not of the heir's genesis record"),
        (sooner, "delay of 12 blocks"),
        (without_delay, "delay of 12 blocks"),
        (another_script, "another witness script"),
    ],
)
def test_an_altered_transaction_is_not_signed(key, change, why):
    with pytest.raises(HermesError, match=why):
        sign(request(altered(change), key))


def test_an_heir_that_no_record_names_gets_nothing(key):
    with pytest.raises(Refused, match="does not name that predecessor") as raised:
        sign(request(draft(STRANGER), key, new=STRANGER.block.hex()))
    assert DEAD.genesis.cid in raised.value.remedy
    living = who("no recovery")
    with pytest.raises(Refused, match="named no recovery key"):
        sign(request(draft(), key, old=living.block.hex()))


@pytest.mark.parametrize("text", ["", "00" * 32, "11" * 32, "zz", "ff" * 33, "L" * 52])
def test_another_key_is_refused_and_never_said(tmp_path, text):
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(Refused, match="not the recovery key") as raised:
        sign(request(draft(), path))
    assert not text or text not in str(raised.value)


def test_a_missing_key_file_is_said(tmp_path):
    with pytest.raises(Refused, match="cannot be read"):
        sign(request(draft(), tmp_path / "none"))


def test_unsigned_or_half_changed_it_is_no_recovery(key):
    line, _ = coin()
    before = Lineage(line.genesis, tuple(line.links))
    with pytest.raises(ProofInvalid, match="recovery key's signature"):
        check_recovered(read_spend(draft()), before, HEIR.genesis, CAPS)
    psbt = PSBT.from_string(sign(request(draft(), key)))
    psbt.outputs[1].value -= 1
    with pytest.raises(ProofInvalid, match=r"input 0 does not hold|signature of input 0"):
        check_recovered(read_spend(psbt.to_base64()), before, HEIR.genesis, CAPS)


def test_a_coin_that_is_too_poor_takes_in_the_heirs_deposits():
    line, funds = coin()
    dear = Cost(40.0, Budget(50.0, 20_000, 100_000))
    poor = msgspec.structs.replace(funds, value=3_000)
    with pytest.raises(NotAvailable, match="too little"):
        lay_out_recovery(poor, (), DEAD.genesis, HEIR.genesis, dear)
    deposit = line.deposit(HEIR, 50_000)
    more = Funds(deposit.outpoint, deposit.value, deposit.script, b"")
    layout = lay_out_recovery(poor, (more,), DEAD.genesis, HEIR.genesis, dear)
    assert layout.inputs == (poor, more)
    assert layout.outputs[1].script == scripts_of(HEIR.genesis).coin
    assert 3_000 + 50_000 - layout.fee == layout.outputs[1].value


def test_the_process_answers_once_and_holds_nothing(key):
    line = msgspec.json.encode(request(draft(), key)) + b"\n"
    for sent, wanted in ((line, "psbt"), (b"{}\n", "refused"), (b"", "refused")):
        done = subprocess.run(
            [sys.executable, "-m", "hermes.chain.recovery_signer"],
            input=sent,
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert wanted in msgspec.json.decode(done.stdout)
        assert RECOVERY.secret.hex().encode() not in done.stdout + done.stderr
