from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from treetap.app.port import bind, holder
from treetap.errors import DaemonError


def test_port_0_is_any_free_one():
    with bind("127.0.0.1", 0) as first, bind("127.0.0.1", 0) as second:
        assert first.getsockname()[1] != second.getsockname()[1]


def test_a_taken_port_is_told_with_who_has_it():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(DaemonError, match=f"Port {port}") as caught:
            bind("127.0.0.1", port)
    assert caught.value.slug == "daemon-port-busy"
    assert f"process {os.getpid()} (" in caught.value.what
    # As the kernel has it: a test runner may have given its processes titles.
    command = Path("/proc/self/cmdline").read_text().replace("\0", " ").strip()
    assert f"({command[:20]}" in caught.value.what


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.invalid"])
def test_an_address_that_is_not_here_is_told(host):
    with pytest.raises(DaemonError, match=host) as caught:
        bind(host, 0)
    assert caught.value.slug == "daemon-host"


def test_a_port_that_nobody_has_has_no_holder():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert holder(port) == ""


def test_a_port_is_free_again_at_once():
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            sock.setblocking(True)
            accepted, _ = sock.accept()
            accepted.close()
            client.recv(1)
    bind("127.0.0.1", port).close()
