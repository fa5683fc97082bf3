"""Which engine serves which site, and having it do so.

Injection serves every function whose source is proven. What it can't serve goes to monitoring on 3.12
and later: code without source, places where no statement can stand, and every frame that runs in a code
object which doesn't have the snippet (the original, or an older stand-in). On 3.11, where there is no
monitoring, code is spliced below the level of the source, and running frames are traced.

Each frame runs exactly one code object, and each code object either has a probe's snippet or is
watched for it; so that no hit is lost and none is counted twice, whenever it was armed.
"""

from __future__ import annotations

import gc

from treetap.errors import TreetapError
from treetap.interpreter import HAS_MONITORING, MONITORING_SPOILS_CODE
from treetap.probe.code import is_of_standard_library, nested_codes, walk_codes
from treetap.probe.frames import live_codes
from treetap.probe.injecting import InjectingEngine
from treetap.probe.monitoring import MonitoringEngine, reader, restored
from treetap.probe.snippet import Snippet
from treetap.probe.splice import Placement
from treetap.probe.stale import defuse, exchange_constants
from treetap.probe.swap import Swapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, FunctionType
    from typing import Any

    from treetap.probe.armed import ArmedProbe
    from treetap.probe.bytecoding import HitsByCode
    from treetap.probe.fastpath import FastPath
    from treetap.probe.lookup import Site
    from treetap.probe.monitoring import Hit
    from treetap.probe.recorder import Recorder
    from treetap.probe.tracing import TracingEngine

NO_SOURCE = "the source is not the code that runs"
NO_PLACE = "no statement can stand there"
NOT_ASKED = "injecting was not asked for"
RUNNING = "a frame was running when it was armed"
BODY = "the body of a module or a class"
#: ``CO_OPTIMIZED``: the code of a function.
_OPTIMIZED = 0x1


#: Every engine of this interpreter, the preferred ones first. ``splicing`` works on bytecode.
ENGINES = ("injecting", "monitoring") if HAS_MONITORING else ("injecting", "splicing", "tracing")
#: The engine that watches code objects.
_WATCHING = "monitoring" if HAS_MONITORING else "tracing"


class _Root:
    """An outermost code object, its source, and the probes on it."""

    def __init__(self, code: CodeType, text: str | None, *, is_function: bool) -> None:
        self.code = code
        self.text = text
        self.is_function = is_function
        self.entries: list[tuple[Site, ArmedProbe]] = []
        #: Nothing can hold its code yet but the code around it.
        self.is_fresh = False
        #: What monitoring or tracing was asked of, so that it can be let go.
        self.watched: dict[int, CodeType] = {}


