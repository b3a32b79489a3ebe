"""The node's side of the signer's socket. Each call is a connection of its own.

So a cancelled call, or a signer that was restarted, never leaves an answer behind for the next.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.canonical import Value
from hermes.core.checkpoint import NoteSignature
from hermes.core.event import Json
from hermes.errors import SignerGone
from hermes.identity.claim import SpendClaim
from hermes.identity.signer_wire import LINE_MOST, SignerStatus, error_of

_PIECE = 65_536
_PATIENCE_S = 60.0  # opening a vault on a machine that is busy
_GONE = "the signer does not answer"
_REMEDY = "restart the node"


class Agent:
    """A signer's client; raises what the signer raised, or SignerGone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    @asynccontextmanager
    async def connect(cls, path: Path) -> AsyncGenerator["Agent"]:
        """Reach a signer by its socket; raises SignerGone when there is none."""
        agent = cls(path)
        await agent.status()
        yield agent

    async def status(self) -> SignerStatus:
        """How the signer stands."""
        return msgspec.convert(await self._call("status"), SignerStatus)

    async def unlock(self, passphrase: str) -> None:
        """Open the vault; raises PassphraseWrong, Refused (too soon), IdentityInvalid."""
        await self._call("unlock", passphrase=passphrase)

    async def lock(self) -> None:
        """Make the signer forget its keys: its process ends, a new one starts without them."""
        await self._call("lock")

    async def hot_key(self) -> str:
        """The Nostr secret in hex, the runtime's only key; raises IdentityLocked."""
        return str(await self._call("hot_key"))

    async def sign_checkpoint(self, text: str, proof: tuple[bytes, ...]) -> NoteSignature:
        """Sign a log's checkpoint, with the RFC 9162 proof from the one signed last.

        Raises Refused when the log did not only grow. The signer writes `checkpoint.note` too.
        """
        found = await self._call("sign_checkpoint", text=text, proof=[one.hex() for one in proof])
        return _line(found)

    async def cosign(self, text: str) -> NoteSignature:
        """Cosign another log's checkpoint; its growth is to be checked before."""
        return _line(await self._call("cosign", text=text))

    async def attest(self, kind: str, fields: Mapping[str, Value]) -> Attestation:
        """Have a statement signed by the role that its kind takes; `at` is filled in."""
        block = await self._call("attest", kind=kind, fields=dict(fields))
        return attestation_of(bytes.fromhex(block))

    async def sign_psbt(self, psbt: str, claim: SpendClaim) -> str:
        """Sign the own inputs of a PSBT (base64, every previous transaction inside).

        Raises Refused with the reason.
        """
        return str(await self._call("sign_psbt", psbt=psbt, claim=msgspec.to_builtins(claim)))

    async def genesis(self) -> Attestation:
        """The genesis record."""
        return attestation_of(bytes.fromhex(await self._call("genesis")))

    async def _call(self, method: str, **params: Json) -> Json:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            with anyio.fail_after(_PATIENCE_S):
                answer = await self._exchange(msgspec.json.encode(request) + b"\n")
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream, TimeoutError) as error:
            raise SignerGone(_GONE, _REMEDY) from error
        try:
            found = msgspec.json.decode(answer)
        except msgspec.DecodeError as error:
            raise SignerGone("the signer's answer is none", _REMEDY) from error
        if not isinstance(found, dict) or "result" not in found:
            raise error_of(found.get("error") if isinstance(found, dict) else None)
        return found["result"]

    async def _exchange(self, line: bytes) -> bytes:
        async with await anyio.connect_unix(self._path) as stream:
            await stream.send(line)
            answer = bytearray()
            while not answer.endswith(b"\n"):
                if len(answer) > LINE_MOST:
                    raise SignerGone("the signer's answer is too long", _REMEDY)
                answer += await stream.receive(_PIECE)
            return bytes(answer)


def _line(found: Json) -> NoteSignature:
    key_id, signature = bytes.fromhex(found["key_id"]), bytes.fromhex(found["signature"])
    return NoteSignature(found["name"], key_id, signature)
