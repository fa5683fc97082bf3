"""Who this process is: pid, start time, boot, tree and parent."""

from __future__ import annotations

import os
import sys

from treetap import proc
from treetap.model.node import NodeIdentity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The tree of a process and the node that it was started by, for those that it starts.
TREE_VARIABLE = "TREETAP_TREE"
PARENT_VARIABLE = "TREETAP_PARENT"

_MAX_PROGRAM_CHARS = 200


def own_identity(
    name: str = "",
    environ: Mapping[str, str] | None = None,
    *,
    tree: str | None = None,
    parent: str | None = None,
) -> NodeIdentity:
    """The identity of this process.

    Args:
        name: The user's name for it; that of the program if empty.
        environ: Where the tree's address is; the process's environment if not given.
        tree: Id of the tree, where the caller knows better than the environment.
        parent: Id of the parent node, likewise.
    """
    environ = os.environ if environ is None else environ
    pid = os.getpid()
    start_ns = process_start_ns(pid)
    if tree is None:
        tree = sound_id(environ.get(TREE_VARIABLE, ""))
    if parent is None:
        parent = sound_id(environ.get(PARENT_VARIABLE, "")) if tree else ""
    # A process that replaced itself by exec finds itself as its parent; the root has none.
    is_root = tree in ("", f"{pid}-{start_ns:x}")
    return NodeIdentity(
        name=name or program_name(),
        pid=pid,
        start_ns=start_ns,
        host=os.uname().nodename,
        boot_id=proc.boot_id(),
        tree=tree,
        parent="" if is_root or parent == f"{pid}-{start_ns:x}" else parent,
        python=".".join(map(str, sys.version_info[:3])),
        program=" ".join(sys.orig_argv[1:])[:_MAX_PROGRAM_CHARS],
    )


def own_id() -> str:
    """The id that this process's node has, or would have."""
    return f"{os.getpid()}-{process_start_ns(os.getpid()):x}"


def process_start_ns(pid: int) -> int:
    """When a process started, in ns; 0 if there is no such process (a zombie is none).

    On Linux it counts from the machine's boot: the wall clock's idea of the boot moves with
    every correction of the clock, and a live process must not be taken for a recycled pid.
    """
    fields = proc.stat(pid)
    if not fields and not os.path.exists("/proc/self/stat"):
        return _start_by_ps_ns(pid)
    return proc.start_ns(fields)


def pid_namespace() -> str:
    """Which pids we can see; pids of another namespace (a container's) mean nothing here."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def program_name(argv: list[str] | None = None) -> str:
    """What a person would call the program: its module's or its script's name."""
    words = list(sys.orig_argv if argv is None else argv)
    while len(words) > 1:
        word = words.pop(1)
        if word in ("-X", "-W", "--check-hash-based-pycs"):
            del words[1:2]
        elif word.startswith("-m"):
            return (word[2:] or "".join(words[1:2])).removesuffix(".__main__") or "python"
        elif word.startswith("-c"):
            code = word[2:] or "".join(words[1:2])
            return "multiprocessing" if code.startswith("from multiprocessing.") else "python"
        elif not word.startswith("-"):
            return os.path.basename(word.rstrip("/")) or "python"
    return "python"


def sound_id(text: str) -> str:
    """``text`` if it looks like a node's or a tree's id, else ``""``: ids become file names."""
    pid, dash, start = text.partition("-")
    is_sound = (
        bool(dash)
        and len(text) <= 40
        and pid.isascii()
        and pid.isdigit()
        and start.isascii()
        and start.isalnum()
    )
    return text if is_sound else ""


def _start_by_ps_ns(pid: int) -> int:
    """macOS: whole seconds since the epoch, as ``ps`` tells them."""
    import subprocess
    import time

    shown = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": "/bin:/usr/bin"},
    ).stdout.strip()
    try:
        return int(time.mktime(time.strptime(shown, "%a %b %d %H:%M:%S %Y"))) * 1_000_000_000
    except ValueError:
        return 0
