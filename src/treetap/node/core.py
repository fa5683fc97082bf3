"""The node: its state, its control plane, its entry in the registry.

Everything here runs in a sleeping process and is light; what an awake node has beside it is in
``waking``, loaded by the first wake.

State is read without a lock. One transition runs at a time: ``_turn`` is held across a whole wake,
I/O included, because waiting for it is what the others shall do. ``status()`` never takes it.
"""

from __future__ import annotations

import _thread
import os

from treetap.config import checks
from treetap.errors import DaemonError, DebuggerError, StateError
from treetap.model.node import AWAKE, SLEEPING, WAKING, WARM, next_state
from treetap.node import control, ending, forking, identity, launch, registry
from treetap.node.fault import FaultRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.config.settings import Settings
    from treetap.model.node import NodeIdentity
    from treetap.model.probe import Probe
    from treetap.node.engine import ProbeSetLike
    from treetap.node.waking import Awake

#: How long ``shutdown`` waits for a wake that somebody else has under way.
_SHUTDOWN_PATIENCE_S = 0.5


class Node:
    """One node. Several may live in one process, each with its own probes; the public
    functions in ``api`` speak to the process's default one.

    Args:
        settings: Resolved.
        parent: Id of the parent node, where it isn't what the environment says.
        probe_set_factory: Makes the engine when it is first needed; the real one if not given.

    Attributes:
        settings: As given.
        identity: Who this process is.
        faults: What went wrong in our own threads.
        daemon_url: The daemon of the last wake, or the configured one.
        request_timeout_s: For one request to the control plane; read when that is opened.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        parent: str | None = None,
        probe_set_factory: Callable[[Node], ProbeSetLike] | None = None,
    ) -> None:
        if settings.debugger == "debugpy":
            raise DebuggerError(
                "The debugger debugpy is not there yet.",
                "This version observes with probes. Leave the setting debugger out, or set it "
                f"to probes (it came from: {settings.origin('debugger')}).",
                slug="debugger-unavailable",
            )
        self.settings = settings
        self.identity: NodeIdentity = identity.own_identity(settings.name, parent=parent)
        self.faults = FaultRecord()
        self.daemon_url: str = settings.daemon_url
        self.request_timeout_s = control.REQUEST_TIMEOUT_S
        self._probe_set_factory = probe_set_factory
        self._warnings: list[str] = []
        self._state = SLEEPING
        self._turn = _thread.allocate_lock()
        self._is_closed = False
        self._control: control.ControlPlane | None = None
        self._entry = ""
        self._exported = launch.Export()
        self._probe_set: ProbeSetLike | None = None
        self._awake: Awake | None = None
        self._cancel_wake: Callable[[], None] | None = None

    # What the outside sees.

    @property
    def state(self) -> str:
        """One of ``model.node.STATES``."""
        return self._state

    def status(self) -> dict[str, Any]:
        """What the node knows of itself; returns at once, whatever else is going on."""
        awake = self._awake
        plane = self._control
        return {
            "state": self._state,
            "name": self.identity.name,
            "control_host": self.settings.control_host,
            "control_port": plane.bound_port if plane is not None else 0,
            "debug_port": 0,
            "debug_port_active": False,
            "daemon_url": self.daemon_url,
            "connection_id": self.identity.id if awake is not None else None,
            "id": self.identity.id,
            "pid": self.identity.pid,
            "tree": self.identity.tree,
            "parent": self.identity.parent,
            "debugger": self.settings.debugger,
            "link": awake.link_state if awake is not None else "none",
            "probes": awake.probes_shown() if awake is not None else [],
            "warnings": list(self._warnings),
            "faults": self.faults.to_list(),
            "fault_count": self.faults.total,
        }

    def control_url(self) -> str:
        """Where others reach the control plane; ``""`` while no routable host is known."""
        host = self.settings.advertise_host or self.settings.control_host
        if self._control is None or host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared only
            return ""
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self._control.bound_port}"

    def token(self) -> str:
        """The shared token, or ``""``. A token file is read each time: it may be changed."""
        if self.settings.token:
            return str(self.settings.token)
        for file_name in ("token", "auth-token"):  # the second is Detrix's name for it
            if not os.path.exists(f"{self.settings.home}/{file_name}"):
                continue
            from treetap.link import auth

            token, complaint = auth.read_token(f"{self.settings.home}/{file_name}")
            if complaint:
                self.warn(complaint)
            if token:
                return token
        return ""

    def warn(self, complaint: str) -> None:
        """Show ``complaint`` in ``status()``, once."""
        if complaint not in self._warnings and len(self._warnings) < 20:
            self._warnings.append(complaint)

    # Its life.

    def open(self) -> None:
        """Open the control plane and enter the registry; the node sleeps, or is warm.

        Raises:
            ControlPlaneError: The port can't be bound.
        """
        self._open_control_plane(self.settings.control_port)
        self.token()  # complains of a token file that others can read
        forking.follow(self)
        ending.follow(self)
        if self.settings.follow_children:
            self._exported.put(self.identity, self.settings.home)
        if self.settings.start_state == "warm":
            self.warm_up()
        elif self.settings.start_state == "awake":
            self.wake_soon()

    def warm_up(self) -> None:
        """Load the engine, so that the next wake is quick."""
        with self._turn:
            state = next_state(self._state, "warm-up")
            self._probe_set = self._make_probe_set()
            self._state = state

    def wake(self, daemon_url: str | None = None, *, may_use_token: bool = True) -> dict[str, Any]:
        """Connect to the daemon and arm its probes.

        Args:
            daemon_url: Instead of the configured one; kept for later wakes.
            may_use_token: Prove to ``daemon_url`` that we hold the token; to the configured
                daemon we always may.

        Raises:
            DaemonError: It can't be reached, or isn't a treetap daemon.
            LinkError: It refused.
            StateError: The node was shut down meanwhile.
        """
        url = self._checked_url(daemon_url)
        with self._turn:
            self._check_open()
            if self._state == AWAKE:
                return self._outcome("already_awake")
            origin = self._state
            self._state = next_state(origin, "wake")
            is_woken = False
            try:
                is_ours = may_use_token or url == self.settings.daemon_url
                self._begin_awake(url, self.token() if is_ours else "")
                is_woken = True
            finally:
                if not is_woken:
                    self._undo_awake()
                    self._state = next_state(WAKING, f"failed-from-{origin}")
            self.daemon_url = url
            self._state = next_state(WAKING, "woken")
            return self._outcome("awake")

    def sleep(self, *, reason: str = "sleep") -> dict[str, Any]:
        """Disarm everything and leave the daemon; idempotent. Waits for a wake under way.

        Args:
            reason: What the daemon is told: ``sleep`` or ``exit``.
        """
        with self._turn:
            if self._state == SLEEPING:
                return {"status": "already_sleeping"}
            self._end_awake(reason)
            self._state = next_state(self._state, "sleep")
            return {"status": "sleeping"}

    def shutdown(self) -> None:
        """Sleep, close the control plane, leave the registry; idempotent.

        A wake under way is given up; nothing waits for a peer.
        """
        if self._is_closed:
            return
        self._is_closed = True
        cancel = self._cancel_wake
        if cancel is not None:
            cancel()
        # A wake that doesn't end in time undoes itself when it does: it sees `_is_closed`.
        if self._turn.acquire(timeout=_SHUTDOWN_PATIENCE_S):
            try:
                if self._state in (AWAKE, WARM):
                    self._end_awake("exit")
                    self._state = next_state(self._state, "sleep")
            finally:
                self._turn.release()
        forking.forget(self)
        ending.forget(self)
        self._exported.take_back()
        if self._entry:
            registry.remove_node(self._entry)
        if self._control is not None:
            self._control.stop()

    def adopt(self, probes: list[Probe], link: dict[str, Any], daemon_url: str) -> None:
        """Become awake with these probes at once, and reach the daemon later.

        For a process whose tree is awake when it starts: it must have the probes before user
        code runs, and must wait for nobody.
        """
        with self._turn:
            origin = self._state
            self._state = next_state(origin, "wake")
            is_woken = False
            try:
                self.daemon_url = daemon_url or self.daemon_url
                self._adopt_awake(probes, link)
                is_woken = True
            finally:
                if not is_woken:
                    self._undo_awake()
                    self._state = next_state(WAKING, f"failed-from-{origin}")
            self._state = next_state(WAKING, "woken")

    def finish(self, timeout_s: float) -> None:
        """Ship what is left as the process ends, and leave the registry; never raises."""
        try:
            awake = self._awake
            if awake is not None:
                awake.stop("exit", timeout_s)
            if self._entry:
                registry.remove_node(self._entry)
        except Exception as exc:  # noqa: BLE001 - the program's end isn't ours to spoil
            self.faults.add("the end of the process", exc)

    @property
    def thread_count(self) -> int:
        """How many threads of this process are this node's."""
        plane, awake = self._control, self._awake
        count = plane.thread_count if plane is not None else 0
        return count + (awake.thread_count if awake is not None else 0)

    def pause(self) -> None:
        """End our threads for the moment of a fork; nothing is lost, nobody is refused."""
        if self._control is not None:
            self._control.pause()
        if self._awake is not None:
            self._awake.pause()

    def resume(self) -> None:
        """The opposite of ``pause``."""
        if self._control is not None:
            self._control.resume()
        if self._awake is not None:
            self._awake.resume()

    def hold_for_fork(self) -> None:
        """Have the engine finish what it does; the fork happens in another thread."""
        if self._probe_set is not None:
            self._probe_set.hold_for_fork()

    def release_after_fork(self) -> None:
        """The opposite of ``hold_for_fork``, in the parent."""
        if self._probe_set is not None:
            self._probe_set.release_after_fork()

    def start_over_in_child(self) -> None:
        """After a fork: become the child's node. ``forking`` has the table of what is kept."""
        parent = self.identity.id
        was_awake = self._state == AWAKE
        if self._control is not None:
            self._control.abandon_in_child()
        self.identity = identity.own_identity(
            self.identity.name, tree=self.identity.tree, parent=parent
        )
        self.faults = FaultRecord()
        self._entry = ""
        self._turn = _thread.allocate_lock()
        self._cancel_wake = None
        if self._state == WAKING:
            self._state = SLEEPING  # the thread that was waking us isn't here
        if self._is_closed:
            return
        self._open_control_plane(0)
        if self.settings.follow_children:
            self._exported.put(self.identity, self.settings.home)
        ending.follow_in_child(self)
        if was_awake and self._awake is not None:
            self._awake.start_over_in_child()

    # Inside.

    def _open_control_plane(self, port: int) -> None:
        plane = control.ControlPlane(
            self.settings.control_host,
            port,
            self._serve,
            self.faults.add,
            request_timeout_s=self.request_timeout_s,
        )
        plane.start()
        self._control = plane
        try:
            self._entry = registry.write_node(
                self.settings.home,
                self.identity,
                {"host": control.loopback_of(plane.bound_host), "port": plane.bound_port},
            )
        except OSError as exc:
            # A home that can't be written must not stop a program from running.
            self.warn(f"This node can't be found by `treetap ps`: {exc}.")

    def _serve(self, connection: control.Connection) -> None:
        from treetap.node import routes  # not before somebody asks something

        routes.serve(self, connection)

    def _checked_url(self, given: str | None) -> str:
        try:
            return str(checks.url(given)) if given else self.daemon_url
        except (ValueError, TypeError) as exc:
            raise DaemonError(
                f"{given!r} is no daemon's URL: {exc}.",
                "Expected format: http://host:port",
                slug="daemon-url",
            ) from exc

    def _make_probe_set(self) -> ProbeSetLike:
        from treetap.node import engine

        make = self._probe_set_factory or engine.make_probe_set
        return make(self)

    def _begin_awake(self, url: str, token: str) -> None:
        from treetap.node import waking

        way = waking.Way(url, token)
        attempt = waking.Attempt(self, way)
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
            if self._probe_set is None:
                self._probe_set = self._make_probe_set()
        except BaseException:
            connection.close()
            raise
        self._awake = waking.Awake(self, self._probe_set, way, connection)
        self._awake.start()

    def _adopt_awake(self, probes: list[Probe], link: dict[str, Any]) -> None:
        from treetap.node import waking

        self._probe_set = self._make_probe_set()
        way = waking.Way(self.daemon_url, self.token(), link)
        self._awake = waking.Awake(self, self._probe_set, way, None)
        self._awake.start(probes)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StateError(
                "The node was shut down.",
                "Call treetap.init() to have a new one.",
                slug="state-closed",
            )

    def _undo_awake(self) -> None:
        """After a failed wake: end what has begun. An engine that was only loaded stays so."""
        if self._awake is not None:
            self._end_awake("sleep")

    def _end_awake(self, reason: str) -> None:
        awake, self._awake = self._awake, None
        probe_set, self._probe_set = self._probe_set, None
        if awake is not None:
            awake.stop(reason, self.settings.unregister_timeout)
        if probe_set is not None:
            probe_set.close()

    def _outcome(self, status: str) -> dict[str, Any]:
        return {
            "status": status,
            "debug_port": 0,
            "connection_id": self.identity.id,
            "daemon_url": self.daemon_url,
        }

    def wake_soon(self) -> None:
        """Wake in a thread of its own; a failure goes to ``faults``."""
        _thread.start_new_thread(self._wake_in_background, ())

    def _wake_in_background(self) -> None:
        try:
            self.wake()
        except Exception as exc:  # noqa: BLE001 - shown by status(); nobody waits for it
            self.faults.add("the wake at start", exc)
