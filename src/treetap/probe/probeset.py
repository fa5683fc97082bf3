"""All probes of one process: the wanted state, brought about.

The shipper's thread calls ``apply``, ``tick`` and ``drain``; an import in any thread may arm what waits for
it. One lock protects the table of probes; it is never held while the program's code runs.
"""

from __future__ import annotations

import sys
import time
from _thread import RLock, get_ident

from treetap.errors import LocationError, TreetapError
from treetap.expression.redaction import Redaction
from treetap.model.status import Batch, ProbeState, ProbeStatus
from treetap.probe.armed import ArmedProbe
from treetap.probe.arming import ENGINES, Arming
from treetap.probe.importing import ImportWatch, is_being_imported
from treetap.probe.lookup import (
    Found,
    FunctionsByFile,
    all_functions,
    find,
    find_in_code,
    is_starting,
)
from treetap.probe.meant import means_file
from treetap.probe.recorder import Recorder
from treetap.probe.runpath import RunPathWatch
from treetap.probe.script import ScriptWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import CodeType

    from treetap.model.probe import Probe

#: After so long, every function of the process is searched for more sites; see ``_look_again``.
_LOOK_AGAIN_S = (0.05, 1.0, 10.0)
_BUDGET_EVERY_S = 0.05
#: For a number of modules: look again in any case.
_UNKNOWN = -1
#: What waits for a module is searched for as often as this, if modules have come by a way that the
#: import hook doesn't see.
_PENDING_EVERY_S = 1.0
#: An import waits no longer for us. The collector may run a finalizer of the program while the lock is
#: held, and what that one waits for may be this import; a probe that is passed over is found later.
_MAX_IMPORT_WAIT_S = 5.0
#: A fork waits no longer for a change to be finished.
_MAX_FORK_WAIT_S = 5.0
#: Rows of one probe that are taken at a time.
_MAX_ROWS = 4096


class Unseen:
    """Within it the calling thread is treetap's own. (``contextlib`` takes 5 ms to import.)

    Args:
        busy_threads: Of the probe set; its recorders record nothing in these.
    """

    def __init__(self, busy_threads: set[int]) -> None:
        self._busy_threads = busy_threads
        self._thread = get_ident()
        self._is_first = self._thread not in busy_threads

    def __enter__(self) -> None:
        try:
            # Within the `try`: a ctrl-c lands right after a call, and must not leave us busy for ever.
            self._busy_threads.add(self._thread)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_failure: object) -> None:
        if self._is_first:
            self._busy_threads.discard(self._thread)


