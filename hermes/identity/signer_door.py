"""The signer's door: one request and one answer a connection, JSON-RPC 2.0, bounded.

Any process of this user may ask for status, unlock and lock, and no crowd of them keeps the
parent out; only the parent may ask for signatures. Other users are kept out by the socket's
directory (0700) and, where the kernel tells who calls, here again.
"""

import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import anyio
import msgspec
from anyio.abc import SocketAttribute, SocketStream

from hermes.core.checkpoint import NoteSignature
from hermes.core.event import Json
from hermes.errors import HermesError, Refused
from hermes.identity.claim import SpendClaim
from hermes.identity.signer_service import Signer
from hermes.identity.signer_wire import LINE_MOST, LOCKED, fault_of

_CREDENTIALS = struct.Struct("3i")
_PIECE = 65_536
_IDLE_S = 10.0
_OPEN_MOST = 64
_BAD_JSON, _NO_METHOD, _BAD_PARAMS, _DEFECT = -32_700, -32_601, -32_602, -32_603
_OPEN_TO_ALL = frozenset({"status", "unlock", "lock"})


class _Request(msgspec.Struct, frozen=True):
    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: int | str | None = None


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class _Unlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    passphrase: str


class _Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    proof: tuple[str, ...]


class _Cosign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=1_024)]


class _Attest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    fields: dict[str, Json]


class _Psbt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    psbt: str
    claim: SpendClaim


class Door:
    """Takes requests; `closed` is set when the signer shall end, `code` is its exit code."""

    def __init__(self, signer: Signer, parent: int) -> None:
        self._signer = signer
        self._parent = parent
        self._open = 0
        self.closed = anyio.Event()
        self.code = 0
        self._methods: dict[str, tuple[type[msgspec.Struct], Callable[[Any], Awaitable[Json]]]] = {
            "status": (_Nothing, self._status),
            "unlock": (_Unlock, self._unlock),
            "lock": (_Nothing, self._lock),
            "hot_key": (_Nothing, self._hot_key),
            "genesis": (_Nothing, self._genesis),
            "sign_checkpoint": (_Checkpoint, self._sign_checkpoint),
            "cosign": (_Cosign, self._cosign),
            "attest": (_Attest, self._attest),
            "sign_psbt": (_Psbt, self._sign_psbt),
        }

    async def receive(self, stream: SocketStream) -> None:
        """One request, one answer."""
        async with stream:
            pid, uid = _peer(stream)
            if self._open >= _OPEN_MOST and pid != self._parent:
                return
            self._open += 1
            try:
                with anyio.fail_after(_IDLE_S):
                    line = await _line(stream)
                answer = await self._answer(line, pid, uid)
                with anyio.fail_after(_IDLE_S):
                    await stream.send(msgspec.json.encode(answer) + b"\n")
            except (OSError, anyio.BrokenResourceError, anyio.EndOfStream, TimeoutError):
                pass  # whoever asked went away
            finally:
                self._open -= 1
            if self.code == LOCKED:
                self.closed.set()

    async def _answer(self, line: bytes, pid: int, uid: int) -> dict[str, Json]:
        head: dict[str, Json] = {"jsonrpc": "2.0", "id": None}
        try:
            request = msgspec.json.decode(line, type=_Request)
        except (msgspec.DecodeError, RecursionError):
            return {**head, "error": _fault(_BAD_JSON, "not a request of one line")}
        head["id"] = request.id
        if request.method not in self._methods:
            return {**head, "error": _fault(_NO_METHOD, "the signer knows no such method")}
        try:
            _check_peer(request.method, pid, uid, self._parent)
            return {**head, "result": await self._call(request)}
        except HermesError as error:
            return {**head, "error": fault_of(error)}
        except msgspec.ValidationError as error:
            return {**head, "error": _fault(_BAD_PARAMS, f"{request.method}: {error}")}
        except Exception as error:  # noqa: BLE001 - its text could hold what nobody may see
            return {**head, "error": _fault(_DEFECT, f"a defect: {type(error).__name__}")}

    async def _call(self, request: _Request) -> Json:
        shape, run = self._methods[request.method]
        return await run(msgspec.json.decode(request.params, type=shape))

    async def _status(self, _: _Nothing) -> Json:
        return msgspec.to_builtins(await self._signer.status())

    async def _unlock(self, asked: _Unlock) -> Json:
        await self._signer.unlock(asked.passphrase)

    async def _lock(self, _: _Nothing) -> Json:
        self.code = LOCKED

    async def _hot_key(self, _: _Nothing) -> Json:
        return await self._signer.hot_key()

    async def _genesis(self, _: _Nothing) -> Json:
        return (await self._signer.genesis()).hex()

    async def _sign_checkpoint(self, asked: _Checkpoint) -> Json:
        proof = tuple(map(_hash, asked.proof))
        return _line_of(await self._signer.sign_checkpoint(asked.text, proof))

    async def _cosign(self, asked: _Cosign) -> Json:
        return _line_of(await self._signer.cosign(asked.text))

    async def _attest(self, asked: _Attest) -> Json:
        return (await self._signer.attest(asked.kind, asked.fields)).hex()

    async def _sign_psbt(self, asked: _Psbt) -> Json:
        return await self._signer.sign_psbt(asked.psbt, asked.claim)


def _line_of(made: NoteSignature) -> Json:
    signature = made.signature.hex()
    return {"name": made.name, "key_id": made.key_id.hex(), "signature": signature}


def _fault(code: int, message: str) -> dict[str, Json]:
    return {"code": code, "message": message}


def _hash(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Refused("a proof's hash is not hex") from error


def _check_peer(method: str, pid: int, uid: int, parent: int) -> None:
    if uid != os.geteuid():
        raise Refused("the signer serves its own user only")
    if method not in _OPEN_TO_ALL and pid != parent:
        raise Refused("the signer signs for its own node only", "ask the node: hermes identity")


def _peer(stream: SocketStream) -> tuple[int, int]:
    """The caller's process and user; our own where the kernel does not tell."""
    if sys.platform != "linux":
        return os.getppid(), os.geteuid()
    raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - no Django
    found = raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    return pid, uid


async def _line(stream: SocketStream) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        if len(line) > LINE_MOST:
            raise anyio.EndOfStream
        line += await stream.receive(_PIECE)
    return bytes(line)
