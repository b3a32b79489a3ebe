"""A small Esplora (Blockstream's HTTP API) in front of a regtest chain: what our backend asks."""

import re
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from hermes.chain.addresses import script_of
from hermes.testing.regtest.chain import Regtest
from hermes.testing.regtest.loopback import Asked, Reply, serve
from hermes.testing.regtest.rpc import RpcError

_PAGE = 10
_COIN = 100_000_000
_TARGETS = (*range(1, 26), 144, 504, 1008)
_NOT_FOUND, _BAD = 404, 400
_PER_KB = 100_000

_Page = Callable[..., Awaitable[Any]]


class Esplora:
    """Pages over one chain; text pages are `str`, others JSON."""

    def __init__(self, chain: Regtest) -> None:
        self._chain = chain
        self._pages: tuple[tuple[str, re.Pattern[str], _Page], ...] = tuple(
            (method, re.compile(pattern), page)
            for method, pattern, page in (
                ("GET", r"/blocks/tip/hash", self._tip),
                ("GET", r"/block-height/(\d+)", self._hash),
                ("GET", r"/block/([0-9a-f]{64})", self._block),
                ("GET", r"/blocks/(\d+)", self._blocks),
                ("GET", r"/tx/([0-9a-f]{64})/hex", self._hex),
                ("GET", r"/tx/([0-9a-f]{64})/status", self._status),
                ("GET", r"/tx/([0-9a-f]{64})/merkle-proof", self._proof),
                ("GET", r"/tx/([0-9a-f]{64})/outspend/(\d+)", self._outspend),
                ("GET", r"/address/(\w+)/utxo", self._utxo),
                ("GET", r"/fee-estimates", self._fees),
                ("POST", r"/tx", self._send),
            )
        )

    async def answer(self, asked: Asked) -> Reply:
        """Answer one request as Esplora does: errors are plain text."""
        for method, pattern, page in self._pages:
            if asked.method == method and (match := pattern.fullmatch(asked.target)):
                body = (asked.body.decode(),) if method == "POST" else ()
                try:
                    told = await page(*match.groups(), *body)
                except RpcError as error:
                    return self._refusal(method, error)
                except ValueError as error:
                    return Reply(str(error).encode(), _BAD, "text/plain")
                if isinstance(told, str):
                    return Reply(told.encode(), kind="text/plain")
                return Reply(msgspec.json.encode(told))
        return Reply(b"endpoint does not exist", _NOT_FOUND, "text/plain")

    def _refusal(self, method: str, error: RpcError) -> Reply:
        if method == "GET":
            return Reply(error.message.encode(), _NOT_FOUND, "text/plain")
        said = msgspec.json.encode({"code": error.code, "message": error.message}).decode()
        return Reply(f"sendrawtransaction RPC error: {said}".encode(), _BAD, "text/plain")

    async def _tip(self) -> str:
        return self._chain.tip.hash

    async def _hash(self, height: str) -> Any:  # noqa: ANN401 - JSON
        return await self._chain.rpc("getblockhash", int(height))

    async def _block(self, block: str) -> dict[str, Any]:
        raw = bytes.fromhex(await self._chain.rpc("getblockheader", block, False))  # noqa: FBT003 - Core's
        told = await self._chain.rpc("getblockheader", block)
        version, previous, root, time, bits, nonce = struct.unpack("<i32s32sIII", raw)
        return {
            "id": block,
            "height": told["height"],
            "version": version,
            "timestamp": time,
            "tx_count": told["nTx"],
            "merkle_root": root[::-1].hex(),
            "previousblockhash": previous[::-1].hex() if told["height"] else None,
            "mediantime": told["mediantime"],
            "nonce": nonce,
            "bits": bits,
        }

    async def _blocks(self, height: str) -> list[dict[str, Any]]:
        top = int(height)
        first = max(0, top - _PAGE + 1)
        return [await self._block(await self._hash(str(n))) for n in range(top, first - 1, -1)]

    async def _hex(self, txid: str) -> Any:  # noqa: ANN401 - JSON
        return await self._chain.rpc("getrawtransaction", txid)

    async def _status(self, txid: str) -> dict[str, Any]:
        told = await self._chain.rpc("getrawtransaction", txid, 1)
        if "blockhash" not in told:
            return {"confirmed": False}
        block = await self._block(told["blockhash"])
        return {
            "confirmed": True,
            "block_height": block["height"],
            "block_hash": block["id"],
            "block_time": block["timestamp"],
        }

    async def _proof(self, txid: str) -> dict[str, Any]:
        status = await self._status(txid)
        if not status["confirmed"]:
            raise RpcError(-5, "Transaction not found or is unconfirmed")
        position, branch = await self._chain.branch(txid)
        merkle = [one[::-1].hex() for one in branch]
        return {"block_height": status["block_height"], "merkle": merkle, "pos": position}

    async def _outspend(self, txid: str, number: str) -> dict[str, Any]:
        asked = [{"txid": txid, "vout": int(number)}]
        (told,) = await self._chain.rpc("gettxspendingprevout", asked)
        if "spendingtxid" not in told:
            return {"spent": False}
        spender = told["spendingtxid"]
        return {"spent": True, "txid": spender, "vin": 0, "status": await self._status(spender)}

    async def _utxo(self, address: str) -> list[dict[str, Any]]:
        return [
            {
                "txid": coin.outpoint.txid,
                "vout": coin.outpoint.index,
                "status": await self._status(coin.outpoint.txid),
                "value": coin.value,
            }
            for coin in await self._chain.coins(script_of(address, "regtest"))
        ]

    async def _fees(self) -> dict[str, float]:
        told = await self._chain.rpc("estimatesmartfee", 6)
        return {str(target): told["feerate"] * _PER_KB for target in _TARGETS}

    async def _send(self, text: str) -> Any:  # noqa: ANN401 - JSON
        return await self._chain.rpc("sendrawtransaction", text.strip())


@asynccontextmanager
async def esplora(chain: Regtest, port: int = 0) -> AsyncGenerator[str]:
    """Serve Esplora's API over a chain; yields its address as our settings write it."""
    async with serve(Esplora(chain).answer, port) as number:
        yield f"esplora+http://127.0.0.1:{number}"
