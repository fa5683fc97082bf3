"""What the tools act through: the daemon's own API, called from inside.

No socket and no guard in between; checks, errors and shapes are the API's, so that a tool can't do
what a program can't, and nothing is done twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from treetap.daemon import Daemon
    from treetap.errors import TreetapError


class Refusal(Exception):
    """The API, or a tool itself, refused.

    Attributes:
        code: For counting and for programs: a slug, or Detrix's name of the error.
        what: What is wrong.
        hint: Why, and what to do instead.
    """

    def __init__(self, code: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint

    @classmethod
    def by(cls, error: TreetapError) -> Self:
        """What an error of ours says."""
        return cls(error.slug, error.what, error.hint)

    def to_dict(self) -> dict[str, Any]:
        told = {"code": self.code, "what": self.what, "hint": self.hint}
        return {"error": {name: text for name, text in told.items() if text}}


class Services:
    """The API of one daemon.

    Args:
        daemon: Whose.
        api: Its routes, without their guard.
    """

    def __init__(self, daemon: Daemon, api: ASGIApp) -> None:
        self.daemon = daemon
        # The address is nobody's: nothing is sent anywhere.
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(api), base_url="http://127.0.0.1"
        )

    async def get(self, path: str, **query: Any) -> Any:
        given = {name: _word(value) for name, value in query.items() if value is not None}
        return await self._call("GET", path, params=given)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return await self._call("POST", path, **({} if body is None else {"json": body}))

    async def put(self, path: str, body: dict[str, Any]) -> Any:
        return await self._call("PUT", path, json=body)

    async def delete(self, path: str) -> None:
        await self._call("DELETE", path)

    async def _call(self, method: str, path: str, **content: Any) -> Any:
        """The answer's JSON; raises ``Refusal`` with what the API says."""
        answer = await self._client.request(method, path, **content)
        if not answer.is_success:
            raise _refusal(answer)
        return answer.json() if answer.content else None


def part(text: str | int) -> str:
    """A part of a path, quoted.

    Raises:
        Refusal: It can't be one, so nothing has this name.
    """
    if not text or "/" in str(text):
        raise Refusal("arguments", f"Nothing has the name {str(text)[:200]!r}.", "See the lists.")
    return quote(str(text), safe="")


def _word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _refusal(answer: httpx.Response) -> Refusal:
    """The API has two shapes of an error: ``/api/v2``'s, and Detrix's at ``/api/v1``."""
    try:
        body = answer.json()
        error = body["error"]
        if isinstance(error, dict):
            return Refusal(str(error["slug"]), str(error["what"]), str(error.get("hint", "")))
        code = body.get("slug") or body.get("errorType") or f"status-{answer.status_code}"
        return Refusal(str(code), str(error), str(body.get("hint", "")))
    except (ValueError, KeyError, TypeError):
        return Refusal(f"status-{answer.status_code}", answer.text[:500] or "The request failed.")
