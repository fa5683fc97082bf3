"""``/api/v2/config``: the settings of the running daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from treetap.api.answer import json_answer, json_object
from treetap.config.daemon import KEYS
from treetap.daemon.config_text import without_password
from treetap.errors import DaemonError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon
    from treetap.daemon.configuration import Change, Configuration


def routes(daemon: Daemon) -> list[Route]:
    api = _Config(daemon.configuration)
    return [
        Route("/api/v2/config", api.show, methods=["GET"]),
        Route("/api/v2/config", api.change, methods=["PATCH"]),
        Route("/api/v2/config/check", api.check, methods=["POST"]),
        Route("/api/v2/config/reload", api.reload, methods=["POST"]),
    ]


class _Config:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def show(self, _request: Request) -> Response:
        configuration = self._configuration
        return json_answer(
            {
                "path": str(configuration.path),
                "toml": configuration.text(),
                "settings": [_setting(configuration, key) for key in KEYS],
            }
        )

    async def change(self, request: Request) -> Response:
        fields = await json_object(request)
        is_kept = fields.get("is_kept", True)
        if not isinstance(is_kept, bool):
            raise DaemonError(
                "The field is_kept is neither true nor false.",
                "true writes the change into config.toml.",
                slug="request-json",
            )
        change = self._configuration.update(_toml_of(fields), persist=is_kept)
        return json_answer(_change(change))

    async def check(self, request: Request) -> Response:
        errors, warnings = self._configuration.problems(_toml_of(await json_object(request)))
        return json_answer({"is_valid": not errors, "errors": errors, "warnings": warnings})

    async def reload(self, _request: Request) -> Response:
        return json_answer(_change(self._configuration.reload()))


def _setting(configuration: Configuration, key: str) -> dict[str, Any]:
    value = configuration.current.value(key)
    return {
        "key": key,
        "value": without_password(value) if key == "store.url" else value,
        "origin": configuration.current.origin(key),
        "needs_restart": not KEYS[key].is_hot,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "applied": change.applied,
        "after_restart": change.waiting,
        "warnings": change.warnings,
    }


def _toml_of(fields: dict[str, Any]) -> str:
    toml = fields.get("toml")
    if not isinstance(toml, str):
        raise DaemonError(
            "The request has no text of a config.toml.",
            'Write {"toml": "[store]\\nmax_age_days = 3"}.',
            slug="request-json",
        )
    return toml
