"""As much of JSON Schema as our document uses; whatever it doesn't know is an error."""

from __future__ import annotations

from typing import Any

KNOWN = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "oneOf",
    "$ref",
    "description",
    "default",
    "minimum",
    "maximum",
}
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def complaints(
    value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$"
) -> list[str]:
    """What of ``value`` is not as ``schema`` says."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return complaints(value, document["components"]["schemas"][name], document, at)
    if "oneOf" in schema:
        found = [complaints(value, each, document, at) for each in schema["oneOf"]]
        return [] if [each for each in found if not each] else [f"{at}: none of {found}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is not in {schema['enum']}"]
    if "type" in schema and not is_of_type(value, schema["type"]):
        return [f"{at}: {value!r} is no {schema['type']}"]
    if isinstance(value, dict):
        return _object_complaints(value, schema, document, at)
    if isinstance(value, list) and "items" in schema:
        return [
            each
            for i, item in enumerate(value)
            for each in complaints(item, schema["items"], document, f"{at}[{i}]")
        ]
    return []


def is_of_type(value: Any, kind: str | list[str]) -> bool:
    if isinstance(kind, list):
        return any(is_of_type(value, each) for each in kind)
    if isinstance(value, bool) and kind != "boolean":
        return False
    return isinstance(value, TYPES[kind])


def _object_complaints(
    value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], at: str
) -> list[str]:
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    properties, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    for name, each in value.items():
        if name in properties:
            found += complaints(each, properties[name], document, f"{at}.{name}")
        elif more is False:
            found.append(f"{at}: {name} is not in the schema")
        else:
            found += complaints(each, more, document, f"{at}.{name}")
    return found
