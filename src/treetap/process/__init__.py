"""Programs, supervised: started, read, and ended with all that they started. Built on trio.

``supervise`` is the supervisor: ``orders`` (its arguments), ``reading`` (the pipes), ``lines`` (bytes
into lines), ``tail`` (what is kept for the error), ``relay`` and ``handing`` (lines into the log, or as
values), ``killing`` and ``family`` (the end of a program and its descendants), ``failure`` (the error).
"""

from treetap.process.failure import bare_errors, find_failure
from treetap.process.handing import Line
from treetap.process.iterate import ProcessLines, open_process_lines
from treetap.process.level import IO
from treetap.process.supervise import supervise_run_process

__all__ = [
    "IO",
    "Line",
    "ProcessLines",
    "bare_errors",
    "find_failure",
    "open_process_lines",
    "supervise_run_process",
]
