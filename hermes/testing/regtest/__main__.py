"""`python -m hermes.testing.regtest`: a regtest chain for people who try the documentation.

What it prints once it can be asked is a `config.toml`.
"""

import argparse
import sys

import anyio

from hermes.chain.addresses import address_of, script_of
from hermes.testing.regtest import wallet
from hermes.testing.regtest.chain import Regtest

_SAT = 100_000
_SAYS = """\
[chain]
backend = "{url}"
# The purse {purse} holds 50 bitcoin; to pay from it and to mine:
#   curl -s {http} -d '{{"method": "sendtoaddress", "params": ["ADDRESS", 0.001]}}'
#   curl -s {http} -d '{{"method": "generatetoaddress", "params": [1, "{purse}"]}}'
"""


async def _main(given: argparse.Namespace) -> None:
    async with Regtest(port=given.port) as chain:
        await chain.mine(given.blocks)
        for script in given.pay:
            await chain.fund(script, _SAT)
        purse = address_of(wallet.SCRIPT, "regtest")
        sys.stdout.write(_SAYS.format(url=chain.url, http=chain.http_url, purse=purse))
        sys.stdout.flush()
        while given.mine_every > 0:
            await anyio.sleep(given.mine_every)
            await chain.mine()
        await anyio.sleep_forever()


def _paid(address: str) -> bytes:
    try:
        return script_of(address, "regtest")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m hermes.testing.regtest",
        description="A regtest chain that ends with this process; prints a config.toml for it.",
    )
    parser.add_argument("--port", type=int, default=0, help="of the RPC; 0: any free one")
    parser.add_argument("--blocks", type=int, default=101, help="mined at the start")
    parser.add_argument(
        "--pay",
        action="append",
        default=[],
        type=_paid,
        metavar="ADDRESS",
        help="0.001 bitcoin, at the start",
    )
    parser.add_argument("--mine-every", type=float, default=0.0, metavar="S", help="seconds; 0: no")
    try:
        anyio.run(_main, parser.parse_args())
    except KeyboardInterrupt:
        sys.exit(0)
