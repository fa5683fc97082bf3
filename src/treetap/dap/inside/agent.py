"""What takes values in a Python program that debugpy observes. The text of this file goes there.

The session sends it through the adapter's ``evaluate``, and the logpoints that it sets call ``take``.
So it imports nothing of treetap's when it runs, and never raises into the program. A hit goes like this:

- ``take(key)`` runs in the program's thread, in debugpy's evaluation of the logpoint's message: it finds
  the frame, tests, makes plain data of the values, and puts a row into a bounded ring. The text it
  returns is what debugpy logs: nothing, or the *bell*, once until the next ``drain``.
- ``drain`` runs in debugpy's own thread when the session has heard the bell, and is how rows leave: as
  JSON, so that no value can be taken for anything else. A row that the ring had to drop is a gap in
  the numbers.

*Rejected:* the values in the message itself, as one writes logpoints by hand. Then each hit goes through
debugpy's queue, which has no bound, and its adapter, one message each.

Expressions are evaluated as they are, as debugpy does: properties of the program's own run.
"""

from __future__ import annotations

import collections
import json
import os
import sys
import threading
import time
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    # In the program they are in this very namespace.
    from treetap.dap.inside.plain import Plain  # noqa: TC004
    from treetap.dap.inside.turn import Turn  # noqa: TC004

#: What an expression may raise; ``exit()`` in one must not end the program.
_FAILURES = (Exception, SystemExit, GeneratorExit)
#: The name, in ``builtins``, that logpoints call the agent by.
NAME = "__treetap_dap__"
_MAX_ROWS = 20_000
_MAX_CHARS = 16_000_000
#: A bell that nobody heard is rung again.
_BELL_AGAIN_NS = 200_000_000
#: The end of the program waits no longer for its last rows to leave.
_LAST_WORDS_S = 0.5
_RESUME = -1
if sys.version_info[:2] == (3, 11):
    import opcode

    _RESUME = opcode.opmap["RESUME"]


