"""What holds for every test: asyncio backend, no socket beyond loopback, no blocking call."""

import ipaddress
import sys
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def _is_near(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a unix socket's path
    host = str(address[0])
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def _guard(event: str, args: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.bind"} and not _is_near(args[1]):
        raise AssertionError(f"{event} beyond loopback: {args[1]!r}")
    if event == "socket.getaddrinfo" and not _is_near((args[0] or "localhost",)):
        raise AssertionError(f"a look-up beyond loopback: {args[0]!r}")


sys.addaudithook(_guard)


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    buster = BlockBuster(scanned_modules="hermes")
    buster.activate()
    yield
    buster.deactivate()
