"""The daemon's API as methods."""

from __future__ import annotations

import itertools
import ssl
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from treetap.client.sse import read_events
from treetap.errors import ConfigError, DaemonError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

_API = "/api/v2"


class DaemonClient:
    """A connection to one daemon. Answers are what the API's JSON says, without its wrapping.

    Every method raises ``DaemonError``: slug ``daemon-unreachable`` if nobody answers,
    ``daemon-foreign`` if it is no treetap daemon, and the daemon's own slug, what and hint
    if it refuses.

    Args:
        url: ``http://127.0.0.1:8090``.
        token: The shared token, if the daemon is another user's.
        timeout_s: For one answer. The live stream may be silent for longer.
        verify_ssl: Check the certificate of an ``https`` daemon.
        ca_bundle: File of certificates to check it with; ``""`` for the system's.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        verify_ssl: bool = True,
        ca_bundle: str = "",
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=timeout_s,
            # A proxy of the environment knows nothing of our loopback.
            trust_env=False,
            verify=_trust(self.url, verify_ssl, ca_bundle),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # -- the daemon ---------------------------------------------------------------------------

    def health(self, *, timeout_s: float | None = None) -> dict[str, Any]:
        """Who answers there; raises ``DaemonError`` (``daemon-foreign``) if it is not ours."""
        limit = {} if timeout_s is None else {"timeout": timeout_s}
        health = _json_of(self._request("GET", "/health", **limit), self.url)
        if not isinstance(health, dict) or "treetap" not in health:
            raise _foreign(self.url)
        return health

    def status(self) -> dict[str, Any]:
        return self._object("GET", f"{_API}/status")

    def shutdown(self) -> None:
        """Ask it to end; it does so after the answer."""
        self._object("POST", f"{_API}/shutdown")

    def openapi(self) -> dict[str, Any]:
        return self._object("GET", f"{_API}/openapi.json")

    def config(self) -> dict[str, Any]:
        """Its settings: ``path``, ``toml`` and ``settings``, each with its origin."""
        return self._object("GET", f"{_API}/config")

    def reload_config(self) -> dict[str, Any]:
        """Have it read ``config.toml`` and its token again: ``applied``, ``after_restart``, ``warnings``."""
        return self._object("POST", f"{_API}/config/reload")

    # -- nodes and trees ----------------------------------------------------------------------

    def nodes(self) -> list[dict[str, Any]]:
        return self._list("nodes")

    def trees(self) -> list[dict[str, Any]]:
        return self._list("trees")

    def set_tree(self, tree: str, awake: bool) -> dict[str, Any]:
        """Note that a tree is awake, for its children to come; or put its nodes to sleep."""
        return self._object("PUT", f"{_API}/trees/{_quoted(tree)}", json={"awake": awake})

    # -- targets ------------------------------------------------------------------------------

    def add_target(self, host: str, port: int, name: str, **fields: Any) -> dict[str, Any]:
        """Observe a process through its debug adapter.

        Args:
            host: Of the adapter, as the daemon reaches it.
            port: Of the adapter.
            name: Of the program.
            **fields: ``language`` (python), ``workspace_root``, ``hostname``, ``pid``,
                ``is_safe_mode``.
        """
        asked = {"host": host, "port": port, "name": name, **_given(fields)}
        return self._object("POST", f"{_API}/targets", json=asked)

    def targets(self) -> list[dict[str, Any]]:
        return self._list("targets")

    def target(self, target: str) -> dict[str, Any]:
        """By id."""
        return self._object("GET", f"{_API}/targets/{_quoted(target)}")

    def let_target_go(self, target: str) -> None:
        """Take the logpoints out and close the connection; its program runs on."""
        self._request("DELETE", f"{_API}/targets/{_quoted(target)}")

    def forget_targets(self) -> int:
        """Forget those that are over; how many."""
        return int(self._object("POST", f"{_API}/targets/forget")["forgotten"])

    # -- probes -------------------------------------------------------------------------------

    def add_probe(self, **fields: Any) -> dict[str, Any]:
        """``location=``, ``expressions=`` and the others of ``POST /api/v2/probes``."""
        return self._object("POST", f"{_API}/probes", json=fields)

    def probes(self) -> list[dict[str, Any]]:
        return self._list("probes")

    def probe(self, probe: str) -> dict[str, Any]:
        """By id or name."""
        return self._object("GET", _probe(probe))

    def change_probe(self, probe: str, **fields: Any) -> dict[str, Any]:
        return self._object("PATCH", _probe(probe), json=fields)

    def remove_probe(self, probe: str) -> None:
        self._request("DELETE", _probe(probe))

    def enable_probe(self, probe: str) -> dict[str, Any]:
        return self._object("POST", f"{_probe(probe)}/enable")

    def disable_probe(self, probe: str) -> dict[str, Any]:
        return self._object("POST", f"{_probe(probe)}/disable")

    # -- events -------------------------------------------------------------------------------

    def events(self, **filters: Any) -> dict[str, Any]:
        """One page: ``events`` and ``next_cursor``.

        Args:
            **filters: ``probe, node, name, tree, pid, since, until, where, limit, cursor,
                order``.
        """
        return self._object("GET", f"{_API}/events", params=_given(filters))

    def all_events(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """The events of all pages."""
        while True:
            page = self.events(**filters)
            yield from page["events"]
            cursor = page["next_cursor"]
            if cursor is None or not page["events"]:
                return
            filters["cursor"] = cursor

    def stream(
        self, *, on_listening: Callable[[], None] | None = None, **filters: Any
    ) -> Iterator[dict[str, Any]]:
        """What happens from now on, until the daemon ends or the iterator is closed.

        Args:
            on_listening: Called once nothing is missed any more: the moment to ask for the past.
            **filters: ``probe, node, name, tree, pid``.
        """
        # A heartbeat comes each 15 s: silence for longer is a dead connection.
        timeout = httpx.Timeout(10.0, read=40.0)
        try:
            with self._http.stream(
                "GET", f"{_API}/events/stream", params=_given(filters), timeout=timeout
            ) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise _error_of(answer, self.url)
                chunks = answer.iter_bytes()
                # A comment that says so comes first.
                first = next(chunks, b"")
                if on_listening is not None:
                    on_listening()
                yield from read_events(itertools.chain([first], chunks))
        except (httpx.RemoteProtocolError, httpx.ReadError) as exc:
            raise DaemonError(
                f"The daemon at {self.url} was ended in the middle of its stream.",
                "Start it again with: treetap daemon start.",
                slug="daemon-unreachable",
            ) from exc
        except httpx.HTTPError as exc:
            raise _unreachable(self.url, exc) from exc

    # -- inside -------------------------------------------------------------------------------

    def _list(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._object("GET", f"{_API}/{name}")[name]
        return found

    def _object(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        answer = _json_of(self._request(method, path, **content), self.url)
        if not isinstance(answer, dict):
            raise _foreign(self.url)
        return answer

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **content)
        except httpx.HTTPError as exc:
            raise _unreachable(self.url, exc) from exc
        if answer.is_success:
            return answer
        raise _error_of(answer, self.url)


def _trust(url: str, verify_ssl: bool, ca_bundle: str) -> bool | ssl.SSLContext:
    """Whom to believe that they are who they say."""
    # Reading all of the system's certificates takes longer than an answer.
    if not url.startswith("https:") or not verify_ssl:
        return False
    if not ca_bundle:
        return True
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"The setting ca_bundle can't be {ca_bundle!r}: it holds no certificates.",
            f"{exc}. Name a file of certificates in the form PEM.",
            slug="config-value",
        ) from exc


def _json_of(answer: httpx.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError as exc:
        raise _foreign(url) from exc


def _error_of(answer: httpx.Response, url: str) -> DaemonError:
    """The error that the daemon sent; or that it isn't one."""
    try:
        error = answer.json()["error"]
        return DaemonError(error["what"], error["hint"], slug=error["slug"])
    except (ValueError, KeyError, TypeError):
        return _foreign(url)


def _foreign(url: str) -> DaemonError:
    return DaemonError(
        f"What answers at {url} is not a treetap daemon.",
        "Another program has the port. Start the daemon on one of its own: "
        "treetap daemon start --port 0.",
        slug="daemon-foreign",
    )


def _unreachable(url: str, cause: Exception) -> DaemonError:
    return DaemonError(
        f"The daemon at {url} can't be reached: {cause}.",
        "Start it with: treetap daemon start.",
        slug="daemon-unreachable",
    )


def _probe(probe: str) -> str:
    return f"{_API}/probes/{_quoted(probe)}"


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _given(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}
