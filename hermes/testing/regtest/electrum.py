"""A small Electrum server (protocol 1.4) in front of a regtest chain: what our backend asks.

For tests that cannot run the real ElectrumX, and for those in which a server misbehaves.
"""

import hashlib
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import msgspec
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener

from hermes.testing.regtest.chain import Regtest
from hermes.testing.regtest.rpc import RpcError

_MOST = 1 << 24
_HEADERS = 2016
_NEWS = "blockchain.headers.subscribe"

Method = Callable[..., Awaitable[Any]]


class ElectrumFront:
    """Answers Electrum's calls from one chain; a test may change `methods`."""

    def __init__(self, chain: Regtest) -> None:
        self._chain = chain
        self._scripts: dict[str, bytes] = {}
        self.methods: dict[str, Method] = {
            "server.version": self._version,
            _NEWS: self._tip,
            "blockchain.block.header": self._header,
            "blockchain.block.headers": self._headers,
            "blockchain.transaction.get": self._get,
            "blockchain.transaction.get_merkle": self._merkle,
            "blockchain.transaction.broadcast": self._broadcast,
            "blockchain.scripthash.get_history": self._history,
            "blockchain.scripthash.listunspent": self._unspent,
            "blockchain.estimatefee": self._fee,
        }

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        """Talk on one connection until the client goes; tells it of new blocks once it asked."""
        lines = BufferedByteReceiveStream(stream)
        turn = anyio.Lock()

        async def tell(message: Mapping[str, Any]) -> None:
            async with turn:
                await stream.send(msgspec.json.encode(message) + b"\n")

        async def news() -> None:
            tip = self._chain.tip
            while True:
                tip = await self._chain.other_tip(tip)
                await tell({"jsonrpc": "2.0", "method": _NEWS, "params": [await self._tip()]})

        async with stream, anyio.create_task_group() as tasks:
            try:
                while True:
                    call = msgspec.json.decode(await lines.receive_until(b"\n", _MOST))
                    await tell(await self._answer(call))
                    if call["method"] == _NEWS:
                        tasks.start_soon(news)
            except (anyio.IncompleteRead, anyio.BrokenResourceError, msgspec.DecodeError):
                tasks.cancel_scope.cancel()

    async def _answer(self, call: Mapping[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        method = self.methods.get(call["method"])
        if method is None:
            return told | {"error": {"code": -32601, "message": "unknown method"}}
        try:
            return told | {"result": await method(*call["params"])}
        except RpcError as error:
            said = f"daemon error: {{'code': {error.code}, 'message': '{error.message}'}}"
            return told | {"error": {"code": 2, "message": said}}

    async def _version(self, client: str, versions: list[str]) -> list[str]:
        del client, versions
        return ["hermes regtest", "1.4"]

    async def _tip(self) -> dict[str, Any]:
        height = self._chain.tip.height
        return {"height": height, "hex": await self._header(height)}

    async def _header(self, height: int) -> Any:  # noqa: ANN401 - JSON
        block = await self._chain.rpc("getblockhash", height)
        return await self._chain.rpc("getblockheader", block, False)  # noqa: FBT003 - Core's

    async def _headers(self, start: int, count: int) -> dict[str, Any]:
        end = min(start + min(count, _HEADERS), self._chain.tip.height + 1)
        found = [await self._header(height) for height in range(start, end)]
        return {"count": len(found), "hex": "".join(found), "max": _HEADERS}

    async def _get(self, txid: str) -> Any:  # noqa: ANN401 - JSON
        return await self._chain.rpc("getrawtransaction", txid)

    async def _merkle(self, txid: str, height: int) -> dict[str, Any]:
        position, branch = await self._chain.branch(txid)
        merkle = [one[::-1].hex() for one in branch]
        return {"block_height": height, "pos": position, "merkle": merkle}

    async def _broadcast(self, raw: str) -> Any:  # noqa: ANN401 - JSON
        return await self._chain.rpc("sendrawtransaction", raw)

    async def _history(self, scripthash: str) -> list[dict[str, Any]]:
        script = await self._script(scripthash)
        found = await self._chain.history(script) if script is not None else ()
        return [{"tx_hash": txid, "height": height} for txid, height in found]

    async def _unspent(self, scripthash: str) -> list[dict[str, Any]]:
        script = await self._script(scripthash)
        return [
            {
                "tx_hash": coin.outpoint.txid,
                "tx_pos": coin.outpoint.index,
                "height": coin.height or 0,
                "value": coin.value,
            }
            for coin in (await self._chain.coins(script) if script is not None else ())
        ]

    async def _fee(self, blocks: int) -> Any:  # noqa: ANN401 - JSON
        return (await self._chain.rpc("estimatesmartfee", blocks))["feerate"]

    async def _script(self, scripthash: str) -> bytes | None:
        if scripthash not in self._scripts:
            for script in await self._chain.scripts():
                self._scripts[hashlib.sha256(script).digest()[::-1].hex()] = script
        return self._scripts.get(scripthash)


@asynccontextmanager
async def electrum(
    chain: Regtest | ElectrumFront, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[str]:
    """Serve Electrum's protocol over a chain; yields its address as our settings write it."""
    front = chain if isinstance(chain, ElectrumFront) else ElectrumFront(chain)
    door = socket.create_server(("127.0.0.1", 0))  # anyio's own would look the name up
    port: int = door.getsockname()[1]
    plain = await anyio.abc.SocketListener.from_socket(door)
    listener: anyio.abc.Listener[Any] = (
        plain if tls is None else TLSListener(plain, tls, standard_compatible=False)
    )
    failed: Exception | None = None
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, front.serve)
        try:
            yield f"electrum+{'tls' if tls else 'tcp'}://127.0.0.1:{port}"
        except Exception as error:  # noqa: BLE001 - goes on below, not as a group
            failed = error
        tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed
