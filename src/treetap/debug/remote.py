"""A console as its party sees it: text goes there, lines come from there.

A thread reads what the console sends, for a ctrl-c must be heard while the program runs; what is said
to a question is handed to the thread that has asked.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

from treetap.debug import message
from treetap.debug.terminal import HungUp

if TYPE_CHECKING:
    from collections.abc import Callable

    Complete = Callable[[str, int, int], list[str]]

#: Python acts on a signal between two waits only; see ``editing.editor``.
_LOOK_S = 0.1
#: What a console can list.
_MAX_COMPLETIONS_CHARS = message.MAX_TEXT_CHARS


class Remote:
    """Args:
    channel: To the console.
    press: Called for a ctrl-c while no line is asked for, in another thread.
    """

    def __init__(self, channel: socket.socket, press: Callable[[], None]) -> None:
        channel.settimeout(None)
        self._channel = channel
        self._press = press
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._is_over = False
        threading.Thread(target=self._listen, name="treetap-console", daemon=True).start()

    @property
    def is_over(self) -> bool:
        """The console is gone."""
        return self._is_over

    def write(self, text: str) -> None:
        for begin in range(0, len(text), message.MAX_TEXT_CHARS):
            piece = text[begin : begin + message.MAX_TEXT_CHARS]
            self._send(message.TEXT, text=piece)

    def ask(self, prompt: str, complete: Complete, *, is_inner: bool) -> str:
        """A line with its end; ``""`` for ctrl-d.

        Args:
            prompt: Stands before it.
            complete: Called for tab, in this thread.
            is_inner: ctrl-d ends something within the prompt: whoever answers doesn't leave by it.

        Raises:
            KeyboardInterrupt: ctrl-c.
            HungUp: The console is gone.
        """
        self._send(message.ASK, prompt=prompt, is_inner=is_inner)
        while True:
            said = self._next()
            if said["is"] == message.LINE:
                if said["text"] is None:
                    raise KeyboardInterrupt
                return str(said["text"])
            if said["is"] == message.COMPLETE:
                found = complete(str(said["line"]), int(said["begin"]), int(said["end"]))
                self._send(message.COMPLETIONS, found=_few(found))

    def close(self) -> None:
        """Idempotent."""
        self._is_over = True
        # The thread that listens would keep a socket open that is only closed.
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        self._channel.close()

    def drop(self) -> None:
        """In a forked child: the console is the parent's."""
        self._is_over = True
        self._channel.close()

    def _next(self) -> dict[str, Any]:
        while True:
            try:
                said = self._answers.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._is_over:
                    raise HungUp from None
                continue
            if said is None:
                raise HungUp
            return said

    def _send(self, kind: str, **content: Any) -> None:
        try:
            self._channel.sendall(message.encode(kind, **content))
        except OSError:
            self._is_over = True  # the next question says so

    def _listen(self) -> None:
        lines = message.Lines()
        try:
            while received := self._channel.recv(65536):
                for heard in lines.feed(received):
                    if heard["is"] == message.INTERRUPT:
                        self._press()
                    else:
                        self._answers.put(heard)
        except (OSError, ValueError, KeyError):
            pass
        self._is_over = True
        self._answers.put(None)


def _few(found: list[str]) -> list[str]:
    """As many as one message holds."""
    left, kept = _MAX_COMPLETIONS_CHARS, []
    for one in found:
        left -= len(one) + 4
        if left < 0:
            break
        kept.append(one)
    return kept
