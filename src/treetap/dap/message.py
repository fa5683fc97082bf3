"""The frames of the Debug Adapter Protocol, and the one shape that all its messages have here.

``Content-Length: N``, an empty line, N bytes of JSON: see
https://microsoft.github.io/debug-adapter-protocol/overview. Types of our own, by msgspec, which the
wire uses too: of the protocol's 150 types we read five, and the client libraries on PyPI bring
pydantic for that, and let an unbounded header or body in.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from treetap.errors import DapError

#: A longer header is none of DAP's; a longer body is no answer to what we ask.
MAX_HEADER_BYTES = 4096
MAX_BODY_BYTES = 64 * 1024 * 1024


class Message(msgspec.Struct):
    """Any message from an adapter: a response, an event, or a request of its own."""

    type: str
    seq: int = 0
    command: str = ""
    event: str = ""
    request_seq: int = 0
    success: bool = False
    message: str | None = None
    body: Any = None
    arguments: Any = None

    def field(self, name: str, default: Any = None) -> Any:
        """One key of the body; ``default`` also where the body is no object, or the key is null."""
        if not isinstance(self.body, dict):
            return default
        value = self.body.get(name)
        return default if value is None else value

    @property
    def complaint(self) -> str:
        """Why a request failed, in the adapter's words: the long text where there is one."""
        error = self.field("error", {})
        text = error.get("format", "") if isinstance(error, dict) else ""
        if text and isinstance(error.get("variables"), dict):
            for name, value in error["variables"].items():
                text = text.replace("{" + name + "}", str(value))
        return text or self.message or "it gives no reason"


_decoder = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


def pack(message: dict[str, Any]) -> bytes:
    """One frame."""
    body = _encoder.encode(message)
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def body_bytes(header: bytes) -> int:
    """The length that a header announces, without its empty line.

    Raises:
        DapError: It is no header of DAP (slug ``dap-not-an-adapter``).
    """
    for line in header.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.strip().lower() == b"content-length":
            digits = value.strip()
            if digits.isdigit() and len(digits) < 12 and int(digits) <= MAX_BODY_BYTES:
                return int(digits)
            break
    raise foreign(f"It says {header[:60]!r}.")


def unpack(body: bytes) -> Message:
    """Raises ``DapError`` (slug ``dap-not-an-adapter``) if the body is no message."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as exc:
        raise foreign(str(exc)) from exc
    except msgspec.DecodeError:
        pass
    try:
        # The escape of half a surrogate pair, which Python's adapters write and msgspec refuses.
        return msgspec.convert(json.loads(body), Message)
    except (ValueError, RecursionError) as exc:
        raise foreign(str(exc)) from exc


def foreign(detail: str) -> DapError:
    """What listens there speaks something else."""
    return DapError(
        "What listens there is not a debug adapter.",
        f"{detail} Give the port that debugpy, dlv or lldb-dap listens on.",
        slug="dap-not-an-adapter",
    )
