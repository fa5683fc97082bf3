"""What a terminal sends, as keys."""

from __future__ import annotations

import pytest

from treetap.debug.editing.keys import Keys


def pressed(sent: bytes) -> list[str]:
    left = [sent[n : n + 1] for n in range(len(sent))]
    keys = Keys(lambda _timeout_s: left.pop(0) if left else b"")
    found = []
    while key := keys.next():
        found.append(key)
    return found


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"ab c", ["a", "b", " ", "c"]),
        ("é漢😀".encode(), ["é", "漢", "😀"]),
        (b"\x01\x03\x1a\t\n\r\x7f\x08", "ctrl-a ctrl-c ctrl-z tab enter enter backspace ctrl-h"),
        (b"\x1b[A\x1bOB\x1b[C\x1b[D\x1b[H\x1b[F", "up down right left home end"),
        (b"\x1b[1~\x1b[3~\x1b[4~\x1b[5~\x1b[6~", "home delete end page-up page-down"),
        (b"\x1b[1;5C\x1b[1;5D\x1b[1;3D", "ctrl-right ctrl-left alt-left"),
        (b"\x1bb\x1bf\x1bd\x1b\x7f\x1b<", "alt-b alt-f alt-d alt-backspace alt-<"),
        (b"\x1b[200~x", ["unknown", "x"]),
        (b"\x1b[Zx", ["unknown", "x"]),
        (b"\x1b\x03", "ctrl-c"),
        (b"\x1b[\x03", "ctrl-c"),
        (b"\x1b", "escape"),
        (b"\x1b[", "escape"),
        (b"\xff\xe6x", ["\ufffd", "\ufffd", "x"]),
    ],
)
def test_keys(sent, keys):
    assert pressed(sent) == (keys.split() if isinstance(keys, str) else keys)


def test_an_endless_sequence_ends():
    assert pressed(b"\x1b[" + b"1" * 40)[0] == "unknown"
