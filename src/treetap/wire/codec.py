"""Messages to bytes and back: MessagePack by msgspec, or JSON where msgspec isn't loaded.

Every side understands JSON. A node begins with it, since importing msgspec takes longer (17 ms) than
a wake should, and changes to MessagePack once it has the time; one that runs in an environment without
msgspec stays with it. What the daemon says, which is little, is JSON to every node. The first byte of an
encoded message tells which it is: a MessagePack message is an array or a map (0x80-0x9f, 0xdc-0xdf), a
JSON one begins with ``[`` or ``{``.
"""

from __future__ import annotations

from treetap.errors import LinkError
from treetap.wire import flatjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_JSON_STARTS = (0x5B, 0x7B)


def encode_json(message: Any) -> bytes:
    """Encode one message so that every peer can decode it.

    Raises:
        TypeError, ValueError: Not plain data.
    """
    return flatjson.dumps_all(message).encode("ascii")


class Encoder:
    """One side's way of encoding.

    Attributes:
        encode: Encodes one message. Raises OverflowError, TypeError, ValueError or
            UnicodeEncodeError for what isn't plain data.
    """

    def __init__(self) -> None:
        self.encode: Callable[[Any], bytes] = encode_json

    def prefer_msgpack(self) -> None:
        """Import msgspec, and encode by it from now on; without it nothing changes."""
        try:
            import msgspec.msgpack
        except ImportError:
            return
        self.encode = msgspec.msgpack.Encoder().encode


def decode(data: bytes | memoryview) -> Any:
    """Decode one message.

    Raises:
        LinkError: The bytes are neither (slug ``link-codec``).
    """
    if len(data) and data[0] in _JSON_STARTS:
        try:
            return flatjson.loads(bytes(data).decode())
        except ValueError as exc:
            raise LinkError("A message is not JSON.", str(exc), slug="link-codec") from exc
    decode_msgpack = _decoder.decode()
    try:
        return decode_msgpack(data)
    except Exception as exc:
        raise LinkError("A message is not MessagePack.", str(exc), slug="link-codec") from exc


class _Decoder:
    """msgspec's decoder, made when the first message of that kind comes."""

    def __init__(self) -> None:
        self._decode: Callable[[bytes | memoryview], Any] | None = None

    def decode(self) -> Callable[[bytes | memoryview], Any]:
        """A function from bytes to what they say; raises ``LinkError`` without msgspec."""
        if self._decode is None:
            self._decode = _msgpack_decoder()
        return self._decode


_decoder = _Decoder()


def _msgpack_decoder() -> Callable[[bytes | memoryview], Any]:
    try:
        import msgspec.msgpack
    except ImportError as exc:
        raise LinkError(
            "The peer speaks MessagePack, and msgspec is not installed here.",
            "Install msgspec in this environment.",
            slug="link-codec",
        ) from exc
    return msgspec.msgpack.Decoder().decode
