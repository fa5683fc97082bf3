"""How a process that the spawner has started becomes an actor.

======================  ====================================================================
descriptors             0 is ``/dev/null``; 1 and 2 are the parent's at the time of the call; 3 is the
                        channel to the parent, 4 the control socket; nothing else is open
working directory       the parent's at that time, or as asked
environment             the parent's at that time, or as asked; and the tree's address in it
``sys.argv``            the parent's; ``sys.orig_argv`` too
``sys.path``            the parent's
``__main__``            the parent's program, run as ``__mp_main__`` when a function of it is called
                        first (``reference`` does that): what its ``if __name__ == "__main__"`` guards
                        is not run
signals                 as in a new process, but for SIGINT and SIGHUP, which a terminal sends to
                        everybody: nothing happens, for the root ends the tree in order;
                        SIGTERM ends this actor in order
umask, limits, nice     the root's, when it opened its first nursery
process group, session  the root's
======================  ====================================================================

A warm actor is a fork: flags of the interpreter, the seed of its hashes and ``PYTHON*`` variables are
the root's. Everything here runs before the actor speaks; what fails is told to the parent.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from treetap.actor import kernel
from treetap.actor.control import ControlInbox, encode
from treetap.actor.fork import ACTOR_VARIABLE, CHANNEL, CONTROL, NAME_VARIABLE, Birth
from treetap.actor.prompts import is_held_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_HOLD_POLL_S = 0.05
_RESET = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGUSR1)


def begin(birth: Birth) -> NoReturn:
    """Be the warm actor that this process was forked for."""
    _settle(birth)
    for stream in (sys.stdout, sys.stderr):
        # As it would be had the interpreter begun with these descriptors.
        if stream is not None:
            stream.reconfigure(line_buffering=stream is sys.stderr or stream.isatty())  # type: ignore[union-attr]
    for finder in sys.path_importer_cache.values():
        # A directory may have changed since the spawner looked. (importlib.invalidate_caches() does
        # more, and takes 8 ms after a fork.)
        forget = getattr(finder, "invalidate_caches", None)
        if forget is not None:
            forget()
    _live(birth.fields)


def become(birth: Birth, executable: list[str]) -> NoReturn:
    """Replace this process by a new interpreter that is the actor (``fresh``)."""
    _settle(birth)
    # Nobody is to interrupt it before it can say what an interrupt means to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (CHANNEL, CONTROL):
        os.set_inheritable(descriptor, True)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    code = (
        f"import sys; sys.path.insert(0, {root!r}); "
        "from treetap.actor.child import be_fresh; be_fresh()"
    )
    # Without the tree's address: the start-up hook would make it a node that bears no name yet.
    environment = {k: v for k, v in birth.fields["env"].items() if k != "TREETAP_TREE"}
    os.execve(executable[0], [*executable, "-c", code], environment)  # noqa: S606


def be_fresh() -> None:
    """The whole life of a new interpreter that ``become`` began."""
    for descriptor in (CHANNEL, CONTROL):
        os.set_inheritable(descriptor, False)
    with socket.socket(fileno=os.dup(CONTROL)) as sock:
        inbox = ControlInbox(sock)
        messages = inbox.receive()
        while messages == []:
            messages = inbox.receive()
    if messages is None:
        os._exit(1)  # the spawner is gone
    _live(messages[0][0])


def leave(code: int, number: int = 0) -> NoReturn:
    """End this process as an interpreter does, but for taking the interpreter itself apart.

    Args:
        code: The exit code.
        number: Of the signal that the exit status shall say instead; 0 for none.
    """
    import atexit
    import threading

    while not number and is_held_here():
        time.sleep(_HOLD_POLL_S)  # a thread of its own is at a prompt
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, OSError, ValueError):
                pass
        if number:
            # As a program ends that doesn't handle it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(code)


def _settle(birth: Birth) -> None:
    """What belongs to the spawner goes; what belongs to the parent comes."""
    kernel.die_with(birth.spawner_pid)
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, _ignore)
    channel, cwd, stdout, stderr = birth.descriptors
    wanted = [os.open(os.devnull, os.O_RDWR), stdout, stderr, channel, birth.control]
    os.fchdir(cwd)
    _place(wanted)


def _place(wanted: list[int]) -> None:
    """Make ``wanted`` the descriptors 0, 1, 2…, and close all others."""
    import fcntl

    # Out of the way first: one may have the number that another shall get.
    high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, len(wanted)) for each in wanted]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, number, inheritable=number <= 2)
    os.closerange(len(wanted), os.sysconf("SC_OPEN_MAX"))


def _live(fields: dict[str, Any]) -> NoReturn:
    signal.signal(signal.SIGINT, _ignore)
    signal.signal(signal.SIGHUP, _ignore)
    try:
        _take_over(fields)
        from treetap.actor import living

        number = living.live(fields, CHANNEL, CONTROL)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
        import traceback

        _tell_failure(traceback.format_exc())
        leave(1)
    leave(0, number)


def _take_over(fields: dict[str, Any]) -> None:
    from treetap.actor import title

    title.find_place()
    os.environ.clear()
    os.environ.update(fields["env"])
    os.environ[ACTOR_VARIABLE] = fields["uid"]
    # For the header of a prompt; with the pid, so that it isn't said of a program started here.
    os.environ[NAME_VARIABLE] = f"{os.getpid()} {fields['depth']} {fields['name']}"
    time.tzset()
    sys.argv[:] = fields["argv"]
    sys.orig_argv[:] = fields["orig_argv"]
    sys.path[:] = fields["path"]


def _tell_failure(text: str) -> None:
    try:
        with socket.socket(fileno=os.dup(CONTROL)) as sock:
            sock.setblocking(True)
            sock.sendall(encode({"op": "fail", "text": text}))
    except OSError:
        sys.stderr.write(text)


def _ignore(*_: object) -> None:
    """Not ``SIG_IGN``: the programs that an actor starts would inherit that."""