class ProbeSet:
    """The probes of this process.

    Two of them may exist, e.g. in a test; each has its own engines.

    Args:
        redaction: Which names are hidden; the default list if not given.
        engines: Which of ``arming.ENGINES`` may be used.
    """

    def __init__(
        self, *, redaction: Redaction | None = None, engines: Sequence[str] = ENGINES
    ) -> None:
        self._lock = RLock()
        #: The threads that hold the lock for a fork: two may fork at once.
        self._holders: set[int] = set()
        self._redaction = redaction or Redaction()
        self._arming = Arming(engines)
        self._probes: dict[str, ArmedProbe] = {}
        #: Probes that were taken out, until their last rows are.
        self._leaving: list[ArmedProbe] = []
        self._busy_threads: set[int] = set()
        self._imports = ImportWatch(self._on_import)
        self._script = ScriptWatch(self._on_script)
        self._run_paths = RunPathWatch(self._on_import)
        self._look_again_at: list[tuple[float, ArmedProbe]] = []
        self._budget_at_s = 0.0
        self._pending_at_s = 0.0
        self._modules = len(sys.modules)
        self._is_prepared = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is wanted, so that nothing of ours is in the program."""
        return not self._probes

    def apply(self, probes: Sequence[Probe]) -> None:
        """Make these the probes of the process: arm what is new, disarm what is gone.

        A probe that can't be armed is no reason to raise: its status says why.
        """
        wanted = {probe.id: probe for probe in probes if probe.is_enabled}
        with self._lock:
            touched = set()
            for probe_id, armed in list(self._probes.items()):
                if wanted.get(probe_id) != armed.probe:
                    touched |= self._retire(armed)
                    del self._probes[probe_id]
                    # What it has recorded is still to be taken.
                    self._leaving.append(armed)
            for probe in wanted.values():
                if probe.id not in self._probes:
                    touched |= self._arm(probe)
            self._arming.rebuild(touched)
            self._watch_imports()

    def prepare(self) -> None:
        """Load what hits need, for the probes that there are and those to come.

        Without it each probe's first hit does. A child of an awake tree has its probes sooner so, and
        this when there is time.
        """
        with self.unseen():
            from treetap.probe import fastpath, taking  # noqa: F401 - all that a hit needs

            self._is_prepared = True
            for armed in list(self._probes.values()):
                armed.prepare()

    def statuses(self) -> list[ProbeStatus]:
        """How each probe fares now."""
        with self._lock:
            return [armed.status() for armed in self._probes.values()]

    def drain(self) -> list[Batch]:
        """Take the rows that were recorded since the last call, up to 4096 a probe."""
        leaving = self._leaving
        batches = []
        for armed in [*leaving, *self._probes.values()]:
            if armed.recorder is not None:
                first, rows = armed.recorder.ring.drain(_MAX_ROWS)
                if rows:
                    batches.append(Batch(armed.probe.id, first, rows))
        for armed in leaving[:]:
            if armed.recorder is None or not armed.recorder.ring.rows:
                leaving.remove(armed)
        return batches

    def tick(self) -> bool:
        """Do what is due: end probes, learn types, keep budgets, search again.

        Returns:
            Whether a probe's state, engine or reason changed.
        """
        now_s = time.time()
        with self._lock:
            touched: set[int] = set()
            ended = False
            for armed in self._probes.values():
                if not armed.is_live:
                    continue
                end = armed.ends(now_s)
                if end:
                    touched |= self._retire(armed)
                    armed.state = end
                    ended = True
                elif armed.learns():
                    touched |= self._arming.roots_of(armed)
            touched |= self._keep_budgets() | self._look_again() | self._look_for_pending()
            if touched:  # it asks the collector, which looks at every object of the process
                self._arming.rebuild(touched)
            if ended:
                self._watch_imports()
            return ended or bool(touched)

    def unseen(self) -> Unseen:
        """Within it the calling thread is treetap's: what it does is counted, and never recorded."""
        return Unseen(self._busy_threads)

    def hold_for_fork(self) -> None:
        """Have no change under way while the process forks, for the child would have half of it.

        Nor a first hit that loads what it needs, in another thread: the child would wait for its end.
        """
        if self._probes and not self._is_prepared:
            self.prepare()
        if self._lock.acquire(timeout=_MAX_FORK_WAIT_S):
            self._holders.add(get_ident())

    def release_after_fork(self) -> None:
        """In the parent: go on."""
        if get_ident() in self._holders:
            self._holders.discard(get_ident())
            self._lock.release()

    def start_over_in_child(self) -> None:
        """After a fork, in the child: what is armed stays armed, and the rings are empty."""
        self._lock = RLock()
        self._holders.clear()
        self._leaving.clear()
        self._busy_threads.clear()
        for armed in self._probes.values():
            armed.start_over()

    def disarm(self) -> None:
        """Take everything out of the program; what was recorded can still be drained.

        The step before ``close``: between a last ``drain`` and that, hits would be lost uncounted.
        """
        with self._lock:
            touched: set[int] = set()
            for armed in self._probes.values():
                touched |= self._retire(armed)
            self._arming.rebuild(touched)
            self._look_again_at.clear()
            for watch in (self._imports, self._script, self._run_paths):
                watch.watch(())

    def close(self) -> None:
        """Disarm everything: original code objects, no tool id, no import hook."""
        with self._lock:
            for armed in self._probes.values():
                self._retire(armed)
            self._arming.close()
            self._probes.clear()
            self._leaving.clear()
            self._look_again_at.clear()
            self._imports.watch(())
            self._script.watch(())
            self._run_paths.watch(())

    def _arm(self, probe: Probe) -> set[int]:
        armed = self._probes[probe.id] = ArmedProbe(probe)
        try:
            armed.adopt(Recorder(probe, self._redaction, self._busy_threads))
            if self._is_prepared:
                armed.prepare()
            return self._find_sites(armed)
        except TreetapError as exc:
            armed.fail(exc)
        except Exception as exc:  # a fault of ours must not end the shipper, nor the program
            armed.fault(exc)
        return set()

    def _find_sites(
        self, armed: ArmedProbe, every_function: FunctionsByFile | None = None
    ) -> set[int]:
        recorder = armed.recorder
        assert recorder is not None
        location = armed.probe.location
        try:
            found = find(
                location, self._arming.swapper, recorder.names, every_function=every_function
            )
        except LocationError:
            # The script hasn't run yet, but its module is there.
            is_early = location.module == "__main__" and is_starting()
            # A later search has nothing to say of what is armed.
            if every_function is not None or not (is_early or is_being_imported(location)):
                raise
            found = Found(is_pending=True)
            self._modules = _UNKNOWN  # no other module need come for this one to be done
        if found.is_pending:
            armed.state = ProbeState.PENDING
            armed.why = "waits for its module to be imported"
            return set()
        armed.state, armed.why = ProbeState.ARMED, ""
        touched = self._arming.add(armed, found.sites, found.text, found.functions, found.bodies)
        if every_function is None:
            now_s = time.monotonic()
            self._look_again_at += [(now_s + after_s, armed) for after_s in _LOOK_AGAIN_S]
        return touched

    def _retire(self, armed: ArmedProbe) -> set[int]:
        if armed.recorder is not None:
            armed.recorder.observe = None
        # A later search must not arm again what was taken out.
        self._look_again_at = [entry for entry in self._look_again_at if entry[1] is not armed]
        return self._arming.remove(armed)

    def _look_again(self) -> set[int]:
        """Search all functions for sites that a walk over the modules has not met.

        A table inside an object, a second copy of a module, a function that a running script has
        made since: the collector knows them all, and asking it is too slow for the first search.
        """
        if not self._look_again_at:
            return set()
        now_s = time.monotonic()
        due = [armed for at_s, armed in self._look_again_at if at_s <= now_s]
        if not due:
            return set()
        self._look_again_at = [(at_s, armed) for at_s, armed in self._look_again_at if at_s > now_s]
        touched: set[int] = set()
        every_function = all_functions()
        for armed in due:
            if armed.state != ProbeState.ARMED:
                continue
            try:
                touched |= self._find_sites(armed, every_function)
            except TreetapError:
                # What is armed stays; the second search has found nothing more.
                continue
            except Exception as exc:  # it must cost one probe, and not all that is due
                armed.fault(exc)
        return touched

    def _look_for_pending(self) -> set[int]:
        """Arm what waits for a module that has come without our seeing it: by a loader of its own kind."""
        now_s = time.monotonic()
        if now_s < self._pending_at_s or self._modules == len(sys.modules):
            return set()
        self._pending_at_s = now_s + _PENDING_EVERY_S
        self._modules = len(sys.modules)
        touched: set[int] = set()
        for armed in self._probes.values():
            if armed.state != ProbeState.PENDING or armed.recorder is None:
                continue
            try:
                touched |= self._find_sites(armed)
            except TreetapError as exc:
                armed.fail(exc)
            except Exception as exc:  # as above
                armed.fault(exc)
        if touched:
            self._watch_imports()
        return touched

    def _keep_budgets(self) -> set[int]:
        now_s = time.monotonic()
        if now_s < self._budget_at_s:
            return set()
        self._budget_at_s = now_s + _BUDGET_EVERY_S
        touched: set[int] = set()
        for armed in self._probes.values():
            if armed.keeps_to_budget():
                touched |= self._arming.roots_of(armed)
        return touched

    def _watch_imports(self) -> None:
        pending = [a.probe.location for a in self._probes.values() if a.state == ProbeState.PENDING]
        self._imports.watch(pending)
        self._script.watch(pending)
        self._run_paths.watch(pending)

    def _on_import(self, module_name: str, code: CodeType) -> CodeType:
        """Arm what waits for this module, in its code, before that runs."""
        if not self._lock.acquire(timeout=_MAX_IMPORT_WAIT_S):
            return code
        try:
            self._arm_pending(module_name, code, bodies=())
            return self._arming.rewritten(code)
        finally:
            self._lock.release()

    def _on_script(self, code: CodeType) -> None:
        """Arm what waits for the main script: its code has just begun to run."""
        if not self._lock.acquire(timeout=_MAX_IMPORT_WAIT_S):
            return
        try:
            self._arm_pending("__main__", code, bodies=(code,))
        finally:
            self._lock.release()

    def _arm_pending(self, module_name: str, code: CodeType, bodies: tuple[CodeType, ...]) -> None:
        touched: set[int] = set()
        for armed in self._pending_for(module_name, code):
            recorder = armed.recorder
            assert recorder is not None
            try:
                found = find_in_code(armed.probe.location, module_name, code, recorder.names)
            except TreetapError as exc:
                armed.fail(exc)
                continue
            armed.state, armed.why = ProbeState.ARMED, ""
            self._look_again_at.append((time.monotonic() + _LOOK_AGAIN_S[1], armed))
            # A script's code is compiled for its run; a module's loader may give the same code twice.
            is_fresh = bool(bodies)
            touched |= self._arming.add(
                armed, found.sites, found.text, bodies=bodies, is_fresh=is_fresh
            )
        self._arming.rebuild(touched)
        self._watch_imports()

    def _pending_for(self, module_name: str, code: CodeType) -> Iterable[ArmedProbe]:
        names = {module_name}
        if module_name == "__main__":
            names.add(code.co_filename.replace("\\", "/").rpartition("/")[2].removesuffix(".py"))
        for armed in list(self._probes.values()):
            location = armed.probe.location
            is_meant = (
                location.module in names
                if location.module
                else means_file(location, code.co_filename)
            )
            if armed.state == ProbeState.PENDING and is_meant:
                yield armed
