"""`python -m hermes.testing.regtest`: a regtest chain for people who try the documentation."""

import argparse
import sys

import anyio

from hermes.chain.addresses import address_of
from hermes.testing.regtest import wallet
from hermes.testing.regtest.chain import Regtest


async def _main(port: int, blocks: int, every_s: float) -> None:
    async with Regtest(port=port) as chain:
        await chain.mine(blocks)
        purse = address_of(wallet.SCRIPT, "regtest")
        _say(f"chain.backend = {chain.url}")
        _say(f"the purse {purse} holds 50 bitcoin; to pay from it and to mine:")
        call = f"curl -s {chain.http_url} -d"
        paying = '{"method": "sendtoaddress", "params": ["ADDRESS", 0.001]}'
        mining = f'{{"method": "generatetoaddress", "params": [1, "{purse}"]}}'
        _say(f"  {call} '{paying}'")
        _say(f"  {call} '{mining}'")
        while every_s > 0:
            await anyio.sleep(every_s)
            await chain.mine()
        await anyio.sleep_forever()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the RPC; 0: any free one")
    parser.add_argument("--blocks", type=int, default=101, help="mined at the start")
    parser.add_argument("--mine-every", type=float, default=0.0, metavar="S", help="seconds; 0: no")
    given = parser.parse_args()
    try:
        anyio.run(_main, given.port, given.blocks, given.mine_every)
    except KeyboardInterrupt:
        sys.exit(0)
