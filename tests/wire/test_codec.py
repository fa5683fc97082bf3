from __future__ import annotations

import json

import pytest

from treetap.errors import LinkError
from treetap.wire import codec


@pytest.mark.parametrize(
    "message",
    [
        {"type": "hello", "protocol": 1},
        ["batch", "p1", 0, [[1, "a", None, 1.5, True]]],
        {"a": {"b": [1, 2, {"c": "ü€😀"}]}},
    ],
)
def test_what_is_encoded_comes_back(message: object):
    assert codec.decode(codec.encode(message)) == message


def test_a_peer_without_msgspec_is_understood():
    message = ["batch", "p1", 0, [[1, "ü"]]]
    assert codec.decode(json.dumps(message).encode()) == message


@pytest.mark.parametrize("data", [b"", b"{", b"[1,", b"\xc1", b"\x92\x01", b"\xff\xff", b"{\xff}"])
def test_bytes_that_are_no_message_are_an_error_of_the_link(data: bytes):
    with pytest.raises(LinkError) as caught:
        codec.decode(data)
    assert caught.value.slug == "link-codec"
