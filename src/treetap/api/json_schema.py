"""Small words for JSON schemas, of which the OpenAPI document is made."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
SWITCH: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
NULL: Schema = {"type": "null"}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def closed(**properties: Schema) -> Schema:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def optional(schema: Schema) -> Schema:
    """A referenced object, or null."""
    return {"oneOf": [schema, NULL]}


def with_optional(schema: Schema, *names: str) -> Schema:
    """Some properties may be absent."""
    return {**schema, "required": [name for name in schema["required"] if name not in names]}
