from __future__ import annotations

import json
import subprocess
import sys

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
    encoder = codec.Encoder()
    first = encoder.encode(message)
    encoder.prefer_msgpack()
    then = encoder.encode(message)
    assert first[0] in b"[{"
    assert then[0] not in b"[{"
    assert codec.decode(first) == codec.decode(then) == message


def test_msgspec_is_not_loaded_before_it_is_preferred():
    """It costs a wake 17 ms."""
    program = (
        "import sys, treetap.node.outbox, treetap.link.connection; print('msgspec' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"


def test_without_msgspec_json_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "msgspec", None)
    encoder = codec.Encoder()
    encoder.prefer_msgpack()
    assert encoder.encode([1]) == b"[1]"


def test_a_peer_without_msgspec_is_understood():
    message = ["batch", "p1", 0, [[1, "ü"]]]
    assert codec.decode(json.dumps(message).encode()) == message


@pytest.mark.parametrize("data", [b"", b"{", b"[1,", b"\xc1", b"\x92\x01", b"\xff\xff", b"{\xff}"])
def test_bytes_that_are_no_message_are_an_error_of_the_link(data: bytes):
    with pytest.raises(LinkError) as caught:
        codec.decode(data)
    assert caught.value.slug == "link-codec"
