"""How many requests one peer may send: an ASGI layer around everything.

Each peer has a bucket of ``burst`` requests, which fills by ``per_second``. Of a bucket one number is
kept, the moment at which it will be full (the *generic cell rate algorithm*): nothing has to be
filled, counted or swept. The ``limits`` library was tried: its windows have no burst, its memory is a
list of moments a peer on a clock that may jump, and its number of peers is without a bound.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from treetap.api.refusal import refuse
from treetap.errors import DaemonError
from treetap.link.address import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from treetap.config.daemon import RateLimit
    from treetap.daemon import Daemon

#: Peers that are remembered; who was longest silent is forgotten first.
MAX_PEERS = 10_000


class Buckets:
    """Args:
    now_s: The clock; monotonic.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, peer: str, limit: RateLimit) -> float:
        """Take one request out of a peer's bucket.

        Returns:
            0; or, if it is empty, in how many seconds there will be one, and none is taken.
        """
        now_s = self._now_s()
        step_s = 1 / limit.per_second
        full_at_s = max(now_s, self._full_at_s.get(peer, now_s))
        wait_s = full_at_s - now_s - (limit.burst - 1) * step_s
        # Rounding must cost nobody the last of a burst, nor who comes exactly when told.
        if wait_s > step_s * 1e-6:
            return wait_s
        self._full_at_s[peer] = full_at_s + step_s
        self._full_at_s.move_to_end(peer)
        if len(self._full_at_s) > MAX_PEERS:
            self._full_at_s.popitem(last=False)
        return 0.0


class RateLimiter:
    """Args:
    app: What is behind it.
    daemon: Whose configuration says how many; a change of it holds at once.
    """

    def __init__(self, app: ASGIApp, daemon: Daemon) -> None:
        self._app = app
        self._daemon = daemon
        self._buckets = Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait_s = self._wait_s(scope)
        if not wait_s:
            await self._app(scope, receive, send)
            return
        seconds = math.ceil(wait_s)
        error = DaemonError(
            "Too many requests.",
            f"The next one is answered in {seconds} s. The daemon's settings say how many may come: "
            "[rate_limit] in config.toml.",
            slug="request-rate",
        )
        await refuse(error, scope, receive, send, {"retry-after": str(seconds)})

    def _wait_s(self, scope: Scope) -> float:
        limit = self._daemon.configuration.current.rate_limit
        if scope["type"] not in ("http", "websocket") or not limit.enabled:
            return 0.0
        host = str((scope.get("client") or ("",))[0])
        if limit.exempt_loopback and is_loopback(host):
            return 0.0
        return self._buckets.take(peer_of(host), limit)


def peer_of(host: str) -> str:
    """Whom an address stands for: of IPv6, a customer is given 64 bits of them."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)