class Agent:
    """All logpoints of one session, and the rows they made.

    Args:
        nonce: Of the session: its bell.
        hides: Whether a value of this name is a secret.
    """

    def __init__(self, nonce: str, hides: Callable[[str], bool]) -> None:
        self.nonce = nonce
        self.hides = hides
        self.pid = os.getpid()
        self.points: dict[str, Point] = {}
        self.rows: collections.deque[tuple[int, list[Any]]] = collections.deque()
        self.chars = 0
        self.rung_ns = 0
        #: For counts and the ring; never held while an expression is evaluated. A signal handler
        #: may come in between, hence the R.
        self.lock = threading.RLock()
        #: Threads that are in ``take``: what an expression calls is not observed.
        self.inside: set[int] = set()
        _at_end(self.last_words)

    # -- called by the session, in debugpy's thread ---------------------------------------------

    def arm(self, text: str) -> str:
        """Add logpoints, which are the JSON list ``text``."""
        points = [Point(fields) for fields in json.loads(text)]
        self.points = {**self.points, **{point.key: point for point in points}}
        return "armed"

    def disarm(self, text: str) -> str:
        gone = set(json.loads(text))
        self.points = {key: point for key, point in self.points.items() if key not in gone}
        return "disarmed"

    def drain(self, max_chars: int) -> str:
        """JSON of rows, the oldest first, and of all counts."""
        rows: list[Any] = []
        room = max_chars
        with self.lock:
            self.rung_ns = 0
            while self.rows and room > 0:
                size, row = self.rows.popleft()
                self.chars -= size
                room -= size
                rows.append(row)
            more = bool(self.rows)
            counts = {key: point.counts() for key, point in self.points.items()}
        return json.dumps({"rows": rows, "more": more, "points": counts})

    def close(self) -> str:
        """Take everything out again."""
        self.points = {}
        _not_at_end(self.last_words)
        import builtins

        if getattr(builtins, NAME, None) is self:
            delattr(builtins, NAME)
        return "closed"

    def sources(self, ending: str) -> str:
        """JSON of the files of loaded modules that end with these parts of a path."""
        found = set()
        for module in list(sys.modules.values()):
            file = vars(module).get("__file__") if type(module) is types.ModuleType else None
            if type(file) is str:
                path = os.path.abspath(file)  # noqa: PTH100 - pathlib may not be loaded here
                found.add(path if path == ending or path.endswith("/" + ending) else "")
        return json.dumps(sorted(found - {""}))

    def function(self, module: str, qualname: str) -> str:
        """JSON of file and first line of a function's body; ``null`` if there is none such."""
        found: Any = sys.modules.get(module)
        for name in qualname.split("."):
            found = vars(found).get(name) if hasattr(found, "__dict__") else None
            found = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
        while hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        code = getattr(found, "__code__", None)
        if not isinstance(code, types.CodeType):
            return "null"
        lines = [line for _, _, line in code.co_lines() if line and line > code.co_firstlineno]
        first = min(lines) if lines else code.co_firstlineno
        file = os.path.abspath(code.co_filename)  # noqa: PTH100
        return json.dumps([file, first])

    def last_words(self) -> None:
        """The program ends: what is in the ring goes out now, for no ``drain`` will come."""
        if os.getpid() != self.pid or not self.rows:
            return
        try:
            from _pydevd_bundle.pydevd_constants import (
                get_global_debugger,
            )

            debugger = get_global_debugger()
            text = self.nonce + self.drain(_MAX_CHARS)
            writer = debugger.writer
            writer.add_command(debugger.cmd_factory.make_io_message(text + "\n", "1"))
            deadline_s = time.monotonic() + _LAST_WORDS_S
            while not writer.empty() and time.monotonic() < deadline_s:
                time.sleep(0.002)
        except Exception:  # noqa: BLE001 - another version's, or no client: then they are lost
            return

    # -- called by the logpoints, in the program's threads --------------------------------------

    def take(self, key: str) -> str:
        """One hit; the text that debugpy shall log for it."""
        point = self.points.get(key)
        thread = threading.get_ident()
        # Also in a child that was forked and is not attached to: the points are its parent's.
        if point is None or thread in self.inside or os.getpid() != self.pid:
            return ""
        try:
            self.inside.add(thread)
            inner = sys._getframe(1)
            frame = _frame_of_line(inner)
            if frame is None or _is_only_called(frame):
                return ""
            return self._take(point, inner, frame, thread)
        except Exception:  # noqa: BLE001 - the program must not see a fault of ours
            with self.lock:
                point.skip("fault")
            return ""
        finally:
            self.inside.discard(thread)

    def _take(self, point: Point, inner: FrameType, frame: FrameType, thread: int) -> str:
        time_ns = time.time_ns()
        names, own = inner.f_globals, inner.f_locals
        reason = point.why_not_by_condition(names, own)
        with self.lock:
            point.hits += 1
            reason = reason or point.turn.why_not(time.monotonic())
            if reason:
                point.skip(reason)
                return ""
        plain = Plain(point.limits, self.hides)
        values = [_value(compiled, names, own, plain) for compiled in point.codes]
        snapshot = None
        if point.wants_stack or point.wants_locals:
            found = plain.locals(own, is_module=own is names) if point.wants_locals else []
            stack = _stack(frame, point.max_frames) if point.wants_stack else []
            snapshot = {"$": "snapshot", "locals": found, "stack": stack}
        size = plain.chars + 200 + 100 * (len(snapshot["stack"]) if snapshot else 0)
        name = threading.current_thread().name
        row = [point.key, 0, time_ns, thread, name, _name_of(frame), values, snapshot]
        with self.lock:
            row[1] = point.recorded
            point.recorded += 1
            self.rows.append((size, row))
            self.chars += size
            while len(self.rows) > _MAX_ROWS or (self.chars > _MAX_CHARS and len(self.rows) > 1):
                self.chars -= self.rows.popleft()[0]
            if time_ns - self.rung_ns < _BELL_AGAIN_NS:
                return ""
            self.rung_ns = time_ns
        return self.nonce


