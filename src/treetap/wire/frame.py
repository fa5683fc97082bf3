"""Frames: four bytes of length, big-endian, then that many bytes, which are one message."""

from __future__ import annotations

from treetap.errors import LinkError

HEADER_BYTES = 4
#: A frame beyond this ends its link: no honest batch comes near it.
MAX_FRAME_BYTES = 16 * 1024 * 1024


def pack(payload: bytes) -> bytes:
    """A frame around ``payload``.

    Raises:
        LinkError: The payload is larger than a frame may be.
    """
    if len(payload) > MAX_FRAME_BYTES:
        raise LinkError(
            f"A message of {len(payload)} bytes is too large for a frame.",
            f"The limit is {MAX_FRAME_BYTES} bytes.",
            slug="link-frame",
        )
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


def payload_bytes(header: bytes) -> int:
    """How many bytes follow this header.

    Raises:
        LinkError: The peer announces more than a frame may hold, or nothing.
    """
    size = int.from_bytes(header, "big")
    if not 0 < size <= MAX_FRAME_BYTES:
        raise LinkError(
            f"The peer announced a frame of {size} bytes; this is not a treetap link.",
            f"A frame has 1 to {MAX_FRAME_BYTES} bytes.",
            slug="link-frame",
        )
    return size
