"""JSON-RPC as Bitcoin Core speaks it: one call or a batch, Core's codes and HTTP statuses."""

import base64
import binascii
import hmac
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hermes.testing.regtest.loopback import Reply

Method = Callable[..., Any]
_NO_METHOD = -32601
_BAD_REQUEST = -32600
_UNPARSABLE = -32700
_MISUSE = -1
_STATUS = {_NO_METHOD: 404, _BAD_REQUEST: 400}
_FAILED = 500


class RpcError(Exception):
    """One of Core's errors."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def authorised(header: str, secret: str) -> bool:
    """Whether HTTP's basic authentication carries `user:password`."""
    try:
        given = base64.b64decode(header.removeprefix("Basic "), validate=True)
    except binascii.Error:
        return False
    return hmac.compare_digest(given, secret.encode())


def answer(body: bytes, methods: Mapping[str, Method]) -> Reply:
    """Answer a request's body; a batch always has status 200, as in Core."""
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _reply(_result(None, error=RpcError(_UNPARSABLE, "Parse error")), _FAILED)
    if isinstance(asked, list):
        return _reply([_one(call, methods)[0] for call in asked], 200)
    return _reply(*_one(asked, methods))


def _one(call: Any, methods: Mapping[str, Method]) -> tuple[dict[str, Any], int]:  # noqa: ANN401 - JSON
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        return _result(None, error=RpcError(_BAD_REQUEST, "Invalid Request object")), 400
    name = call.get("id")
    try:
        return _result(name, value=invoke(methods, call["method"], call.get("params"))), 200
    except RpcError as error:
        return _result(name, error=error), _STATUS.get(error.code, _FAILED)


def invoke(methods: Mapping[str, Method], name: str, params: Any) -> Any:  # noqa: ANN401 - JSON
    """Call a method with a list or an object of parameters; raises RpcError."""
    method = methods.get(name)
    if method is None:
        raise RpcError(_NO_METHOD, "Method not found")
    params = [] if params is None else params
    try:
        bound = (
            inspect.signature(method).bind(**params)
            if isinstance(params, dict)
            else inspect.signature(method).bind(*params)
        )
    except TypeError as error:
        raise RpcError(_MISUSE, f"{name}: {error}") from error
    try:
        return method(*bound.args, **bound.kwargs)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise RpcError(_MISUSE, f"{name}: {type(error).__name__}: {error}") from error


def _result(name: Any, value: Any = None, error: RpcError | None = None) -> dict[str, Any]:  # noqa: ANN401 - JSON
    said = None if error is None else {"code": error.code, "message": error.message}
    return {"result": value, "error": said, "id": name}


def _reply(value: Any, status: int) -> Reply:  # noqa: ANN401 - JSON
    return Reply(msgspec.json.encode(value) + b"\n", status)