class Arming:
    """The engines of one process, and what each of them holds.

    Args:
        engines: Which of ``ENGINES`` may be used.
    """

    def __init__(self, engines: Sequence[str] = ENGINES) -> None:
        self._engines = frozenset(engines) & frozenset(ENGINES)
        self.swapper = Swapper()
        self._injecting = InjectingEngine(self.swapper)
        self._watching: MonitoringEngine | TracingEngine | None = None
        self._roots: dict[int, _Root] = {}
        #: ``{id of a stand-in: the probes in it, by line}``.
        self._has: dict[int, frozenset[tuple[int, int]]] = {}
        self._spoilt: dict[int, CodeType] = {}
        #: Recorders of probes that were taken off, until the code that holds them is seen to.
        self._retired: list[Recorder] = []
        #: The bodies of modules that run, whose constants are the functions that they will make.
        self._bodies: dict[int, CodeType] = {}

    def add(
        self,
        armed: ArmedProbe,
        sites: tuple[Site, ...],
        text: str | None,
        functions: tuple[FunctionType, ...] = (),
        bodies: tuple[CodeType, ...] = (),
        *,
        is_fresh: bool = False,
    ) -> set[int]:
        """Put a probe onto sites; takes effect at ``rebuild``.

        Args:
            armed: The probe.
            sites: Where.
            text: Of their file, if it was found.
            functions: That the collector may not show.
            bodies: Of modules that run, and make functions of the sites' code.
            is_fresh: No function can have been made of it yet.

        Returns:
            The ids of the roots that have to be rebuilt.
        """
        self.swapper.remember(functions)
        self._bodies |= {id(body): body for body in bodies}
        touched = set()
        for site in sites:
            root = self._roots.get(id(site.root))
            if root is None:
                root = _Root(site.root, text, is_function=site.is_function)
                root.is_fresh = is_fresh
                self._roots[id(site.root)] = root
            if any(s == site and a is armed for s, a in root.entries):
                continue
            root.entries.append((site, armed))
            armed.sites.append(site)
            touched.add(id(site.root))
        return touched

    def remove(self, armed: ArmedProbe) -> set[int]:
        """Take a probe off all of its sites; the sites stay named in its status."""
        if armed.recorder is not None:
            self._retired.append(armed.recorder)
        # Its id may be another probe's soon, which no old stand-in has.
        self._has = {
            key: frozenset(entry for entry in has if entry[1] != id(armed))
            for key, has in self._has.items()
        }
        touched = set()
        for key, root in self._roots.items():
            kept = [entry for entry in root.entries if entry[1] is not armed]
            if len(kept) != len(root.entries):
                root.entries = kept
                touched.add(key)
        return touched

    def roots_of(self, armed: ArmedProbe) -> set[int]:
        return {
            key for key, root in self._roots.items() if any(a is armed for _s, a in root.entries)
        }

    def rebuild(self, keys: set[int]) -> None:
        """Bring the code of these roots into line with their probes."""
        for key in keys:
            root = self._roots.get(key)
            if root is None:
                continue
            try:
                self._rebuild(root)
            except Exception as exc:  # a fault of ours must not end the shipper, nor the program
                self._give_up(root, exc)
            if not root.entries:
                del self._roots[key]
        self._retired.clear()
        self._refresh_bodies()
        self.swapper.forget_stale()
        self._has = {key: has for key, has in self._has.items() if self.swapper.has_issued(key)}

    def _give_up(self, root: _Root, exc: Exception) -> None:
        for _site, armed in root.entries:
            armed.fault(exc)
        root.entries = []
        try:
            self._rebuild(root)
        except Exception:  # told already; the program must not hear of it
            pass

    def close(self) -> None:
        """Everything back to what it was."""
        for root in self._roots.values():
            root.entries = []
        self.rebuild(set(self._roots))
        if self._watching is not None:
            self._watching.close()
        if self._spoilt:
            fresh = restored(self._spoilt.values())
            self.swapper.swap(fresh)
            self.swapper.give_up(self._spoilt.values())
            self._spoilt.clear()

    def rewritten(self, module_code: CodeType) -> CodeType:
        """The code of a module that is about to run, with the stand-ins of its functions."""
        return self.swapper.rebuilt(self.swapper.current(module_code))

    def _rebuild(self, root: _Root) -> None:
        versions = [
            version
            for original in walk_codes(root.code)
            for version in (original, *self.swapper.issued(original))
        ]
        # The collector is asked once, for it looks at every object of the process.
        holders = gc.get_referrers(*versions) if not root.is_fresh else []
        root.is_fresh = False
        live = live_codes(versions, holders)
        elsewhere = self._inject(root, holders, live)
        self._watch(root, elsewhere, live)
        self._defuse(root, live)

    def _refresh_bodies(self) -> None:
        """Have the bodies that still run make functions of the code that is wanted now."""
        live = live_codes(self._bodies.values())
        for key, body in list(self._bodies.items()):
            self._refresh(body)
            if key not in live:
                del self._bodies[key]

    def _refresh(self, body: CodeType) -> None:
        replaced = {}
        for inner in nested_codes(body):
            wanted = self.swapper.current(self.swapper.original(inner))
            if wanted is not inner:
                replaced[id(inner)] = wanted
            elif not inner.co_flags & _OPTIMIZED:
                self._refresh(inner)
        if replaced:
            exchange_constants(body, replaced)

    def _defuse(self, root: _Root, live: set[int]) -> None:
        """Frames that go on in an older stand-in don't feed a probe that was taken off."""
        if not self._retired:
            return
        for original in walk_codes(root.code):
            current = self.swapper.current(original)
            for code in self.swapper.issued(original):
                if code is not current and id(code) in live:
                    defuse(code, self._retired)

    def _inject(self, root: _Root, holders: list[Any], live: set[int]) -> dict[int, str]:
        """Inject what can be; says of each other code object why it can't be."""
        wanted: dict[int, list[Placement]] = {}
        for site, armed in root.entries:
            snippet = self._snippet(site, armed)
            wanted.setdefault(id(site.code), []).append(Placement(site.line, snippet))
        if not root.is_function and id(root.code) in live:
            return dict.fromkeys(wanted, BODY)
        is_proven = self._injecting.prove(root.code, root.text)
        for _site, armed in root.entries:
            armed.differs = not is_proven and root.text is not None
        may_inject = is_proven and "injecting" in self._engines
        built = self._injecting.build(root.code, wanted if may_inject else {})
        reasons = dict.fromkeys(built.refused, NO_PLACE)
        if not may_inject:
            reasons = dict.fromkeys(wanted, NOT_ASKED if is_proven else NO_SOURCE)
        pairs = built.pairs
        if "splicing" in self._engines and reasons and root.is_function:
            pairs = _spliced(root.code, pairs, self._hits(root, set(reasons)))
        self._injecting.apply(root.code, built._replace(pairs=pairs), holders)
        for original, stand_in in pairs:
            is_in = id(original) not in reasons or not HAS_MONITORING
            self._has[id(stand_in)] = frozenset(
                (site.line, id(armed))
                for site, armed in root.entries
                if site.code is original and is_in
            )
        for site, armed in root.entries:
            reason = reasons.get(id(site.code))
            if reason is None:
                armed.engines["injecting"] = ""
            elif not HAS_MONITORING and root.is_function:
                armed.engines["injecting"] = f"spliced into the bytecode: {reason}"
        return reasons

    def _watch(self, root: _Root, elsewhere: dict[int, str], live: set[int]) -> None:
        """Watch every code object that a frame may run without having the snippets."""
        before, root.watched = root.watched, {}
        for original in walk_codes(root.code) if _WATCHING in self._engines else ():
            entries = [entry for entry in root.entries if entry[0].code is original]
            if not entries:
                continue
            is_made = self._is_being_made(entries[0][0], live)
            for code in self._versions_to_watch(root, original, elsewhere, live, is_made=is_made):
                has = self._has.get(id(code), frozenset())
                missing = [(s, a) for s, a in entries if (s.line, id(a)) not in has]
                if missing:
                    why = elsewhere.get(id(original), "")
                    if not why and id(code) in live:
                        why = RUNNING if root.is_function else BODY
                    self._watch_one(root, code, original, missing, why)
        for key, code in before.items():
            if key not in root.watched:
                self._watcher().set(code, {})

    def _is_being_made(self, site: Site, live: set[int]) -> bool:
        """Whether a running frame goes on to make functions of the code that the site had before."""
        makers = [code for outer in site.around for code in (outer, *self.swapper.issued(outer))]
        return HAS_MONITORING and any(id(code) in live for code in makers)

    def _versions_to_watch(
        self,
        root: _Root,
        original: CodeType,
        elsewhere: dict[int, str],
        live: set[int],
        *,
        is_made: bool,
    ) -> list[CodeType]:
        is_main_way = HAS_MONITORING and id(original) in elsewhere
        versions = [original, *self.swapper.issued(original)]
        current = self.swapper.current(original)
        always = (
            is_main_way or not root.is_function or (HAS_MONITORING and not MONITORING_SPOILS_CODE)
        )
        return [
            code
            for code in versions
            if is_made
            or id(code) in live
            or (always and code is original)
            # With a nested function injected, a stand-in is what runs.
            or (is_main_way and code is current)
            or id(code) in root.watched
        ]

    def _watch_one(
        self,
        root: _Root,
        code: CodeType,
        original: CodeType,
        missing: list[tuple[Site, ArmedProbe]],
        why: str,
    ) -> None:
        """Watch ``code`` for what it lacks; ``why`` is empty where nothing is expected to run it."""
        hits: dict[int, list[Hit]] = {}
        for site, armed in missing:
            hits.setdefault(site.line, []).append(self._hit(code, armed))
        try:
            self._watcher().set(code, hits)
        except TreetapError as exc:
            for _site, armed in missing:
                if armed.engines:
                    armed.engines[""] = f"frames that run already are not reached: {exc.what}"
                else:
                    armed.fail(exc)
            return
        root.watched[id(code)] = code
        if MONITORING_SPOILS_CODE and code is original:
            self._spoilt[id(code)] = code
        for _site, armed in missing:
            if why or "injecting" not in armed.engines:
                armed.engines[_WATCHING] = why

    def _watcher(self) -> MonitoringEngine | TracingEngine:
        if self._watching is None:
            self._watching = _make_watcher()
        return self._watching

    def _hits(self, root: _Root, keys: set[int]) -> dict[int, dict[int, list[Hit]]]:
        hits: dict[int, dict[int, list[Hit]]] = {}
        for site, armed in root.entries:
            if id(site.code) in keys:
                lines = hits.setdefault(id(site.code), {})
                lines.setdefault(site.line, []).append(self._hit(site.code, armed))
        return hits

    @staticmethod
    def _hit(code: CodeType, armed: ArmedProbe) -> Hit:
        recorder = armed.recorder
        assert recorder is not None
        if armed.is_throttled:
            return recorder.hit_throttled
        fast = _hot_form(code, armed)
        if fast is not None:
            return reader(recorder, code, fast)
        return recorder.hit_in

    @staticmethod
    def _snippet(site: Site, armed: ArmedProbe) -> Snippet:
        recorder = armed.recorder
        assert recorder is not None
        own = {*site.code.co_varnames, *site.code.co_cellvars, *site.code.co_freevars}
        # A variable of an outer function that this one doesn't close over can't be read by name:
        # the function would have to close over it.
        hidden = {
            name for code in site.around for name in (*code.co_varnames, *code.co_cellvars)
        } - own
        readable = frozenset(name for name in recorder.names if name not in hidden)
        fast = _hot_form(site.code, armed)
        return Snippet(recorder, readable, fast, is_throttled=armed.is_throttled)


def _make_watcher() -> MonitoringEngine | TracingEngine:
    if HAS_MONITORING:
        return MonitoringEngine()
    # Not before a frame has to be reached that runs already: it takes all of ctypes, which is 4 ms.
    from treetap.probe.tracing import TracingEngine

    return TracingEngine()


def _spliced(
    root: CodeType, pairs: list[tuple[CodeType, CodeType]], hits: HitsByCode
) -> list[tuple[CodeType, CodeType]]:
    try:
        # Not before there is code without source: the `bytecode` library takes 9 ms to import.
        from treetap.probe.bytecoding import spliced
    except ImportError:
        # A child in an environment of its own, which hasn't got it.
        return pairs
    return spliced(root, pairs, hits)


def _hot_form(code: CodeType, armed: ArmedProbe) -> FastPath | None:
    """What was learned of the probe, where it may be used.

    The hot code doesn't ask who runs it. Our own threads call functions of the standard library,
    and aren't to be recorded; so there the recorder keeps asking.
    """
    return None if is_of_standard_library(code) else armed.fast
