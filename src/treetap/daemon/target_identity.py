"""Who a target is: what was registered, the id that follows from it, and the node behind it."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from pathlib import Path
from typing import NamedTuple

from treetap import proc
from treetap.daemon.language import LANGUAGES
from treetap.errors import TargetError
from treetap.link.address import is_loopback
from treetap.model.node import NodeIdentity

_MAX_CHARS = 4096
_MAX_ID_NAME_CHARS = 60
_MAX_PROGRAM_CHARS = 200


class Registration(NamedTuple):
    """What somebody said of a process that can be observed through an adapter.

    Attributes:
        host, port: Of the adapter, as this daemon reaches it.
        language: One of the values of ``LANGUAGES``.
        name: The user's, of the program.
        workspace_root: Directory of its sources, as the program sees it; ``""`` if unknown.
        hostname: Of the machine that it runs on.
        control_url: Of its control plane; ``""`` if it has none.
        pid: Its process id; 0 if it wasn't said.
        is_safe_mode: Nothing may be taken that could hold the process up.
    """

    host: str
    port: int
    language: str
    name: str
    workspace_root: str = ""
    hostname: str = ""
    control_url: str = ""
    pid: int = 0
    is_safe_mode: bool = False

    @property
    def program(self) -> tuple[str, str, str, str]:
        """What stays the same when it is started again, on whichever port."""
        return self.name, self.language, self.workspace_root, self.hostname

    @property
    def address(self) -> tuple[str, int]:
        """To compare: two ways to say one place are the same."""
        return "127.0.0.1" if self.host.lower() == "localhost" else self.host, self.port


def checked(registration: Registration) -> Registration:
    """The registration, with its language's usual name.

    Raises:
        TargetError: A field can't be used (slug ``target-invalid``).
    """
    texts = registration._asdict()
    for field in ("host", "name", "workspace_root", "hostname", "control_url"):
        text = texts[field]
        if len(text) > _MAX_CHARS or not text.isprintable():
            raise _invalid(f"the {field} of a target is {text[:80]!r}", "It is one line of text.")
    if not registration.host.strip() or not registration.name.strip():
        raise _invalid("a target has no host, or no name", "Say which process it is, and where.")
    if not 0 < registration.port < 65536:
        raise _invalid(
            f"{registration.port} is no port", "Give the one that the adapter listens on."
        )
    if not 0 <= registration.pid < 2**31:
        raise _invalid(f"{registration.pid} is no process id", "Leave it out if it isn't known.")
    language = LANGUAGES.get(registration.language.lower())
    if language is None:
        raise _invalid(
            f"{registration.language[:80]!r} is no language of an adapter that we know",
            f"Use one of {', '.join(LANGUAGES)}.",
        )
    return registration._replace(language=language)


def target_id(registration: Registration) -> str:
    """``NAME-HASH``: the same for the same program at the same address; fits a URL as it stands."""
    name = re.sub(r"[^A-Za-z0-9._~]+", "-", registration.name)[:_MAX_ID_NAME_CHARS]
    return (
        f"{name.strip('-.') or 'target'}-{_hash(*registration.program, *registration.address)[:12]}"
    )


def tree_of(target: str) -> str:
    """The tree of a target's nodes: it outlives their processes, so that probes find the next one.

    Its root's pid is 0: no process of ours.
    """
    return f"0-{_hash(target)[:13]}"


def node_identity(
    registration: Registration, target: str, pid: int, *, parent: str = ""
) -> NodeIdentity:
    """The node of a process.

    Of a process of this machine it is the one that the process itself would name, so that there is
    one node, whoever tells of it. Of others the target stands in for what can't be known.

    Args:
        registration: Of the target.
        target: Its id.
        pid: Of the process, as the adapter says; 0 if it doesn't.
        parent: Id of the node that started it.
    """
    pid = pid or registration.pid
    is_here = bool(pid) and is_local(registration)
    return NodeIdentity(
        name=registration.name,
        pid=pid,
        # One of ours that is over already has no start any more.
        start_ns=local_start_ns(registration, pid) or int(_hash(target)[:13], 16),
        host=_own_hostname() if is_here else registration.hostname or registration.host,
        boot_id=proc.boot_id() if is_here else "",
        tree=tree_of(target),
        parent=parent,
        program=_program(pid) if is_here else "",
    )


def local_start_ns(registration: Registration, pid: int) -> int:
    """When a process of this machine began, as ``NodeIdentity.start_ns``; 0 if it is none, or over."""
    if not pid or not is_local(registration):
        return 0
    return proc.start_ns(proc.stat(pid))


def is_local(registration: Registration) -> bool:
    """Whether its pids are this machine's.

    A port of a container may be at hand as one of loopback; its pids are of another world, and so
    is, as a rule, its host name. Machines that are copies of one image share that, but no address.
    """
    return registration.hostname in ("", _own_hostname()) and _is_own_address(registration.host)


def _invalid(what: str, hint: str) -> TargetError:
    return TargetError(what[0].upper() + what[1:] + ".", hint, slug="target-invalid")


def _hash(*parts: object) -> str:
    # JSON keeps apart what a separator in a name would run together.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _is_own_address(host: str) -> bool:
    """Of a numeric address, or loopback's name: whether it is this machine's."""
    host = host.strip("[]")
    if is_loopback(host):
        return True
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                # Nobody can bind the address of another machine; nothing is sent.
                sock.bind((host, 0))
        except OSError:
            continue
        return True
    return False


def _own_hostname() -> str:
    return socket.gethostname()


def _program(pid: int) -> str:
    """Its arguments, as ``NodeIdentity.program`` has them: without the interpreter."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            words = file.read(4 * _MAX_PROGRAM_CHARS).decode(errors="replace").split("\0")
    except OSError:
        return ""
    return " ".join(filter(None, words[1:]))[:_MAX_PROGRAM_CHARS]
