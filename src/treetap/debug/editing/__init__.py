"""Our own line editor: for a terminal that isn't stdin, in threads, beside signal handlers.

``editor`` reads a line, with what ``keys`` makes of bytes; ``typed`` is the line so far, ``drawing``
shows it, ``history`` keeps it.
"""
