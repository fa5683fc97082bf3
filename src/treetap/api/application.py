"""The application: all routes, the guard around them, and errors in their one shape."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Match, Route

from treetap.api import config, events, probes, stream, targets
from treetap.api import daemon as daemon_routes
from treetap.api.answer import error_answer, json_answer
from treetap.api.guard import Guard
from treetap.api.openapi import document
from treetap.api.pages import Pages
from treetap.api.rate import RateLimiter
from treetap.api.v1 import face as v1
from treetap.errors import DaemonError, TreetapError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from treetap.daemon import Daemon

log = logging.getLogger(__name__)


def make_application(
    daemon: Daemon,
    *,
    version: str,
    stop: Callable[[], None],
    faces: Sequence[Callable[[ASGIApp], list[BaseRoute]]] = (),
) -> Starlette:
    """The ASGI application of a started daemon.

    Args:
        daemon: What it speaks for.
        version: Of treetap.
        stop: Ends the daemon; called for ``POST /api/v2/shutdown``.
        faces: Make more routes, which call the API from inside: each is given it, without its guard.
    """
    handlers = {TreetapError: _known_error, HTTPException: _http_error}
    application = Starlette(
        routes=[
            *daemon_routes.routes(daemon, version, stop),
            *probes.routes(daemon),
            *stream.routes(daemon),
            *events.routes(daemon),
            *config.routes(daemon),
            *targets.routes(daemon),
            *v1.all_routes(daemon, version),
            _openapi(version),
        ],
        middleware=[
            Middleware(Pages, daemon=daemon),
            # Who asks too often costs no look into who it is.
            Middleware(RateLimiter, daemon=daemon),
            Middleware(Guard, daemon=daemon),
        ],
        exception_handlers={**handlers, Exception: _unknown_error},
    )
    # A path is right or wrong: a redirect would lead to where the request's own Host says.
    application.router.redirect_slashes = False
    inside = ExceptionMiddleware(application.router, handlers)
    for face in faces:
        application.router.routes.extend(face(inside))
    return application


def _openapi(version: str) -> Route:
    async def openapi(_request: Request) -> Response:
        return json_answer(document(version))

    return Route("/api/v2/openapi.json", openapi, methods=["GET"])


async def _known_error(request: Request, error: Any) -> Response:
    return error_answer(error, path=request.url.path)


async def _http_error(request: Request, error: Any) -> Response:
    """Starlette's own: no such path, no such method."""
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods_of(request))
        return error_answer(
            DaemonError(
                f"{request.url.path} doesn't take {request.method}.",
                f"It takes {headers['Allow']}.",
                slug="request-method",
            ),
            headers,
            path=request.url.path,
        )
    return error_answer(
        DaemonError(
            f"There is no {request.url.path}.",
            "All paths: /api/v2/openapi.json.",
            slug="request-path",
        ),
        headers,
        path=request.url.path,
    )


def _methods_of(request: Request) -> list[str]:
    """All that a path takes; each of its routes has one."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)


async def _unknown_error(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_answer(
        DaemonError(
            "The daemon failed at this request.",
            "Its log says why: daemon.log in the home.",
            slug="request-failed",
        ),
        path=request.url.path,
    )
