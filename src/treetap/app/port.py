"""The API's port: bound before anything else, and if it is taken, by whom."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from treetap.errors import DaemonError


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        DaemonError: The port is taken (slug ``daemon-port-busy``), or the address is none of
            this machine's (``daemon-host``).
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise _no_host(host, exc) from exc
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(256)
    except OSError as exc:
        sock.close()
        if exc.errno == errno.EADDRINUSE:
            raise _busy(host, port) from exc
        raise _no_host(host, exc) from exc
    sock.setblocking(False)
    return sock


def holder(port: int) -> str:
    """The process that listens on a port, as ``1234 (python3 -m http.server)``; ``""`` if unknown.

    Only ``/proc`` tells, and of other users' processes only root is told.
    """
    links = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not links:
        return ""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            for descriptor in (directory / "fd").iterdir():
                if str(descriptor.readlink()) in links:
                    command = (directory / "cmdline").read_bytes().replace(b"\0", b" ")
                    return f"{directory.name} ({command.decode(errors='replace').strip():.80})"
        except OSError:
            continue
    return ""


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            # 0A is TCP_LISTEN.
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def _busy(host: str, port: int) -> DaemonError:
    who = holder(port)
    return DaemonError(
        f"Port {port} of {host} is taken by {f'process {who}' if who else 'another process'}.",
        "Stop that one, or take another port: treetap daemon start --port 0.",
        slug="daemon-port-busy",
    )


def _no_host(host: str, cause: OSError) -> DaemonError:
    return DaemonError(
        f"The daemon can't listen on {host!r}: {cause.strerror or cause}.",
        "Give an address of this machine, as 127.0.0.1.",
        slug="daemon-host",
    )
