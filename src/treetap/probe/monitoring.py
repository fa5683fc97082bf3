"""The second engine, on 3.12 and later: ``sys.monitoring`` events of single code objects.

It reaches what a swap can't: frames that run already, generators that are suspended, the code of
modules and class bodies, code without source. A hit costs more (the values are read from the frame),
and other code costs nothing: events are asked for code object by code object, and every line that
nobody asked about is disabled at its first event.
"""

from __future__ import annotations

import sys

from treetap.errors import DebuggerError
from treetap.expression import tree as ast
from treetap.interpreter import DEF_LINE_NEEDS_PY_START, MONITORING_SPOILS_CODE
from treetap.probe.snippet import Snippet, fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, FrameType
    from typing import Any

    from treetap.probe.fastpath import FastPath
    from treetap.probe.recorder import Recorder

#: Ids that are not spoken for first: 0 is for debuggers, 1 for coverage, 2 for profilers, 5 for
#: optimizers (PEP 669); ddtrace takes 3 and 4 where it runs.
_TOOL_IDS = (4, 3, 5, 2)
TOOL_NAME = "treetap"
#: ``sys.monitoring``; untyped, for the types are those of 3.11, which doesn't have it.
_monitoring: Any = getattr(sys, "monitoring", None)

if TYPE_CHECKING:
    #: Called with the program's frame at a hit; never raises.
    Hit = Callable[[FrameType], None]
    #: ``{id(code): {line: hits}}``.
    Sites = dict[int, dict[int, tuple[Hit, ...]]]

#: The key of a function's entry, where others have a line.
ENTRY = 0


class MonitoringEngine:
    """Arms lines of code objects through one monitoring tool id, held only while something is armed."""

    name = "monitoring"

    def __init__(self) -> None:
        self._tool_id: int | None = None
        #: ``{id(code): {line: hits}}``; the code objects are kept alive beside it, for an id is only
        #: an identity as long as its object lives. Replaced as a whole, never changed in place.
        self._sites: Sites = {}
        self._codes: dict[int, CodeType] = {}

    def set(self, code: CodeType, hits: dict[int, list[Hit]]) -> None:
        """Have ``hits`` called at the lines of ``code``; an empty dict lets go of it.

        Raises:
            DebuggerError: Other tools hold all the ids (slug ``monitoring-no-tool-id``).
        """
        if not hits and id(code) not in self._sites:
            return
        events = _monitoring.events
        tool_id = self._acquire()
        if hits:
            is_known = id(code) in self._codes
            self._codes[id(code)] = code
            self._sites = {
                **self._sites,
                id(code): {line: tuple(calls) for line, calls in hits.items()},
            }
            self._listen()
            mask = events.LINE if set(hits) != {ENTRY} else 0
            if ENTRY in hits or (DEF_LINE_NEEDS_PY_START and code.co_firstlineno in hits):
                mask |= events.PY_START
            _monitoring.set_local_events(tool_id, code, mask)
            if is_known:
                # A line that was disabled when nobody had asked about it has to be heard of again.
                # Taking the events off and on would do it too, and lose what happens in between.
                _monitoring.restart_events()
        else:
            _monitoring.set_local_events(tool_id, code, events.NO_EVENTS)
            self._sites = {key: value for key, value in self._sites.items() if key != id(code)}
            self._codes.pop(id(code), None)
            if self._sites:
                self._listen()
            else:
                self._release()

    def close(self) -> None:
        """Let go of everything."""
        for code in list(self._codes.values()):
            self.set(code, {})

    @property
    def armed(self) -> tuple[CodeType, ...]:
        """The code objects that events are asked of."""
        return tuple(self._codes.values())

    def _acquire(self) -> int:
        if self._tool_id is not None:
            return self._tool_id
        monitoring = _monitoring
        for tool_id in _TOOL_IDS:
            try:
                monitoring.use_tool_id(tool_id, TOOL_NAME)
            except ValueError:
                continue
            self._tool_id = tool_id
            return tool_id
        holders = ", ".join(f"{n}: {monitoring.get_tool(n)}" for n in _TOOL_IDS)
        raise DebuggerError(
            "Other tools hold every monitoring id that treetap may take.",
            f"End one of them ({holders}).",
            slug="monitoring-no-tool-id",
        )

    def _release(self) -> None:
        if self._tool_id is None:
            return
        monitoring = _monitoring
        monitoring.register_callback(self._tool_id, monitoring.events.LINE, None)
        monitoring.register_callback(self._tool_id, monitoring.events.PY_START, None)
        monitoring.free_tool_id(self._tool_id)
        self._tool_id = None

    def _listen(self) -> None:
        """Have the callbacks know the present sites."""
        monitoring = _monitoring
        assert self._tool_id is not None
        for event, on_event in (
            (monitoring.events.LINE, _on_line(self._sites)),
            (monitoring.events.PY_START, _on_start(self._sites)),
        ):
            monitoring.register_callback(self._tool_id, event, on_event)


