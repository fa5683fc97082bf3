"""Where a tree's broker is found, and how the first who looks for it starts it.

In ``<home>/run/debug`` a tree has ``TREE.sock`` (the broker listens on it), ``TREE.lock`` (flocked
by whoever starts or ends a broker, so that there is one), and ``TREE.held`` (see ``custody``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from treetap.config.settings import resolve
from treetap.debug import kinship, terminal
from treetap.errors import PauseError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_TIMEOUT_S = 10.0
#: A broker may be killed before it is one.
_MAX_STARTS = 3
#: A socket's address is shorter than a path may be (108 bytes; 104 on macOS).
_MAX_ADDRESS_BYTES = 100
#: Of those who have no terminal.
_DISTANT = ".x"


class Place(NamedTuple):
    """A broker's place.

    Attributes:
        directory: Ours alone (0700).
        name: The tree's id; that of the terminal's session where the program is of no tree. With
            ``.tSID`` behind it where the terminal is another than the root's, ``.x`` where there is
            none.
        root: Pid of the tree's root, with which the broker ends.
    """

    directory: str
    name: str
    root: int

    @property
    def _nearest(self) -> Place:
        """Who has no terminal is best looked after by the broker of the tree's, if there is one."""
        return self._replace(name=self.name.removesuffix(_DISTANT))

    def path(self, kind: str) -> str:
        return f"{self.directory}/{self.name}.{kind}"

    @contextlib.contextmanager
    def alone(self) -> Iterator[int]:
        """Nobody else starts or ends a broker here meanwhile; the descriptor that sees to it.

        Its file goes when it is left without a broker: only who has it locked removes it, and who
        has then locked a file that is there no more locks another.
        """
        path = self.path("lock")
        descriptor = _locked(path)
        try:
            yield descriptor
        finally:
            if not _has_socket(path):
                with contextlib.suppress(OSError):
                    os.unlink(path)
            # Not by closing it: a child that another thread forks meanwhile has it too.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def connect(self) -> socket.socket:
        """A connection to the broker, which is started if there is none.

        Raises:
            PauseError: It can't be started (slug ``pause-no-broker``).
        """
        try:
            nearest = self._nearest
            found = nearest.try_to_connect() if nearest != self else None
            found = found or self.try_to_connect()
            if found is not None:
                return found
            with self.alone() as lock:
                why = ""
                for _ in range(_MAX_STARTS):
                    found = self.try_to_connect()
                    if found is not None:
                        return found
                    why = self._start(lock)
                found = self.try_to_connect()
        except (OSError, subprocess.SubprocessError) as exc:
            raise _no_broker(str(exc)) from exc
        if found is None:
            raise _no_broker(why or "it ended at once")
        return found

    def listen(self) -> socket.socket:
        """The broker's socket; what an earlier one left is replaced."""
        with contextlib.suppress(FileNotFoundError):
            Path(self.path("sock")).unlink()
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            with self._address() as address:
                listener.bind(address)
        finally:
            os.umask(before)
        listener.listen(128)
        return listener

    def try_to_connect(self, timeout_s: float | None = None) -> socket.socket | None:
        """A connection to the broker; ``None`` if there is none.

        Raises:
            OSError: It can't be told; with a timeout, the broker doesn't accept.
        """
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            with self._address() as address:
                connection.connect(address)
        except OSError as exc:
            connection.close()
            if exc.errno in (errno.ENOENT, errno.ECONNREFUSED):
                return None
            raise
        return connection

    @contextlib.contextmanager
    def _address(self) -> Iterator[str]:
        path = self.path("sock")
        if len(os.fsencode(path)) <= _MAX_ADDRESS_BYTES or not Path("/proc/self/fd").is_dir():
            yield path
            return
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.name}.sock"
        finally:
            os.close(descriptor)

    def _start(self, lock: int) -> str:
        """Start a broker, and say why not if not; it isn't our child, for the program may wait for any."""
        _remove_left(self.directory)
        package = str(Path(__file__).resolve().parents[2])
        code = (
            f"import sys; sys.path.insert(0, {package!r}); "
            "from treetap.debug.broker_process import main; main()"
        )
        starter = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code, *self[:2], str(self.root), str(lock)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={},
            pass_fds=[lock],  # if we are killed meanwhile, the next still waits for what we start
            process_group=0,  # no key of the terminal is meant for it
        )
        # Its last word is a byte once it listens; a broker that fails ends without.
        out, _ = starter.communicate(timeout=_START_TIMEOUT_S)
        return "" if out == b"!" else f"{sys.executable} ended with {starter.returncode}"


def own_place() -> Place:
    """The place of this process's tree.

    Raises:
        PauseError: The directory can't be made (slug ``pause-no-broker``).
        ConfigError: The home can't be known.
    """
    home = resolve().home
    tree = os.environ.get(kinship.TREE_VARIABLE, "")
    root = kinship.root_of(tree) if tree else 0
    # Without a tree, the processes of one terminal's session share it all the same.
    name = tree if tree.replace("-", "").isalnum() else f"session-{os.getsid(0)}"
    name += _which_terminal(root)
    path = Path(home)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in ("run", "debug"):
            path /= part
            path.mkdir(mode=0o700, exist_ok=True)
            if path.stat().st_uid != os.geteuid():
                raise PermissionError(errno.EACCES, "belongs to another user", str(path))
            if path.stat().st_mode & 0o077:
                path.chmod(0o700)
    except OSError as exc:
        raise PauseError(
            f"The home {home} can't be used: {exc}.",
            "The program goes on without a prompt; set TREETAP_HOME to a directory of yours that can be written.",
            slug="pause-no-broker",
        ) from exc
    return Place(str(path), name, root or os.getpid())


def _locked(path: str) -> int:
    """A descriptor of the file that has this name, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _remove_left(directory: str) -> None:
    """The locks of brokers that have been ended by a signal."""
    for name in os.listdir(directory):
        path = f"{directory}/{name}"
        # A tree's name has a hyphen; the terminals' lock, which stays, has none.
        if not name.endswith(".lock") or "-" not in name or _has_socket(path):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still(descriptor, path) and not _has_socket(path):
                    os.unlink(path)
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            finally:
                os.close(descriptor)


def _has_socket(lock: str) -> bool:
    return os.path.lexists(lock.removesuffix("lock") + "sock")


def _is_still(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _which_terminal(root: int) -> str:
    """A tree may have several: below ``script``, ``tmux``, ``ssh``. The root's has the tree's name."""
    fd = terminal.open_terminal()
    if fd is None:
        return _DISTANT
    os.close(fd)
    own = os.getsid(0)
    try:
        return f".t{own}" if root and os.getsid(root) != own else ""
    except OSError:
        return ""


def _no_broker(why: str) -> PauseError:
    return PauseError(
        f"The process that shares the terminal out can't be had: {why}.",
        "The program goes on without a prompt.",
        slug="pause-no-broker",
    )
