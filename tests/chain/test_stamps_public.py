"""The public client, a process of its own on loopback, reads what we write and asks our calendar.

Never `ots stamp` without a calendar: it would dial four public ones.
"""

import hashlib
import sys

import anyio
import pytest
from stamp_regtest import SETTLED, regtest

from hermes.chain.calendar_http import open_calendar
from hermes.chain.calendar_limits import Limits
from hermes.chain.stamps import blinded, check_proof, read_proof, stamped
from hermes.core.clock import SystemClock
from hermes.errors import ProofInvalid
from hermes.store.store import Store

pytestmark = pytest.mark.slow
RUN = "from otsclient.ots import main; main()"


@pytest.fixture
async def place(tmp_path):
    """A calendar on a regtest chain, and the public client bound to both."""
    async with (
        Store.open(tmp_path / "hermes.db", SystemClock()) as store,
        regtest() as (chain, batcher),
        open_calendar(store.stamps, "127.0.0.1:0", batcher, print, Limits()) as calendar,
    ):

        async def ots(*words):
            shared = [
                *("--no-cache", "--btc-regtest", "--bitcoin-node", chain.http_url),
                *("--no-default-whitelist", "-l", calendar.uri),
            ]
            command = [sys.executable, "-W", "ignore", "-c", RUN, *shared, *map(str, words)]
            with anyio.fail_after(50):
                done = await anyio.run_process(command, check=False, cwd=tmp_path)
            return done.returncode, (done.stdout + done.stderr).decode()

        yield tmp_path, chain, calendar, ots


async def ours(calendar, path):
    """A proof of a file by our own hand."""
    digest, nonce = hashlib.sha256(path.read_bytes()).digest(), bytes(16)
    return stamped(digest, nonce, await calendar.add(blinded(digest, nonce)))


async def test_our_proofs_are_upgraded_shown_and_verified_by_the_public_client(place):
    folder, chain, calendar, ots = place
    file, proof = folder / "a.txt", folder / "a.txt.ots"
    file.write_text("hello")
    proof.write_bytes((await ours(calendar, file)).encode())
    for number in range(20):
        await calendar.add(hashlib.sha256(b"%d" % number).digest())
    code, said = await ots("upgrade", proof)
    assert (code, "Pending confirmation in Bitcoin blockchain" in said) == (1, True)
    await calendar.close_batch()
    await chain.mine(SETTLED)
    await calendar.refresh()
    height = chain.tip.height - SETTLED + 1
    code, said = await ots("upgrade", proof)
    assert (code, "Success! Timestamp complete" in said) == (0, True), said
    code, said = await ots("info", proof)
    assert (code, f"BitcoinBlockHeaderAttestation({height})" in said) == (0, True), said
    code, said = await ots("verify", proof)
    assert (code, f"Success! Bitcoin block {height} attests" in said) == (0, True), said
    # What the public client wrote, we read; and what we upgrade, it accepts.
    full = read_proof(proof.read_bytes())
    assert [one.height for one in full.attested()] == [height]
    mine = await ours(calendar, file)
    promise = mine.promised()[0]
    await calendar.close_batch()
    await chain.mine(SETTLED)
    await calendar.refresh()
    found = await calendar.find(promise.commitment)
    (folder / "b.ots").write_bytes(mine.upgraded(promise.commitment, found.way).encode())
    code, said = await ots("verify", "-f", file, folder / "b.ots")
    assert (code, "attests existence" in said) == (0, True), said


async def test_what_the_public_client_stamps_here_we_verify_and_it_refuses_what_we_refuse(place):
    folder, chain, calendar, ots = place
    files = [folder / f"{number}.txt" for number in range(3)]
    for file in files:
        file.write_text(file.name)
    code, said = await ots("stamp", "-c", calendar.uri, "-m", "1", *files)
    assert code == 0, said
    await calendar.close_batch()
    await chain.mine(SETTLED)
    await calendar.refresh()
    header = bytes.fromhex(
        await chain.rpc(
            "getblockheader", await chain.rpc("getblockhash", chain.tip.height - SETTLED + 1), 0
        )
    )
    digest_of_first = hashlib.sha256(files[0].read_bytes()).digest()
    for file in files:
        path = folder / f"{file.name}.ots"
        assert (await ots("upgrade", path))[0] == 0
        proof = read_proof(path.read_bytes())
        digest = hashlib.sha256(file.read_bytes()).digest()
        assert check_proof(proof, digest, lambda _: header).height
    assert (await ots("verify", "-f", files[1], folder / "0.txt.ots"))[0] == 1
    raw = bytearray((folder / "0.txt.ots").read_bytes())
    raw[-20] ^= 1
    (folder / "0.txt.ots").write_bytes(raw)
    assert (await ots("verify", folder / "0.txt.ots"))[0] == 1
    with pytest.raises(ProofInvalid):
        check_proof(read_proof(bytes(raw)), digest_of_first, lambda _: header)