def _on_line(sites: Sites, depth: int = 1) -> Callable[[CodeType, int], Any]:
    """The callback of a LINE event, with all that it needs at hand.

    The program's frame is ``depth`` frames above the callback's.
    """
    hit_at = {
        key: {line: _all_of(hits) for line, hits in of_code.items()}
        for key, of_code in sites.items()
    }
    disable, getframe = _monitoring.DISABLE, sys._getframe

    def on_line(code: CodeType, line: int) -> Any:
        try:
            hit = hit_at[id(code)][line]
        except KeyError:
            return disable
        # A hit never raises; the call of it may, near the recursion limit.
        try:
            hit(getframe(depth))
        except Exception:
            pass
        return None

    return on_line


def _on_start(sites: Sites) -> Callable[[CodeType, int], Any]:
    """The callback of a PY_START event: the same, at the one line that stands for the entry."""
    entries = {key: {ENTRY: hits[ENTRY]} for key, hits in sites.items() if ENTRY in hits}
    on_line = _on_line(entries, depth=2)

    def on_start(code: CodeType, _offset: int) -> Any:
        return on_line(code, ENTRY)

    return on_start


def _all_of(hits: tuple[Hit, ...]) -> Hit:
    if len(hits) == 1:
        return hits[0]

    def hit_all(frame: FrameType) -> None:
        for hit in hits:
            hit(frame)

    return hit_all


def restored(codes: Iterable[CodeType]) -> list[tuple[CodeType, CodeType]]:
    """What has to stand in for code objects that monitoring has spoilt, so that they are fast again.

    On 3.12 instrumenting destroys a code object's superinstructions for good: an equal, fresh one
    has them (measured on 3.12.1). Elsewhere there is nothing to do.
    """
    if not MONITORING_SPOILS_CODE:
        return []
    return [(code, code.replace()) for code in codes]


def reader(recorder: Recorder, code: CodeType, fast: FastPath) -> Hit:
    """The hot snippet as a function of a frame.

    It binds the probe's names from the frame and then is the very code that would be injected.
    """
    own = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    is_function = bool(code.co_flags & 0x1)
    # No name of a program has an @ in it, so ours can't hide one of the probe's.
    body: list[ast.stmt] = [
        _bind("@locals", ast.Attribute(_load("@frame"), "f_locals", ast.Load()))
    ]
    for name in fast.names:
        is_local = name in own or not is_function
        space = (
            _load("@locals")
            if is_local
            else ast.Attribute(_load("@frame"), "f_globals", ast.Load())
        )
        body.append(_bind(name, ast.Subscript(space, ast.Constant(name), ast.Load())))
    snippet = Snippet(recorder, frozenset(), fast, frame_name="@frame")
    module = ast.parse("def read(frame): pass")
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.args.args[0].arg = "@frame"
    function.body = snippet.statements(before=body)
    ast.fix_missing_locations(module)
    names: dict[str, Any] = {}
    compiled = compile(module, "<treetap>", "exec")
    consts = tuple(
        fill(value, snippet.constants) if type(value) is type(code) else value
        for value in compiled.co_consts
    )
    exec(compiled.replace(co_consts=consts), names)  # noqa: S102 - it is the snippet of above
    read_frame: Hit = names["read"]
    return read_frame


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _bind(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value)
