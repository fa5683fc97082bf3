"""A machine word at an address, to be read and written: the part of ``ctypes`` that we need at once.

``ctypes`` itself takes 3 ms to import (``struct`` with it), and a child of an awake tree waits for that
before its first line. This is what it is made from.
"""

from __future__ import annotations

from _ctypes import _SimpleCData, sizeof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Word(_SimpleCData):  # type: ignore[type-arg] # the class takes no argument where it runs
    """Made by ``Word.from_address``; ``value`` is the number, ``None`` for 0.

    ``P`` is the type of ``c_void_p``: unsigned, and of the size of a pointer on every platform.
    """

    _type_ = "P"

    if TYPE_CHECKING:
        value: Any


WORD_BYTES = sizeof(Word)
