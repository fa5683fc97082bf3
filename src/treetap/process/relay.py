"""Lines of a program into ``logging``, at about what the logging itself costs.

A loop that calls ``logger.log()`` for each line spends a third of its time on looking for its own
caller, and asks each time whether the level is on. Here the caller is known, it is this module, so
that the record is made by the logger's own ``makeRecord`` with a fixed place, and given to its
``handle``. Filters, handlers, the record factory and propagation see what they always see.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING, TypeAlias

import trio

from treetap.process.harmless import make_all_harmless, safe_repr

if TYPE_CHECKING:
    from treetap.process.lines import Block

Logger: TypeAlias = "logging.Logger | logging.LoggerAdapter[logging.Logger]"

#: Lines between two checkpoints: some 2 ms of a plain handler.
SLICE = 256

CUT_MARK = " [... this line goes on]"
REST_MARK = "[... goes on] "


class LogSink:
    """One stream of a program, as records of one logger.

    Args:
        logger: Where to.
        level: Of each record.
        tag: In front of each line.
        escape_control: Whether control characters are made harmless.

    Attributes:
        refused: How many lines a handler or a filter raised for.
        first_refusal: What it raised first, as text.
    """

    def __init__(self, logger: Logger, level: int, tag: str, *, escape_control: bool) -> None:
        self._logger = logger
        self._level = level
        self._tag = f"[{tag}] "
        self._escape_control = escape_control
        self.refused = 0
        self.first_refusal = ""

    async def take(self, block: Block) -> None:
        """Log the pieces of a block, one record each; other tasks get their turn in between."""
        # Once a block: a level is changed by hand, not line by line.
        if not self._logger.isEnabledFor(self._level):
            return
        texts = make_all_harmless(block.texts) if self._escape_control else block.texts
        before = self._tag + REST_MARK if block.kind == "rest" else self._tag
        after = CUT_MARK if block.kind == "cut" else ""
        for start in range(0, len(texts), SLICE):
            if start:
                await trio.lowlevel.checkpoint()
            some = texts[start : start + SLICE] if len(texts) > SLICE else texts
            messages = [before + text for text in some]
            if after:
                messages = [message + after for message in messages]
            self._log(messages)

    def close(self) -> None:
        """The stream has ended. A log that raised is told of what it hasn't got."""
        if not self.refused:
            return
        try:
            self._logger.warning(
                "%s%d lines were not logged: %s", self._tag, self.refused, self.first_refusal
            )
        except Exception:  # noqa: BLE001 - it is still broken; the first was reported
            return

    def _log(self, messages: list[str]) -> None:
        logger, level = self._logger, self._level
        if not _is_plain(logger):
            for message in messages:
                try:
                    logger.log(level, "%s", message)
                except Exception as exc:  # noqa: BLE001 - see _refuse
                    self._refuse(exc)
            return
        assert isinstance(logger, logging.Logger)
        name, make_record, handle = logger.name, logger.makeRecord, logger.handle
        for message in messages:
            try:
                handle(make_record(name, level, _FILE, _LINE, message, (), None, "relay"))
            except Exception as exc:  # noqa: BLE001 - see _refuse
                self._refuse(exc)

    def _refuse(self, error: Exception) -> None:
        """Count what a handler raised; the program that writes has no part in it.

        Said once, where and when ``logging`` says such things itself (``Handler.handleError``).
        """
        self.refused += 1
        if self.refused > 1:
            return
        self.first_refusal = safe_repr(error)
        if logging.raiseExceptions and sys.stderr is not None:
            try:
                sys.stderr.write(f"--- Logging error, relaying {self._tag.strip()} ---\n")
                traceback.print_exception(error, file=sys.stderr)
            except Exception:  # noqa: BLE001 - it may be closed, or the program's own invention
                return


def _is_plain(logger: Logger) -> bool:
    """Whether ``log()`` of it does nothing but to make a record and handle it."""
    kind = type(logger)
    return (
        isinstance(logger, logging.Logger)
        and kind.log is logging.Logger.log
        and kind._log is logging.Logger._log
    )


_FILE = LogSink._log.__code__.co_filename
_LINE = LogSink._log.__code__.co_firstlineno
