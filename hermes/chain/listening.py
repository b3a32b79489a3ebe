"""A TCP door on one IPv4 address of this machine, for the plain HTTP that a node serves itself.

Apart because the calendar and the mesh's blobs both stand behind such a door. It admits whoever
connects: what they may use is the business of who serves them.
"""

import ipaddress
import socket
from collections.abc import Callable, Coroutine
from typing import Self

import anyio
import anyio.abc

from hermes.core.accepting import accept_all
from hermes.errors import NotAvailable, SettingsInvalid

_PORT_MOST = 65_535
_BREATH_S = 0.5

Serve = Callable[[anyio.abc.SocketStream], Coroutine[object, object, None]]
Report = Callable[[str, BaseException], None]


class Door:
    """What listens; `address` is HOST:PORT as it was bound. Made by `bound`."""

    def __init__(self, door: socket.socket, name: str) -> None:
        host, port = door.getsockname()
        self.address = f"{host}:{port}"
        self._door, self._name = door, name

    @classmethod
    def bound(cls, text: str, name: str, remedy: str) -> Self:
        """Listen at `127.0.0.1:14788`; port 0 takes any free one.

        Args:
            text: the setting's value.
            name: whose address it is, as in "the calendar".
            remedy: what to set instead, with an example.

        Raises:
            SettingsInvalid: it is no address.
            NotAvailable: it is taken, or not this machine's.
        """
        try:
            return cls(socket.create_server(address_of(text, name, remedy)), name)
        except OSError as error:
            raise NotAvailable(
                f"{name} cannot listen on {text}: {error.strerror}", remedy
            ) from error

    async def serve(self, serve: Serve, report: Report) -> None:
        """Serve every connection until cancelled."""
        listener = await anyio.abc.SocketListener.from_socket(self._door)
        async with listener, anyio.create_task_group() as tasks:
            while True:
                try:
                    await accept_all(listener, serve, tasks)
                except OSError as error:  # out of file descriptors, say: no reason to end
                    report(self._name, error)
                    await anyio.sleep(_BREATH_S)


def address_of(text: str, name: str, remedy: str) -> tuple[str, int]:
    """Read `127.0.0.1:14788` as `bound` takes it; raises SettingsInvalid."""
    host, _, port = text.rpartition(":")
    try:
        found, number = ipaddress.IPv4Address(host), int(port)
    except ValueError:
        found, number = ipaddress.IPv4Address(0), 0
    # Others are told this very address: "any" would lead nobody here.
    if found.is_unspecified or not 0 <= number <= _PORT_MOST:
        raise SettingsInvalid(f"{text!r} is no address of {name}", remedy)
    return str(found), number
