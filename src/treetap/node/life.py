"""Sleeping, waking, awake: the transitions of one node, and what an awake one holds.

State is read without a lock. One transition runs at a time: ``_turn`` is held across a whole wake,
I/O included, because waiting for it is what the others shall do. ``status()`` never takes it.

Loaded in a sleeping process, so it is light; ``waking`` has what is loaded by the first wake.
"""

from __future__ import annotations

import _thread

from treetap.config import checks
from treetap.errors import DaemonError, StateError
from treetap.model.node import AWAKE, SLEEPING, WAKING, WARM, next_state
from treetap.node.adoption import Adoption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.node.core import Node
    from treetap.node.debugging import Debugging
    from treetap.node.engine import ProbeSetLike
    from treetap.node.waking import Awake

#: How long ``end`` waits for a wake that somebody else has under way.
_END_PATIENCE_S = 0.5


class Life:
    """The life of ``node``.

    Args:
        node: Whose settings, identity, token and faults are used.
        probe_set_factory: Makes the engine when it is first needed; the real one if not given.

    Attributes:
        state: One of ``model.node.STATES``.
        daemon_url: The daemon of the last wake, or the configured one.
        probe_set: The engine, while it is loaded.
        awake: The link and the shipper, or the debug port, while the node is awake.
        debugging: The debug port, from when it is about to be opened until it is closed.
        advertised_url: Where the daemon of the debug port says that others reach it; ``""`` if it
            doesn't say.
        keeps_debug_port: Have the debug port of the wake before, where none is configured, if it is
            still free.
        remains: What could not be taken back when the debug port was closed, in sentences.
    """

    def __init__(
        self, node: Node, probe_set_factory: Callable[[Node], ProbeSetLike] | None
    ) -> None:
        self._node = node
        self._settings = node.settings
        self._probe_set_factory = probe_set_factory
        self.state = SLEEPING
        self.daemon_url: str = node.settings.daemon_url
        self._own_url = ""  # the last that the program itself named
        self.probe_set: ProbeSetLike | None = None
        self.awake: Awake | Debugging | None = None
        self.debugging: Debugging | None = None
        self.advertised_url = ""
        self.keeps_debug_port = False
        self._last_debug_port = 0
        self.remains: tuple[str, ...] = ()
        self._is_forked = False
        self._turn = _thread.allocate_lock()
        self._is_over = self._is_finishing = False
        self._cancel_wake: Callable[[], None] | None = None
        self._adoption: Adoption | None = None
        self._adopted: tuple[list[dict[str, Any]], dict[str, Any] | None] = ([], None)

    def warm_up(self) -> None:
        """Load the engine, so that the next wake is quick."""
        with self._turn:
            state = next_state(self.state, "warm-up")
            if self._is_debugged:
                from treetap.node import debugopening

                debugopening.load()
            else:
                self.probe_set = self._make_probe_set()
            self.state = state

    def wake(self, daemon_url: str | None = None, *, may_use_token: bool = True) -> dict[str, Any]:
        """Connect to the daemon and arm its probes.

        Args:
            daemon_url: Instead of the configured one; kept for later wakes.
            may_use_token: Prove to ``daemon_url`` that we hold the token; to the daemon that was
                configured, or named so before, we always may.

        Raises:
            DaemonError: It can't be reached, or isn't a treetap daemon.
            DebuggerError: The debug port can't be opened.
            LinkError: It refused.
            StateError: The node was shut down meanwhile.
        """
        url = self._checked_url(daemon_url)
        self.settle()
        with self._turn:
            self._check_open()
            if self.state == AWAKE:
                return self._outcome("already_awake")
            origin = self.state
            self.state = next_state(origin, "wake")
            is_woken = False
            try:
                if daemon_url is not None and may_use_token:
                    self._own_url = url
                is_ours = url.rstrip("/") in (self._settings.daemon_url, self._own_url)
                token = self._node.token() if is_ours else ""
                if self._is_debugged:
                    self._begin_debugging(url, token, is_given=daemon_url is not None)
                else:
                    self._begin_awake(url, token)
                is_woken = True
            finally:
                if not is_woken:
                    self._undo_awake()
                    self.state = next_state(WAKING, f"failed-from-{origin}")
            self.daemon_url = url
            self._say_woken()
            self._check_open()
            return self._outcome("awake")

    def sleep(self, *, reason: str = "sleep", of: Awake | None = None) -> dict[str, Any]:
        """Disarm everything and leave the daemon; idempotent. Waits for a wake under way.

        Args:
            reason: What the daemon is told: ``sleep`` or ``exit``.
            of: Only if the node is awake by this still. The daemon's order may come to its turn
                late, when the node was put to sleep and woken again: it isn't meant for that wake.
        """
        if of is None:
            self._forgo_adoption()
        with self._turn:
            if self.state == SLEEPING or of not in (None, self.awake):
                return {"status": "already_sleeping"}
            self._fall_asleep(reason)
            return {"status": "sleeping"}

    @property
    def connection_id(self) -> str | None:
        """The daemon's name for this process; ``None`` while it knows nothing of it."""
        debugging = self.debugging
        if debugging is not None:
            return debugging.connection_id
        return self._node.identity.id if self.awake is not None else None

    def end(self) -> None:
        """Asleep for good. A wake under way is given up; nothing waits for a peer."""
        self._is_over = True
        self._forgo_adoption()
        cancel = self._cancel_wake
        if cancel is not None:
            cancel()
        # A wake that doesn't end in time undoes itself when it does: it sees `_is_over`.
        if self._turn.acquire(timeout=_END_PATIENCE_S):
            try:
                if self.state in (AWAKE, WARM):
                    self._fall_asleep("exit")
            finally:
                self._turn.release()

    def adopt(
        self, fields: list[dict[str, Any]], link: dict[str, Any] | None, daemon_url: str
    ) -> None:
        """Become awake with these probes, and reach the daemon later.

        For a process whose tree is awake when it starts: see ``adoption``.

        Args:
            fields: The probes, as on the wire.
            link: Where the daemon's link is, if that is known.
            daemon_url: Of the daemon.
        """
        self._turn.acquire()
        self.state = next_state(self.state, "wake")
        self.daemon_url = daemon_url or self.daemon_url
        self._adopted = fields, link
        self._adoption = Adoption(self, fields)
        self._adoption.begin()

    def arm_adopted(self) -> None:
        """A step of the adoption: load the engine and arm."""
        from treetap.node import engine

        self.probe_set = self._make_probe_set()
        self.probe_set.apply(engine.readable_probes(self._adopted[0], self._node.faults.add))

    @property
    def is_shipping_soon(self) -> bool:
        """Whether only the last step of an adoption is still to come."""
        adoption = self._adoption
        return adoption is not None and adoption.is_armed

    def ship_adopted(self) -> None:
        """The last step of the adoption: begin to ship. Gives the turn back."""
        try:
            from treetap.node import engine, waking

            assert self.probe_set is not None
            way = waking.Way(self.daemon_url, self._node.token(), self._adopted[1])
            awake = waking.Awake(self._node, self.probe_set, way, None)
            awake.start(engine.readable_probes(self._adopted[0], lambda *_fault: None))
        except Exception as exc:  # noqa: BLE001 - the process goes on, asleep
            self.give_up_adoption(exc)
            return
        # In this order: a fork may come in between.
        self.awake = awake
        self._do_what_could_wait()
        self._say_woken()
        self._adoption = None
        self._turn.release()

    def _do_what_could_wait(self) -> None:
        """The rest of a birth: the program, and the rows that there are, have gone first."""
        if self._is_finishing or self.probe_set is None:
            return
        try:
            self.probe_set.prepare()
        except Exception as exc:  # noqa: BLE001 - the first hit tries again
            self._node.faults.add("the engine", exc)
        self._node.open_control_plane()

    def give_up_adoption(self, cause: Exception | None) -> None:
        """Instead of the last step: asleep again. Gives the turn back."""
        if cause is not None:
            self._node.faults.add("joining the tree", cause)
        self._adoption = None
        self._end_awake("sleep")
        self.state = next_state(WAKING, "failed-from-sleeping")
        self._turn.release()
        self._node.open_control_plane()

    def settle(self) -> None:
        """Have an adoption that is under way done, e.g. before a fork."""
        adoption = self._adoption
        if adoption is not None:
            adoption.load()
            adoption.hurry()
            self._wait_for_turn(1.0)

    def finish(self, timeout_s: float) -> None:
        """Ship what is left as the process ends."""
        self._is_finishing = True
        self._forgo_adoption()
        if self._adoption is not None:
            self._wait_for_turn(timeout_s)
        awake = self.awake
        if awake is not None:
            awake.stop("exit", timeout_s)

    @property
    def thread_count(self) -> int:
        """How many threads there are of ours."""
        adoption, awake = self._adoption, self.awake
        count = adoption.thread_count if adoption is not None else 0
        return count + (awake.thread_count if awake is not None else 0)

    @property
    def debugger_thread_count(self) -> int:
        """How many threads a debugger has here."""
        return self.debugging.port.thread_count if self.debugging is not None else 0

    def hold_for_fork(self) -> None:
        """Have the engine finish what it does; the fork happens in another thread."""
        if self.probe_set is not None:
            self.probe_set.hold_for_fork()

    def release_after_fork(self) -> None:
        """The opposite of ``hold_for_fork``, in the parent."""
        if self.probe_set is not None:
            self.probe_set.release_after_fork()

    def start_over_in_child(self) -> None:
        """After a fork: awake as the parent is, with a link of our own."""
        self._turn = _thread.allocate_lock()
        self._cancel_wake = None
        adoption, self._adoption = self._adoption, None
        self._is_forked, self._last_debug_port = True, 0
        if self.debugging is not None:
            self._leave_debugging_to_parent(self.debugging)
        if self.awake is not None:
            self.state = AWAKE  # which a wake, or an adoption, was about to say
            self.awake.start_over_in_child()
            return
        if self.probe_set is not None:
            # Its lock was taken for the fork, and is for ever.
            self.probe_set.start_over_in_child()
        if adoption is not None:
            self._adopt_in_child(adoption)
        elif self.state != WARM:
            # The thread that was about to change that isn't here.
            self.state = SLEEPING
            self._end_awake("sleep")

    # Inside.

    @property
    def _is_debugged(self) -> bool:
        return bool(self._settings.debugger == "debugpy")

    def _say_woken(self) -> None:
        self.state = next_state(WAKING, "woken")
        if self._is_over:  # since we looked; `end` didn't wait for us
            self._fall_asleep("exit")

    def _fall_asleep(self, reason: str) -> None:
        self._end_awake(reason)
        self.state = next_state(self.state, "sleep")

    def _begin_debugging(self, url: str, token: str, *, is_given: bool) -> None:
        from treetap.node import debugging

        is_wanted = is_given or self._settings.origin("daemon_url") != "default"
        self.debugging = debugging.Debugging(self._node, url, token, is_daemon_wanted=is_wanted)
        self._cancel_wake = self.debugging.cancel
        try:
            self._check_open()
            # A port that was configured is the parent's.
            configured = 0 if self._is_forked else self._settings.debug_port
            self.debugging.begin(configured, preferred=self._last_debug_port)
            self.awake = self.debugging
            if self.keeps_debug_port:
                self._last_debug_port = self.debugging.port.port
            registered = self.debugging.registered
            self.advertised_url = registered.advertised_url if registered is not None else ""
        finally:
            self._cancel_wake = None
            if self.awake is None:
                self.debugging = None

    def _leave_debugging_to_parent(self, debugging: Debugging) -> None:
        self.debugging = None
        if self.awake is debugging:
            self.awake = None
        debugging.start_over_in_child()

    def _adopt_in_child(self, adoption: Adoption) -> None:
        """The fork would not wait for the end of the adoption: end it here, or begin it anew."""
        adoption.abandon_in_child()
        if adoption.is_armed:
            self._turn.acquire()
            self.ship_adopted()
            return
        self.state = SLEEPING
        self._end_awake("sleep")  # some of it may be armed
        self.adopt(*self._adopted, self.daemon_url)

    def _checked_url(self, given: str | None) -> str:
        try:
            return str(checks.url(given)) if given else self.daemon_url
        except (ValueError, TypeError) as exc:
            scheme, mark, _rest = str(given).partition("://")
            # In Detrix's words, which its programs know.
            what = f"Invalid daemon_url format: {given!r}. Expected format: http://host:port"
            if mark and scheme.lower() not in ("http", "https"):
                what = f"Invalid daemon_url scheme: {scheme!r}. Must be 'http' or 'https'"
            raise DaemonError(what, f"The reason: {exc}.", slug="daemon-url") from exc

    def _make_probe_set(self) -> ProbeSetLike:
        from treetap.node import engine

        make = self._probe_set_factory or engine.make_probe_set
        return make(self._node)

    def _begin_awake(self, url: str, token: str) -> None:
        from treetap.node import waking

        way = waking.Way(url, token)
        attempt = waking.Attempt(self._node, way)
        self._cancel_wake = attempt.cancel
        try:
            # Asked after the line above: `shutdown` does the same two things the other way round.
            self._check_open()
            connection = attempt.connect()
            self._start_awake(connection, way)
        finally:
            self._cancel_wake = None

    def _start_awake(self, connection: Any, way: Any) -> None:
        from treetap.node import waking

        try:
            self._check_open()
            if self.probe_set is None:
                self.probe_set = self._make_probe_set()
            self.probe_set.prepare()
        except BaseException:
            connection.close()
            raise
        self.awake = waking.Awake(self._node, self.probe_set, way, connection)
        self.awake.start()

    def _forgo_adoption(self) -> None:
        adoption = self._adoption
        if adoption is not None:
            adoption.hurry()
            adoption.cancel()

    def _wait_for_turn(self, timeout_s: float) -> None:
        if self._turn.acquire(timeout=timeout_s):
            self._turn.release()

    def _check_open(self) -> None:
        if self._is_over:
            raise StateError(
                "The node was shut down.",
                "Call treetap.init() to have a new one.",
                slug="state-closed",
            )

    def _undo_awake(self) -> None:
        """After a failed wake: end what has begun. An engine that was only loaded stays so."""
        if self.awake is not None:
            self._end_awake("sleep")

    def _end_awake(self, reason: str) -> None:
        awake, self.awake = self.awake, None
        probe_set, self.probe_set = self.probe_set, None
        if awake is not None:
            awake.stop(reason, self._settings.unregister_timeout)
        if probe_set is not None:
            probe_set.close()
        self.debugging = None

    def _outcome(self, status: str) -> dict[str, Any]:
        debugging = self.debugging
        return {
            "status": status,
            "debug_port": debugging.port.port if debugging is not None else 0,
            "connection_id": self.connection_id,
            "daemon_url": self.daemon_url,
        }
