"""A minimal HTTP/1.1: one request and one answer a connection, every read within a deadline.

``http.server`` and ``http.client`` would cost an observed process 60 ms of import, and they wait
for ever on a peer that says nothing. What isn't needed isn't here: no keep-alive, no pipelining,
no chunked request bodies, no redirects, no proxies. A peer's bytes never raise anything but
``LinkError``; ``STATUS`` has the answer to each of its slugs.
"""

from __future__ import annotations

import _socket  # not socket, for what that costs to import: see auth
import time

from treetap.errors import LinkError
from treetap.link.dial import dial

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_HEAD_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 1024 * 1024
#: Of an answer that a client reads.
MAX_ANSWER_BYTES = 16 * 1024 * 1024

MALFORMED = "link-http-malformed"
TOO_LARGE = "link-http-size"
TOO_SLOW = "link-http-slow"
UNSUPPORTED = "link-http-unsupported"

#: What a server answers to a request that couldn't be read.
STATUS = {MALFORMED: 400, TOO_LARGE: 413, TOO_SLOW: 408, UNSUPPORTED: 501}

_REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    421: "Misdirected Request",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_TOKEN_CHARS = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
#: Twice one of these, and two readers may understand two different requests.
_SINGLE_HEADERS = ("host", "content-length", "authorization", "origin", "transfer-encoding")


class Request:
    """What a client asked.

    Attributes:
        method: Upper-case, e.g. ``"GET"``.
        path: Without the query.
        query: What came after ``?``, undecoded.
        headers: By lower-cased name.
        body: All of it.
    """

    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path, _mark, self.query = target.partition("?")
        self.headers = headers
        self.body = body


