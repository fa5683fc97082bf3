"""Who owns the other end of a TCP connection on loopback, by the kernel's word.

Asked by netlink about that one socket, the kernel answers in 13 us. Where it doesn't (no ``inet_diag``
in it, a sandbox without netlink) ``/proc/net/tcp`` and ``tcp6`` are read, which name every socket of
this network namespace: some 4 ms each with 32 GB of memory, for the kernel walks the whole of a table
that grows with that, however few connections are in it.
"""

from __future__ import annotations

import _socket as socket  # the C module alone: `socket` costs a sleeping process 7 ms
import struct
import sys

from treetap.link.address import MAPPED_V4, is_mapped, packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: The owner of a socket that no living process has. It is no user's id, and never equals one.
NO_OWNER = -1

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_QUESTION = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
_PORTS = struct.Struct("!HH")
_REST_OF_ID = struct.Struct("=III")  # interface, cookie
_NO_COOKIE = 0xFFFFFFFF
_EVERY_STATE = 0xFFFFFFFF
# Of the answer: where the ports, the two addresses, and the user and inode stand.
_PORTS_AT = _HEADER.size + 4
_ADDRESSES_AT = _PORTS_AT + _PORTS.size
_OWNER_AT = _ADDRESSES_AT + 32 + _REST_OF_ID.size + 12
_OWNER = struct.Struct("=II")


def owner_uid(peer: tuple[Any, ...], own: tuple[Any, ...]) -> int | None:
    """The user of the socket whose own address is ``peer``, connected to ``own``.

    Args:
        peer: ``(host, port, …)``, numeric.
        own: The same.

    Returns:
        The id, as this user namespace has it; ``NO_OWNER`` for a socket that is closed or isn't
        there; ``None`` where the kernel tells nothing of sockets.
    """
    ends = (packed(str(peer[0])), int(peer[1]), packed(str(own[0])), int(own[1]))
    uid = _by_netlink(ends)
    return uid if uid is not None else _by_tables(ends)


_Ends = tuple[bytes, int, bytes, int]


def _by_netlink(ends: _Ends) -> int | None:
    """As ``owner_uid``; ``None`` also for what isn't there, as a kernel without ``inet_diag`` says of all."""
    try:
        answer = _ask_kernel(ends)
    except (OSError, AttributeError):  # AttributeError: a system without netlink
        return None
    # An error is shorter; and if nobody is connected so, a listener may be told in its place.
    if len(answer) < _OWNER_AT + _OWNER.size or _HEADER.unpack_from(answer)[1] != (
        _SOCK_DIAG_BY_FAMILY
    ):
        return None
    local_port, remote_port = _PORTS.unpack_from(answer, _PORTS_AT)
    local = answer[_ADDRESSES_AT : _ADDRESSES_AT + 16]
    remote = answer[_ADDRESSES_AT + 16 : _ADDRESSES_AT + 32]
    if answer[_HEADER.size] == socket.AF_INET:
        local, remote = MAPPED_V4 + local[:4], MAPPED_V4 + remote[:4]
    if (local, local_port, remote, remote_port) != ends:
        return None
    uid, inode = _OWNER.unpack_from(answer, _OWNER_AT)
    return _owner(int(uid), is_open=inode != 0)


def _ask_kernel(ends: _Ends) -> bytes:
    peer, peer_port, own, own_port = ends
    is_v4 = is_mapped(peer) and is_mapped(own)
    skipped = 12 if is_v4 else 0
    question = (
        _QUESTION.pack(
            socket.AF_INET if is_v4 else socket.AF_INET6, socket.IPPROTO_TCP, 0, 0, _EVERY_STATE
        )
        + _PORTS.pack(peer_port, own_port)
        + peer[skipped:].ljust(16, b"\0")
        + own[skipped:].ljust(16, b"\0")
        + _REST_OF_ID.pack(0, _NO_COOKIE, _NO_COOKIE)
    )
    header = _HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    try:
        # The answer is there when the question has been sent: the kernel makes it in that call.
        netlink.setblocking(False)
        netlink.sendto(header + question, (0, 0))
        answer, (sender, _groups) = netlink.recvfrom(4096)
    finally:
        netlink.close()
    # Port 0 is the kernel's.
    return answer if sender == 0 else b""


def _by_tables(ends: _Ends) -> int | None:
    is_table_read = False
    for path in _TABLES:
        try:
            with open(path, "rb", buffering=65536) as table:
                lines = table.read().splitlines()
        except OSError:
            continue
        is_table_read = True
        uid = _uid_in_table(lines, ends)
        if uid is not None:
            return uid
    # A peer on loopback is always in the table, unless it is gone or hides.
    return NO_OWNER if is_table_read else None


def _uid_in_table(lines: list[bytes], wanted: _Ends) -> int | None:
    ports = b":%04X" % wanted[1], b":%04X" % wanted[3]
    for line in lines:
        fields = line.split(None, 10)
        if len(fields) < 10 or not fields[1].endswith(ports[0]) or not fields[2].endswith(ports[1]):
            continue
        if _table_address(fields[1]) != wanted[0] or _table_address(fields[2]) != wanted[2]:
            continue
        return _owner(int(fields[7]), is_open=fields[9] != b"0")
    return None


def _owner(uid: int, *, is_open: bool) -> int:
    # A socket that its process closed has no inode and is shown as root's: whoever closed it, it
    # proves nothing.
    return uid if is_open else NO_OWNER


def _table_address(field: bytes) -> bytes:
    """The address of a ``/proc/net/tcp`` field as 16 bytes of IPv6 in network order."""
    raw = bytes.fromhex(field.partition(b":")[0].decode("ascii"))
    # The table holds 32-bit words in the machine's own order.
    words = [
        int.from_bytes(raw[i : i + 4], "big").to_bytes(4, sys.byteorder)
        for i in range(0, len(raw), 4)
    ]
    address = b"".join(words)
    return MAPPED_V4 + address if len(address) == 4 else address
