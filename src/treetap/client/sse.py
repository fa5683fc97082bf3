"""Server-sent events, as far as our own daemon sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec.json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def read_events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The ``data`` of each event as JSON; comments are passed over.

    Raises:
        msgspec.DecodeError: The data is not JSON.
    """
    rest = b""
    for chunk in chunks:
        *events, rest = (rest + chunk).split(b"\n\n")
        for event in events:
            for line in event.split(b"\n"):
                if line.startswith(b"data: "):
                    yield msgspec.json.decode(line[6:])
