"""Pages of other sites that may use the API, once they are named in the configuration: CORS.

A browser asks before it lets such a page send a request, and again before it shows the answer to it.
That permits nothing: who may speak is the guard's affair, which knows these sites too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from treetap.daemon import Daemon

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADERS = ("authorization", "content-type")
#: How long a browser remembers what it was told.
MAX_AGE_S = 3600


class Pages:
    """Args:
    app: What is served.
    daemon: Whose configuration names the sites; a change of it holds at once.
    """

    def __init__(self, app: ASGIApp, daemon: Daemon) -> None:
        self._app = app
        self._daemon = daemon
        self._origins: tuple[str, ...] = ()
        self._cors: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = self._daemon.configuration.current.daemon.allowed_origins
        if scope["type"] != "http" or Headers(scope=scope).get("origin", "") not in origins:
            # The guard refuses all others, and nobody is told more than that.
            await self._app(scope, receive, send)
            return
        if origins != self._origins:
            self._origins = origins
            self._cors = CORSMiddleware(
                self._app,
                allow_origins=origins,
                allow_methods=_METHODS,
                allow_headers=_HEADERS,
                allow_credentials=True,
                max_age=MAX_AGE_S,
            )
        await self._cors(scope, receive, send)
