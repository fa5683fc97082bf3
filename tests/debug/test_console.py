"""The console, in a process of its own: it takes SIGUSR1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"

#: The party says more than the terminal takes, asks, and dies. The terminal goes on when the one
#: who watches for that has sent the signal, so that it comes before the question is heard.
DEAD_PARTY = """
import os, socket, threading, time
from treetap.debug import message
from treetap.debug.console import Console
from treetap.debug.editing.history import History

master, slave = os.openpty()
ours, party = socket.socketpair()
for _ in range(5):
    party.sendall(message.encode(message.TEXT, text="x" * 8000))
party.sendall(message.encode(message.ASK, prompt="(Pdb) ", is_inner=False))
party.close()

def show():
    os.read(master, 1)
    while any("_watch" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)
    while True:
        os.read(master, 65536)

threading.Thread(target=show, daemon=True).start()
print(Console(ours, slave, History(), suspend=lambda: None, may_leave=False).run(), flush=True)
"""


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_party_that_dies_before_its_question_is_heard_keeps_no_prompt(term):
    ended = subprocess.run(
        [sys.executable, "-c", DEAD_PARTY],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TERM": term},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == ("done\n", "")
