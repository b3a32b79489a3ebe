"""The recovery key's process: `python -m hermes.chain.recovery_signer`, one signature long.

Takes one request on standard input, reads the key from a file or asks for it at the terminal,
checks what it signs, answers, ends. The key is in no other process and is kept nowhere. Does
not guard against root, nor against a terminal that is watched.
"""

import contextlib
import getpass
import sys
from pathlib import Path

import msgspec
from coincurve import PrivateKey
from embit.ec import PrivateKey as WifKey

from hermes.chain.recovery import check_recovery
from hermes.chain.scripts import scripts_of
from hermes.config import Chain
from hermes.core.event import Json
from hermes.errors import HermesError, Refused
from hermes.identity.attest import Genesis
from hermes.identity.genesis import genesis_of
from hermes.identity.signer import harden
from hermes.identity.spend import read_spend

_LONGEST = 1 << 20
_KEY_LONGEST = 256
_SECRET = 32


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be signed, for whom, under which caps; `key` a path, empty: ask."""

    psbt: str
    old: str
    new: str
    fee_most: int
    fee_rate_most: float
    key: str = ""


def main() -> None:
    """Sign one recovery."""
    harden()
    try:
        answer: dict[str, Json] = {"psbt": sign(_request())}
    except HermesError as error:
        answer = {"refused": error.message, "remedy": error.remedy}
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def sign(request: Request) -> str:
    """Check the transaction and sign the coin's input; raises Refused or ProofInvalid."""
    try:
        old, new = (genesis_of(bytes.fromhex(block)) for block in (request.old, request.new))
    except ValueError as error:
        raise Refused("not a request for a recovery") from error
    caps = Chain(fee_most=request.fee_most, fee_rate_most=request.fee_rate_most)
    spend = read_spend(request.psbt)
    check_recovery(spend, old, new, caps)
    witness = scripts_of(old).witness
    spend.refuse_other_script(0, witness)
    key = _key(request.key, old)
    signature = key.sign(spend.digest(0, witness), hasher=None)
    spend.put(0, bytes.fromhex(old.recovery), signature, witness)
    return spend.to_base64()


def _request() -> Request:
    try:
        line = sys.stdin.buffer.readline(_LONGEST)
        return msgspec.json.decode(line, type=Request)
    except msgspec.DecodeError as error:
        raise Refused("not a request for a recovery") from error


def _key(path: str, old: Genesis) -> PrivateKey:
    try:
        text = _read(Path(path)) if path else getpass.getpass("Recovery key (hex or WIF): ")
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise Refused("the recovery key cannot be read") from error
    key = _secret("".join(text.split()))
    if key is None or key.public_key.format().hex() != old.recovery:
        raise Refused("this is not the recovery key that the predecessor's record names")
    return key


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_KEY_LONGEST).decode()


def _secret(text: str) -> PrivateKey | None:
    with contextlib.suppress(ValueError):
        raw = bytes.fromhex(text)
        return PrivateKey(raw) if len(raw) == _SECRET else None
    try:
        return PrivateKey(WifKey.from_wif(text).secret)
    except Exception:  # noqa: BLE001 - embit raises what it likes, and its words could hold the key
        return None


if __name__ == "__main__":
    main()
