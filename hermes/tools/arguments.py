"""A call's JSON text into an argument Struct; every way it can be wrong has a clear message."""

from typing import Any, Protocol

import msgspec

from hermes.core.tool import Subject
from hermes.errors import ToolFailure

MAX_ARGUMENTS = 4_000_000


class HasPath(Protocol):
    """Arguments that name one file or directory."""

    @property
    def path(self) -> str:
        """As the model wrote it."""
        ...


def path_subject(args: HasPath) -> Subject:
    """What policy judges of a call that names one file or directory."""
    return Subject("path", args.path)


def plain(text: str) -> dict[str, Any]:
    """The arguments as a JSON object; raises ToolFailure.

    Tolerated: nothing at all, an object inside a JSON string, null for what is optional.
    """
    if len(text) > MAX_ARGUMENTS:
        raise ToolFailure(f"arguments are too long: {len(text)} characters")
    value: Any = {}
    try:
        value = msgspec.json.decode(text.strip() or "{}")
        if isinstance(value, str):
            value = msgspec.json.decode(value)
    except RecursionError as error:
        raise ToolFailure("arguments are nested too deeply") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ToolFailure(f"arguments are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ToolFailure("arguments must be a JSON object")
    return {name: item for name, item in value.items() if item is not None}


def parsed(text: str, kind: type[msgspec.Struct]) -> msgspec.Struct:
    """The arguments as their Struct, numbers also given as text; raises ToolFailure."""
    values = plain(text)
    try:
        return msgspec.convert(values, kind, strict=False)
    except RecursionError as error:
        raise ToolFailure("arguments are nested too deeply") from error
    except msgspec.ValidationError as error:
        raise ToolFailure(_named(str(error), kind)) from error


def _named(problem: str, kind: type[msgspec.Struct]) -> str:
    what, _, where = problem.partition(" - at `$.")
    name = f"{where.removesuffix('`')}: " if where else ""
    fields = ", ".join(field.name for field in msgspec.structs.fields(kind))
    return f"{name}{what[:1].lower()}{what[1:]}; arguments: {fields or 'none'}"
