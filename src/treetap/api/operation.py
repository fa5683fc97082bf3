"""The parts of an OpenAPI document that all our routes are described with."""

from __future__ import annotations

from typing import Any

from treetap.api.json_schema import TEXT, Schema, ref

Operation = dict[str, Any]


def operation(
    summary: str,
    answer: Schema | None,
    *,
    status: str = "200",
    parameters: list[dict[str, Any]] | None = None,
    takes: Schema | None = None,
    errors: dict[str, str] | None = None,
    error: str = "Error",
) -> Operation:
    """What a route takes and answers.

    Args:
        summary: A sentence.
        answer: Of success; ``None`` for no content.
        status: Of success.
        parameters: Of its query and its path.
        takes: The body; its errors are told with it.
        errors: What else may go wrong, by status.
        error: Name of the schema of an error.
    """
    responses: dict[str, Any] = {status: {"description": summary}}
    if answer is not None:
        responses[status]["content"] = json_content(answer)
    told = {
        **({"400": "The request makes no sense."} if takes or parameters else {}),
        "401": "Another user's daemon, and no token.",
        "403": "A web page, or a name that is not the daemon's.",
        **({"408": "The body didn't come."} if takes else {}),
        **({"413": "The body is larger than 1 MiB."} if takes else {}),
        "429": "Too many requests: the next one after Retry-After, in seconds.",
        **(errors or {}),
    }
    for code, description in told.items():
        responses[code] = {"description": description, "content": json_content(ref(error))}
    described: Operation = {"summary": summary, "responses": responses}
    if parameters:
        described["parameters"] = parameters
    if takes is not None:
        described["requestBody"] = {"required": True, "content": json_content(takes)}
    return described


def json_content(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def path_parameter(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": TEXT,
        "description": description,
    }
