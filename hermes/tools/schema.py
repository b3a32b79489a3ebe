"""Argument Structs as JSON schemas for a model: flat and small."""

from typing import Any

import msgspec

from hermes.core.model import ToolSpec
from hermes.core.tool import Tool

_KEPT = ("type", "description", "enum", "items", "anyOf", "properties", "required")


def spec(tool: Tool, *, terse: bool) -> ToolSpec:
    """A tool as offered to a model; terse: no descriptions, no optional arguments."""
    return ToolSpec(
        name=tool.name,
        description="" if terse else tool.description,
        parameters=parameters(tool.arguments, terse=terse),
    )


def parameters(arguments: type[msgspec.Struct], *, terse: bool) -> dict[str, Any]:
    """The JSON schema of an argument Struct, without `$ref`, titles and defaults."""
    (_,), parts = msgspec.json.schema_components([arguments], ref_template="{name}")
    full = parts[arguments.__name__]
    required = full.get("required", [])
    properties = {
        name: _small(field, parts, terse=terse)
        for name, field in full.get("properties", {}).items()
        if not terse or name in required
    }
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def _small(field: dict[str, Any], parts: dict[str, Any], *, terse: bool) -> dict[str, Any]:
    field = parts.get(field.get("$ref", ""), field)
    small = {name: field[name] for name in _KEPT if name in field}
    if terse:
        small.pop("description", None)
    if isinstance(small.get("items"), dict):
        small["items"] = _small(small["items"], parts, terse=terse)
    return small