class Point:
    """One logpoint: its code, compiled once, and its counts."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.key: str = fields["key"]
        self.limits: dict[str, int] = fields["limits"]
        self.wants_stack: bool = fields["wants_stack"]
        self.wants_locals: bool = fields["wants_locals"]
        self.max_frames: int = fields["max_frames"]
        self.turn = Turn(
            fields["mode"], fields["rate"], fields["max_hits"], fields["hit_condition"]
        )
        self.hits = self.recorded = 0
        self.skipped: dict[str, int] = {}
        self.condition_error = ""
        self.condition = _compiled(fields["condition"]) if fields["condition"] else None
        self.codes = [_compiled(text) for text in fields["expressions"]]

    def skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def counts(self) -> list[Any]:
        return [self.hits, self.recorded, dict(self.skipped), self.condition_error]

    def why_not_by_condition(self, names: dict[str, Any], own: Any) -> str:
        if self.condition is None:
            return ""
        try:
            return "" if _evaluated(self.condition, names, own) else "condition"
        except _FAILURES as exc:
            self.condition_error = f"{type(exc).__name__}: {_message(exc)}"
            return "condition-error"


def _at_end(call: Callable[[], None]) -> None:
    """Have it called when the main thread ends: `atexit` is too late, debugpy has gone by then."""
    getattr(threading, "_register_atexit", lambda _: None)(call)


def _not_at_end(call: Callable[[], None]) -> None:
    calls = getattr(threading, "_threading_atexits", [])
    calls[:] = [each for each in calls if getattr(each, "func", None) != call]


def _compiled(text: str) -> tuple[CodeType | Exception, bool]:
    """The code; or what the compiler said. And whether it has scopes of its own inside."""
    try:
        code = compile(text.strip(), "<treetap>", "eval")
    except Exception as exc:  # noqa: BLE001 - SyntaxError, ValueError, RecursionError…
        return exc, False
    return code, any(isinstance(const, types.CodeType) for const in code.co_consts)


def _evaluated(compiled: tuple[CodeType | Exception, bool], names: dict[str, Any], own: Any) -> Any:
    code, is_nested = compiled
    if isinstance(code, Exception):
        raise code
    if is_nested:
        # A lambda in `eval` sees the globals, and never the locals that `eval` is given.
        return eval(code, {**names, **own})  # noqa: S307
    return eval(code, names, own)  # noqa: S307


def _value(
    compiled: tuple[CodeType | Exception, bool], names: dict[str, Any], own: Any, plain: Plain
) -> Any:
    try:
        return plain.of(_evaluated(compiled, names, own))
    except _FAILURES as exc:
        return {"$": "error", "type": type(exc).__name__, "text": _message(exc)}


def _frame_of_line(inner: FrameType) -> FrameType | None:
    """The nearest frame with the globals that debugpy evaluates in: its own have others."""
    names, frame = inner.f_globals, inner.f_back
    while frame is not None and frame.f_globals is not names:
        frame = frame.f_back
    return frame


def _is_only_called(frame: FrameType) -> bool:
    """On 3.11, debugpy evaluates when a function is called, and again at its first line."""
    if _RESUME < 0:
        return False
    return frame.f_lasti < 0 or frame.f_code.co_code[frame.f_lasti] == _RESUME


def _stack(frame: FrameType | None, max_frames: int) -> list[Any]:
    stack: list[Any] = []
    while frame is not None and len(stack) < max_frames:
        file = frame.f_code.co_filename
        if "/debugpy/" not in file and "pydevd" not in file:
            stack.append([_name_of(frame), file, frame.f_lineno])
        frame = frame.f_back
    return stack


def _name_of(frame: FrameType) -> str:
    code = frame.f_code
    return getattr(code, "co_qualname", code.co_name)


def _message(exc: BaseException) -> str:
    try:
        return str(exc)[:255].encode("utf-8", "backslashreplace").decode()
    except Exception:  # noqa: BLE001 - its `__str__` is the program's
        return ""
