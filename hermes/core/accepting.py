"""Taking connections in, so that ending to do so in the moment somebody knocks is no error.

anyio's own listeners let the event loop fulfil a future that may just have been cancelled (asyncio
of Python 3.11 to 3.13, `_sock_accept`): the connection is lost and a traceback is printed.
"""

import socket
from collections.abc import Callable, Coroutine

import anyio
from anyio.abc import Listener, SocketAttribute, SocketStream, TaskGroup, UNIXSocketStream

Serve = Callable[[SocketStream], Coroutine[object, object, None]]


async def accept_all(listener: Listener[SocketStream], serve: Serve, tasks: TaskGroup) -> None:
    """Serve every connection to a listener with one socket, until cancelled or it is closed."""
    door = listener.extra(SocketAttribute.raw_socket)  # noqa: S610 - no Django
    while True:
        try:
            one, _ = door.accept()
        except BlockingIOError:
            await anyio.wait_readable(door)
            continue
        except ConnectionAbortedError:  # it knocked, and went
            continue
        tasks.start_soon(serve, await _wrapped(one))


async def _wrapped(one: socket.socket) -> SocketStream:
    try:
        one.settimeout(0)
        if one.family == socket.AF_UNIX:
            return await UNIXSocketStream.from_socket(one)
        return await SocketStream.from_socket(one)
    except BaseException:
        one.close()
        raise
