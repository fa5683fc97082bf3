"""Messages to bytes and back: MessagePack by msgspec, or JSON where msgspec can't be imported.

A process of a tree may run in an environment of its own, without msgspec. It then speaks JSON,
slower, and everything works. What the daemon says, which is little, is JSON to every node: it speaks
first, and doesn't know yet what the node understands. The first byte of an encoded message tells which it is: a MessagePack
message is an array or a map (0x80-0x9f, 0xdc-0xdf), a JSON one begins with ``[`` or ``{``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treetap.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

_JSON_STARTS = (0x5B, 0x7B)


def encode_json(message: Any) -> bytes:
    """Encode one message so that every peer can decode it.

    Raises:
        TypeError, ValueError: Not plain data.
    """
    import json

    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")


def _load_encoder() -> tuple[Callable[[Any], bytes], str]:
    try:
        import msgspec.msgpack
    except ImportError:
        import json

        encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
        return lambda message: encode_json(message).encode("ascii"), "json"
    return msgspec.msgpack.Encoder().encode, "msgpack"


def _load_decoder() -> Callable[[bytes | memoryview], Any]:
    try:
        import msgspec.msgpack
    except ImportError:
        return _refuse_msgpack
    return msgspec.msgpack.Decoder().decode


def _refuse_msgpack(_data: bytes | memoryview) -> Any:
    raise LinkError(
        "The peer speaks MessagePack, and msgspec is not installed here.",
        "Install msgspec in this environment.",
        slug="link-codec",
    )


#: Encode one message. Raises OverflowError, TypeError or UnicodeEncodeError for what isn't plain
#: data; the shipper makes rows plain before.
encode, NAME = _load_encoder()
_decode_msgpack = _load_decoder()


def decode(data: bytes | memoryview) -> Any:
    """Decode one message.

    Raises:
        LinkError: The bytes are neither (slug ``link-codec``).
    """
    if len(data) and data[0] in _JSON_STARTS:
        import json

        try:
            return json.loads(bytes(data))
        except ValueError as exc:
            raise LinkError("A message is not JSON.", str(exc), slug="link-codec") from exc
    try:
        return _decode_msgpack(data)
    except LinkError:
        raise
    except Exception as exc:
        raise LinkError("A message is not MessagePack.", str(exc), slug="link-codec") from exc