class Response:
    """An answer: ``status``, ``headers`` by lower-cased name, ``body``."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self.body = body


def read_request(sock: Any, deadline_s: float, max_body_bytes: int = MAX_BODY_BYTES) -> Request:
    """Read one request.

    Args:
        sock: A connected socket.
        deadline_s: When all of it must be there, on ``time.monotonic``'s clock.
        max_body_bytes: Of its body.

    Raises:
        LinkError: With a slug of ``STATUS``; ``link-closed`` if the peer went away.
    """
    head, rest = _read_head(sock, deadline_s)
    start, headers = _parse_head(head)
    method, target = _parse_request_line(start)
    if "transfer-encoding" in headers:
        raise LinkError(
            "A chunked request body is not understood here.",
            "Send it whole, with a Content-Length.",
            slug=UNSUPPORTED,
        )
    length = _content_length(headers)
    if length > max_body_bytes:
        raise LinkError(
            f"The request's body has {length} bytes.",
            f"The limit is {max_body_bytes} bytes.",
            slug=TOO_LARGE,
        )
    if length > len(rest) and headers.get("expect", "").lower() == "100-continue":
        _send_all(sock, b"HTTP/1.1 100 Continue\r\n\r\n", deadline_s)
    return Request(method, target, headers, _read_body(sock, rest, length, deadline_s))


def write_response(sock: Any, response: Response, deadline_s: float) -> None:
    """Send an answer and say that the connection ends with it. Raises ``LinkError``."""
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines += [f"content-length: {len(response.body)}", "connection: close", "", ""]
    head = "\r\n".join(lines).encode("latin-1", "replace")
    _send_all(sock, head + response.body, deadline_s)


def request(
    url: str,
    method: str = "GET",
    *,
    timeout_s: float,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    verify_ssl: bool = True,
    ca_bundle: str = "",
    on_socket: Callable[[Any], None] | None = None,
) -> Response:
    """Ask a server and read its answer.

    Args:
        url: ``http://`` or ``https://``.
        method: E.g. ``"POST"``.
        timeout_s: For all of it, name resolution aside.
        headers: Beside those that this function sets.
        body: Of the request.
        verify_ssl: Check the server's certificate.
        ca_bundle: File to check it with; ``""`` for the system's.
        on_socket: Is told the socket, so that another thread can shut it down.

    Raises:
        LinkError: ``link-unreachable`` if nobody answers in time, ``link-http-malformed`` if
            the answer is no HTTP, ``link-http-size`` if it is too large.
    """
    deadline_s = time.monotonic() + timeout_s
    scheme, host, port, target = split_url(url)
    sock = _connect(host, port, deadline_s)
    try:
        if on_socket is not None:
            on_socket(sock)
        if scheme == "https":
            sock = _secured(sock, host, verify_ssl=verify_ssl, ca_bundle=ca_bundle)
        shown_host = f"[{host}]" if ":" in host else host
        lines = [f"{method} {target} HTTP/1.1", f"host: {shown_host}:{port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"content-length: {len(body)}"] if body or method != "GET" else []
        lines += ["accept: */*", "user-agent: treetap", "connection: close", "", ""]
        _send_all(sock, "\r\n".join(lines).encode("latin-1", "replace") + body, deadline_s)
        return _read_response(sock, deadline_s)
    except LinkError as exc:
        if exc.slug in ("link-closed", TOO_SLOW):
            raise _unreachable(url, exc) from exc
        raise
    except OSError as exc:
        raise _unreachable(url, exc) from exc
    finally:
        sock.close()


def split_url(url: str) -> tuple[str, str, int, str]:
    """``(scheme, host, port, target)`` of a URL that ``config.checks.url`` let through."""
    scheme, _mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    name, _colon, number = place.rpartition(":")
    if not name or "]" in number or name.endswith(":"):
        name, number = place, ""
    port = int(number) if number.isascii() and number.isdigit() else 0
    default = 443 if scheme == "https" else 80
    return scheme, name.strip("[]"), port or default, slash + path or "/"


def finish(sock: Any, deadline_s: float) -> None:
    """End a connection so that the peer gets our answer though it is still sending.

    Closing a socket that holds unread bytes resets the connection, and the answer is lost.
    """
    try:
        sock.shutdown(_socket.SHUT_WR)
        for _ in range(64):
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                break
            sock.settimeout(remaining_s)
            if not sock.recv(65536):
                break
    except OSError:
        pass
    finally:
        sock.close()


def _receive(sock: Any, deadline_s: float) -> bytes:
    remaining_s = deadline_s - time.monotonic()
    try:
        if remaining_s <= 0:
            raise TimeoutError
        sock.settimeout(remaining_s)
        received: bytes = sock.recv(65536)
    except TimeoutError:
        raise LinkError(
            "The peer was too slow.", "A whole message must come in time.", slug=TOO_SLOW
        ) from None
    except OSError as exc:
        raise LinkError("The connection broke.", str(exc), slug="link-closed") from exc
    return received


def _send_all(sock: Any, content: bytes, deadline_s: float) -> None:
    try:
        sock.settimeout(max(0.001, deadline_s - time.monotonic()))
        sock.sendall(content)
    except TimeoutError:
        raise LinkError(
            "The peer was too slow.", "It doesn't read what it asked for.", slug=TOO_SLOW
        ) from None
    except OSError as exc:
        raise LinkError("The connection broke.", str(exc), slug="link-closed") from exc


def _read_head(sock: Any, deadline_s: float) -> tuple[bytes, bytes]:
    received = b""
    while True:
        end = received.find(b"\r\n\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(received) > MAX_HEAD_BYTES):
            raise LinkError(
                "The head of the message is too large.",
                f"The limit is {MAX_HEAD_BYTES} bytes.",
                slug=TOO_LARGE,
            )
        if end >= 0:
            return received[:end], received[end + 4 :]
        more = _receive(sock, deadline_s)
        if not more:
            raise LinkError("The connection ended within a message.", slug="link-closed")
        received += more


def _parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    start, *lines = head.split(b"\r\n")
    if len(lines) > MAX_HEADERS:
        raise LinkError(
            f"The message has {len(lines)} headers.",
            f"The limit is {MAX_HEADERS}.",
            slug=TOO_LARGE,
        )
    headers: dict[str, str] = {}
    for line in lines:
        raw_name, colon, raw_value = line.partition(b":")
        is_plain = b"\r" not in line and b"\n" not in line and b"\0" not in line
        if not colon or not raw_name or not _TOKEN_CHARS.issuperset(raw_name) or not is_plain:
            raise LinkError("A header is malformed.", repr(line[:80]), slug=MALFORMED)
        name = raw_name.decode("ascii").lower()
        value = raw_value.strip(b" \t").decode("latin-1")
        if name in headers:
            if name in _SINGLE_HEADERS:
                raise LinkError(f"The header {name} is there twice.", slug=MALFORMED)
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return start.decode("latin-1"), headers


def _parse_request_line(line: str) -> tuple[str, str]:
    parts = line.split(" ")
    is_sound = (
        len(parts) == 3
        and parts[0].isascii()
        and parts[0].isalpha()
        and parts[0].isupper()
        and len(parts[0]) <= 16
        and parts[1].startswith("/")
        and parts[1].isascii()
        and parts[1].isprintable()
        and parts[2] in ("HTTP/1.1", "HTTP/1.0")
    )
    if not is_sound:
        raise LinkError("This is not an HTTP/1.1 request.", repr(line[:80]), slug=MALFORMED)
    return parts[0], parts[1]


def _content_length(headers: dict[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise LinkError("The Content-Length is no number.", repr(text[:40]), slug=MALFORMED)
    return int(text)


def _read_body(sock: Any, received: bytes, length: int, deadline_s: float) -> bytes:
    chunks, total = [received], len(received)
    while total < length:
        more = _receive(sock, deadline_s)
        if not more:
            raise LinkError("The connection ended within a body.", slug="link-closed")
        chunks.append(more)
        total += len(more)
    return b"".join(chunks)[:length]


def _read_response(sock: Any, deadline_s: float) -> Response:
    head, rest = _read_head(sock, deadline_s)
    start, headers = _parse_head(head)
    version, _space, status = start.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (
        status[:3].isascii() and status[:3].isdigit() and len(status[:3]) == 3
    ):
        raise LinkError("The answer is not HTTP/1.1.", repr(start[:80]), slug=MALFORMED)
    is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    if "content-length" in headers and not is_chunked:
        length = _content_length(headers)
        if length > MAX_ANSWER_BYTES:
            raise _answer_too_large()
        return Response(int(status[:3]), _read_body(sock, rest, length, deadline_s), headers)
    body = bytearray(rest)
    while more := _receive(sock, deadline_s):
        body += more
        if len(body) > MAX_ANSWER_BYTES:
            raise _answer_too_large()
    return Response(
        int(status[:3]), _unchunked(bytes(body)) if is_chunked else bytes(body), headers
    )


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        line, mark, body = body.partition(b"\r\n")
        size_text = line.split(b";")[0].strip()
        try:
            size = int(size_text, 16) if mark and size_text.isalnum() else -1
        except ValueError:
            size = -1
        if size < 0 or len(body) < size:
            raise LinkError("The answer's chunks are malformed.", slug=MALFORMED)
        if size == 0:
            return b"".join(parts)
        parts.append(body[:size])
        body = body[size + 2 :]


def _connect(host: str, port: int, deadline_s: float) -> Any:
    try:
        return dial(host, port, deadline_s)
    except (OSError, UnicodeError) as exc:
        raise _unreachable(f"{host}:{port}", exc) from exc


def _secured(sock: Any, host: str, *, verify_ssl: bool, ca_bundle: str) -> Any:
    import socket
    import ssl

    context = ssl.create_default_context(cafile=ca_bundle or None)
    if not verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # It takes no socket of the C module.
    whole = socket.socket(fileno=sock.detach())
    whole.settimeout(sock.gettimeout())
    return context.wrap_socket(whole, server_hostname=host)


def _unreachable(where: str, cause: Exception) -> LinkError:
    reason = cause.what if isinstance(cause, LinkError) else str(cause)
    return LinkError(f"{where} can't be reached.", reason, slug="link-unreachable")


def _answer_too_large() -> LinkError:
    return LinkError(
        "The answer is too large.", f"The limit is {MAX_ANSWER_BYTES} bytes.", slug=TOO_LARGE
    )
