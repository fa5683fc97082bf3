"""Where the prompt of another process is read: a terminal at one end, a channel at the other.

The terminal sends no signal meanwhile: between two lines ctrl-c is a character too, which is told to
the party, and ctrl-z one that suspends what runs here. Lines that are typed ahead are kept for the
next question.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import TYPE_CHECKING, Any

from treetap.debug import kinship, message, terminal
from treetap.debug.editing.editor import Editor, can_edit
from treetap.debug.terminal import HungUp

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from treetap.debug.editing.history import History

#: How a console ends.
DONE = "done"
LEFT = "left"
#: Likewise; and the party is stopped, and can't notice.
STOPPED = "stopped"

_COMPLETION_S = 5.0
#: A signal that comes between two looks is acted on.
_LOOK_S = 0.1
#: How often it is looked whether a silent party is stopped.
_SILENT_S = 0.25
#: Who has said nothing yet may have been about to stop itself; not for ever.
_MAX_WAKES = 20


class _Over(Exception):
    """The party is gone while its line is typed."""


class Console:
    """Args:
    channel: To the party.
    fd: Of the terminal.
    history: Of what is typed.
    suspend: Called for ctrl-z, with the terminal's modes as before; returns when the job goes on.
    may_leave: ctrl-d at the debugger's own prompt gives it back, and doesn't go to the debugger.
    pid: Of the party, to let it go on where its job is stopped; 0 where that isn't our business.
    """

    def __init__(
        self,
        channel: socket.socket,
        fd: int,
        history: History,
        *,
        suspend: Callable[[], None],
        may_leave: bool,
        pid: int = 0,
    ) -> None:
        self._channel = channel
        self._fd = fd
        self._suspend = suspend
        self._may_leave = may_leave
        self._pid = pid
        self._wakes_left = _MAX_WAKES
        self._was_heard = False
        self._was_told = False
        self._lines = message.Lines()
        self._heard: list[dict[str, Any]] = []
        self._ahead: list[str] = []
        self._partial = b""
        self._is_over = False
        self._is_typing = False
        self._former = terminal.modes(fd) or []
        self._editor = Editor(fd, self._complete, history, suspend=self._go_away)

    def run(self) -> str:
        """Serve until the party is done, or whoever is here leaves; returns which.

        The terminal's modes are as before then.
        """
        signal.signal(signal.SIGUSR1, self._stop_typing)
        watched = select.poll()
        watched.register(self._channel, 0)
        threading.Thread(target=_watch, args=(watched,), daemon=True).start()
        try:
            self._set_modes()
            self._wake()
            while True:
                self._serve()
        except _Over:
            return DONE
        except HungUp:
            if self._is_over:
                return DONE
            return STOPPED if self._is_stopped() else LEFT
        finally:
            self._write_rest()
            terminal.set_modes(self._fd, self._former)

    def _serve(self) -> None:
        while self._heard:
            self._act(self._heard.pop(0))
        # Who is stopped says nothing for ever; and a stop is told to nobody here.
        silent_s = _SILENT_S if self._pid else None
        ready, _, _ = select.select([self._channel.fileno(), self._fd], [], [], silent_s)
        if not ready:
            self._look_after_party()
        elif self._fd not in ready:
            self._hear()
        elif self._channel.fileno() not in ready:
            self._read_ahead()
        else:
            # What was typed before a question isn't its answer yet.
            self._read_ahead()
            self._hear()

    def _hear(self) -> None:
        try:
            received = self._channel.recv(65536)
            self._heard.extend(self._lines.feed(received))
        except (OSError, ValueError):
            received = b""
        if not received:
            self._is_over = True
            raise _Over
        self._was_heard, self._was_told = True, False

    def _look_after_party(self) -> None:
        """It says nothing, and hasn't asked."""
        if not self._is_stopped() or self._was_told:
            return
        if not self._was_heard and self._wakes_left:
            self._wakes_left -= 1
            self._wake()
            return
        self._was_told = True
        self._write(
            f"treetap: {self._pid} is stopped: fg in its terminal brings it back. "
            "ctrl-c or ctrl-d leaves it.\n"
        )

    def _is_stopped(self) -> bool:
        return bool(self._pid) and kinship.is_stopped(self._pid)

    def _wake(self) -> None:
        """Who is asked something goes on, though its job is stopped."""
        if self._is_stopped():
            kinship.wake(self._pid)

    def _act(self, heard: dict[str, Any]) -> None:
        if heard["is"] == message.TEXT:
            self._write(heard["text"])
        elif heard["is"] == message.ASK:
            self._answer(heard["prompt"], is_inner=heard["is_inner"])

    def _answer(self, prompt: str, *, is_inner: bool) -> None:
        try:
            line: str | None = self._line(prompt)
        except KeyboardInterrupt:
            line = None
        finally:
            self._is_typing = False
            self._set_modes()
        if line == "" and self._may_leave and not is_inner:
            raise HungUp
        self._wake()  # before: who is stopped by what follows isn't meant
        self._send(message.LINE, text=line)

    def _line(self, prompt: str) -> str:
        if self._ahead:
            self._write(f"{prompt}{self._ahead[0]}")
            return self._ahead.pop(0)
        self._is_typing = True
        self._check_party()  # the signal may have come before there was a line to end
        if can_edit() and not self._partial:
            return self._editor.read_line(prompt)
        return self._plain_line(prompt)

    def _plain_line(self, prompt: str) -> str:
        self._write(prompt)
        while True:
            while not terminal.wait_for_input(self._fd, _LOOK_S):
                pass
            key, line = self._typed()
            if key == b"":
                return ""
            if key == b"\n":
                return line
            if key == terminal.interrupt_key(self._former):
                self._write("\n")
                raise KeyboardInterrupt
            if key == terminal.suspend_key(self._former):
                self._go_away()
                self._write(prompt)

    def _read_ahead(self) -> None:
        """What is typed while no line is asked for."""
        key, line = self._typed()
        is_end = key in (b"", terminal.interrupt_key(self._former))
        if is_end and self._pid and (not self._was_heard or self._is_stopped()):
            self._write("\n")
            raise HungUp  # nobody is there who could hear it
        if key == b"\n":
            self._ahead.append(line)
        elif key == terminal.interrupt_key(self._former):
            self._ahead.clear()
            self._send(message.INTERRUPT)
        elif key == terminal.suspend_key(self._former):
            self._go_away()

    def _typed(self) -> tuple[bytes, str]:
        """What has ended a line, and the line; ``b""`` for ctrl-d, ``b"?"`` where it goes on."""
        try:
            typed = os.read(self._fd, 65536)
        except OSError as exc:
            raise HungUp from exc
        if not typed:
            if terminal.modes(self._fd) is None:
                raise HungUp
            return b"", ""
        line, self._partial = self._partial + typed, b""
        for key in (
            b"\n",
            terminal.interrupt_key(self._former),
            terminal.suspend_key(self._former),
        ):
            if line.endswith(key):
                return key, line.decode("utf-8", "replace")
        self._partial = line
        return b"?", ""

    def _complete(self, line: str, begin: int, end: int) -> list[str]:
        """Ask the party; in the middle of a line."""
        self._wake()
        self._send(message.COMPLETE, line=line, begin=begin, end=end)
        while select.select([self._channel], [], [], _COMPLETION_S)[0]:
            self._hear()
            for index, heard in enumerate(self._heard):
                if heard["is"] == message.COMPLETIONS:
                    del self._heard[index]
                    return [str(one) for one in heard["found"]]
        return []

    def _go_away(self) -> None:
        terminal.set_modes(self._fd, self._former)
        self._suspend()
        self._set_modes()

    def _set_modes(self) -> None:
        if not terminal.set_modes(self._fd, terminal.reading(self._former)):
            raise HungUp

    def _stop_typing(self, _number: int, _frame: object) -> None:
        # It may come late; and others may send it too, to a whole group: for a dump.
        if self._is_typing:
            self._check_party()

    def _check_party(self) -> None:
        watched = select.poll()
        watched.register(self._channel, 0)
        if watched.poll(0):
            self._is_over = True
            raise _Over

    def _write_rest(self) -> None:
        """What the party said last."""
        self._channel.setblocking(False)
        try:
            while received := self._channel.recv(65536):
                self._heard.extend(self._lines.feed(received))
        except (OSError, ValueError):
            pass
        for heard in self._heard:
            if heard["is"] == message.TEXT:
                self._write(heard["text"])
        self._channel.close()

    def _send(self, kind: str, **content: Any) -> None:
        try:
            self._channel.sendall(message.encode(kind, **content))
        except OSError:
            pass  # it is gone, as is noticed at once

    def _write(self, text: str) -> None:
        terminal.write(self._fd, text)


def _watch(watched: select.poll) -> None:
    """Nobody hears the channel while a line is typed: so its end is told by a signal."""
    watched.poll()
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGUSR1)
