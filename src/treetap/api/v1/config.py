"""``/api/v1/config``: the daemon's configuration, shown, changed, checked and read again.

Detrix shows its secrets after a change, and reads any file that the request names; here secrets are
never shown, and the file is the daemon's own.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.routing import Route

from treetap.api.answer import body, json_answer
from treetap.api.v1.reading import as_kind, body_as
from treetap.daemon.journal import Kind
from treetap.errors import ConfigError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treetap.daemon import Daemon
    from treetap.daemon.configuration import Change


class Changed(msgspec.Struct, rename="camel"):
    """Of ``PUT /api/v1/config``."""

    config_toml: str
    persist: bool = True


class Checked(msgspec.Struct, rename="camel"):
    """Of ``POST /api/v1/config/validate``."""

    config_toml: str


class Reloaded(msgspec.Struct, rename="camel"):
    """Of ``POST /api/v1/config/reload``."""

    config_path: str | None = None


def routes(daemon: Daemon) -> list[Route]:
    api = _Config(daemon)
    path = "/api/v1/config"
    return [
        Route(path, api.show, methods=["GET"]),
        Route(path, api.change, methods=["PUT"]),
        Route(f"{path}/reload", api.reload, methods=["POST"]),
        Route(f"{path}/validate", api.validate, methods=["POST"]),
    ]


class _Config:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def show(self, _request: Request) -> Response:
        return json_answer(self._shown())

    async def change(self, request: Request) -> Response:
        asked = await body_as(request, Changed)
        configuration = self._daemon.configuration
        try:
            change = configuration.update(asked.config_toml, persist=asked.persist)
        except ConfigError as exc:
            self._daemon.journal.note(Kind.CONFIG_REFUSED, error=exc.line)
            raise
        return json_answer(
            {
                **self._shown(),
                "persisted": asked.persist,
                "configPath": str(configuration.path),
                "warnings": _warnings(change),
            }
        )

    async def reload(self, request: Request) -> Response:
        """Always 200, with ``success``; a path of another file is an error in it."""
        content = await body(request)
        asked = as_kind(content, Reloaded) if content.strip() else Reloaded()
        configuration = self._daemon.configuration
        errors: list[str] = []
        warnings: list[str] = []
        own = await asyncio.to_thread(configuration.path.resolve)
        if asked.config_path and not await asyncio.to_thread(_is_same, asked.config_path, own):
            errors.append(f"The daemon reads its own file only: {configuration.path}.")
        else:
            try:
                change = configuration.reload()
                warnings = _warnings(change)
            except ConfigError as exc:
                errors.append(exc.line)
                self._daemon.journal.note(Kind.CONFIG_REFUSED, error=exc.line)
        return json_answer(
            {
                "success": not errors,
                # Probes are in the store, not in the file.
                "metricsLoaded": 0,
                "errors": errors,
                "warnings": warnings,
                "metadata": None,
            }
        )

    async def validate(self, request: Request) -> Response:
        asked = await body_as(request, Checked)
        errors, warnings = self._daemon.configuration.problems(asked.config_toml)
        return json_answer(
            {"valid": not errors, "errors": errors, "warnings": warnings, "metadata": None}
        )

    def _shown(self) -> dict[str, Any]:
        uptime_s = int(time.time() - self._daemon.started_at_s)
        return {
            "configToml": self._daemon.configuration.text(),
            "version": f"runtime-{uptime_s}s",
        }


def _is_same(path: str, own: Path) -> bool:
    try:
        return Path(path).resolve() == own
    except (OSError, ValueError, RuntimeError):
        return False


def _warnings(change: Change) -> list[str]:
    restart = [f"{key} holds from the daemon's next start on." for key in change.waiting]
    return [*change.warnings, *restart]
