from __future__ import annotations

import pytest

from treetap.errors import LinkError
from treetap.wire import frame


def test_a_frame_says_how_long_it_is():
    packed = frame.pack(b"abc")
    assert frame.payload_bytes(packed[: frame.HEADER_BYTES]) == 3
    assert packed[frame.HEADER_BYTES :] == b"abc"


def test_a_message_beyond_the_limit_is_not_packed():
    with pytest.raises(LinkError) as caught:
        frame.pack(bytes(frame.MAX_FRAME_BYTES + 1))
    assert caught.value.slug == "link-frame"


@pytest.mark.parametrize("header", [b"HTTP", b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_header_of_something_else_ends_the_link(header: bytes):
    with pytest.raises(LinkError) as caught:
        frame.payload_bytes(header)
    assert caught.value.slug == "link-frame"
