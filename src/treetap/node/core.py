"""The node: its state, its control plane, its entry in the registry.

Everything here runs in a sleeping process and is light. ``life`` has the transitions.
"""

from __future__ import annotations

import _thread
import os
import sys
import time

from treetap.node import ending, forking, identity, launch, thread
from treetap.node.bell import Bell
from treetap.node.fault import FaultRecord
from treetap.node.life import Life

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from treetap.config.settings import Settings
    from treetap.model.node import NodeIdentity
    from treetap.node import control
    from treetap.node.engine import ProbeSetLike

#: Who finds the control plane being opened by another thread waits no longer for that.
_OPENING_TIMEOUT_S = 1.0


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
        life: Its transitions, and what it holds while it is awake.
        request_timeout_s: For one request to the control plane, if not the usual; read when that is
            opened.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        parent: str | None = None,
        probe_set_factory: Callable[[Node], ProbeSetLike] | None = None,
    ) -> None:
        self.settings = settings
        self.identity: NodeIdentity = identity.own_identity(settings.name, parent=parent)
        self.faults = FaultRecord()
        self.request_timeout_s: float | None = None
        self.life = Life(self, probe_set_factory)
        self._warnings: list[str] = []
        self._is_closed = False
        self._control: control.ControlPlane | None = None
        # Whether the control plane is still to be opened, and what is held while it is.
        self._is_owed = False
        self._opening = _thread.allocate_lock()
        # Of a control plane that is still to be opened.
        self._bell: Bell | None = None
        self._entry = ""
        self._exported = launch.Export()
        self._undo: dict[str, Callable[[], None]] = {}
        self._is_dumping = False

    # What the outside sees.

    @property
    def state(self) -> str:
        """One of ``model.node.STATES``."""
        return self.life.state

    @property
    def daemon_url(self) -> str:
        """The daemon of the last wake, or the configured one."""
        return self.life.daemon_url

    def status(self) -> dict[str, Any]:
        """What the node knows of itself; returns at once, whatever else is going on."""
        self.open_control_plane()
        awake, debugging = self.life.awake, self.life.debugging
        plane = self._control
        debug_port = debugging.port.port if debugging is not None else 0
        return {
            "state": self.life.state,
            "name": self.identity.name,
            "control_host": self.settings.control_host,
            "control_port": plane.bound_port if plane is not None else 0,
            "debug_port": debug_port or self.settings.debug_port,
            "debug_port_active": bool(debug_port),
            "daemon_url": self.daemon_url,
            "connection_id": self.life.connection_id,
            "id": self.identity.id,
            "pid": self.identity.pid,
            "tree": self.identity.tree,
            "parent": self.identity.parent,
            "debugger": self.settings.debugger,
            "link": awake.link_state if awake is not None else "none",
            "probes": awake.probes_shown() if awake is not None else [],
            "warnings": [*self._warnings, *self.life.remains],
            "faults": self.faults.to_list(),
            "fault_count": self.faults.total,
        }

    def control_url(self) -> str:
        """Where others reach the control plane; ``""`` while no routable host is known."""
        self.open_control_plane()
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

    def open(self, *, is_hurried: bool = False) -> None:
        """Open the control plane and enter the registry; the node sleeps, or is warm.

        Args:
            is_hurried: The control plane can wait: ``open_control_plane`` will be called.

        Raises:
            ControlPlaneError: The port can't be bound.
        """
        if is_hurried:
            self._is_owed = True
        else:
            self._open_control_plane(self.settings.control_port)
        self.token()  # complains of a token file that others can read
        forking.follow(self)
        ending.follow(self)
        self._export()
        self._export_name()
        self._export_limits()
        if self.settings.debug:
            self._hold()
        if self.settings.start_state == "warm":
            self.life.warm_up()
        elif self.settings.start_state == "awake":
            self.wake_soon()

    def open_control_plane(self) -> None:
        """Open it if ``open`` has left that for later. What goes wrong is among the faults."""
        if not self._is_owed or not self._opening.acquire(timeout=_OPENING_TIMEOUT_S):
            return
        try:
            if self._is_owed:
                self._is_owed = False
                self._open_control_plane(self.settings.control_port)
        except Exception as exc:  # noqa: BLE001 - the node does without
            self.faults.add("opening the control plane", exc)
            self._close_bell()
        finally:
            self._opening.release()

    def wake(self, daemon_url: str | None = None, *, may_use_token: bool = True) -> dict[str, Any]:
        """See ``Life.wake``."""
        return self.life.wake(daemon_url, may_use_token=may_use_token)

    def sleep(self) -> dict[str, Any]:
        """See ``Life.sleep``."""
        return self.life.sleep()

    def shutdown(self) -> None:
        """Sleep, close the control plane, leave the registry; idempotent.

        A wake under way is given up; nothing waits for a peer.
        """
        if self._is_closed:
            return
        self._is_closed = True
        self._forgo_control_plane()
        self.life.end()
        forking.forget(self)
        ending.forget(self)
        for undo in self._undo.values():
            undo()
        self._exported.take_back()
        self._leave_registry()
        if self._control is not None:
            self._control.stop()
        self._close_bell()

    def finish(self, timeout_s: float) -> None:
        """Ship what is left as the process ends, and leave the registry; never raises."""
        try:
            self._forgo_control_plane()
            self.life.finish(timeout_s)
            self._leave_registry()
        except Exception as exc:  # noqa: BLE001 - the program's end isn't ours to spoil
            self.faults.add("the end of the process", exc)

    @property
    def thread_count(self) -> int:
        """How many threads of this process are this node's."""
        plane = self._control
        return self.life.thread_count + (plane.thread_count if plane is not None else 0)

    def pause(self) -> None:
        """End our threads for the moment of a fork; nothing is lost, nobody is refused."""
        if self._control is not None:
            self._control.pause()
        if self.life.awake is not None:
            self.life.awake.pause()

    def resume(self) -> None:
        """The opposite of ``pause``."""
        if self._control is not None:
            self._control.resume()
        if self.life.awake is not None:
            self.life.awake.resume()

    def start_over_in_child(self) -> None:
        """After a fork: become the child's node. ``forking`` has the table of what is kept."""
        parent = self.identity.id
        abandoned, self._control = self._control, None
        bell, self._bell = self._bell, None
        self._is_owed, self._opening = False, _thread.allocate_lock()
        try:
            self._start_over_in_child(parent)
        finally:
            # Not before: a signal writes to its bell.
            if abandoned is not None:
                abandoned.abandon_in_child()
            if bell is not None:
                bell.close()

    def _start_over_in_child(self, parent: str) -> None:
        self.identity = identity.own_identity(
            self.identity.name, tree=self.identity.tree, parent=parent
        )
        self.faults = FaultRecord()
        self._entry = ""
        self._is_dumping = False
        if self._is_closed:
            return
        try:
            self._open_control_plane(0)
        except BaseException:
            for undo in self._undo.values():
                undo()
            raise
        self._follow_signal()
        self._export()
        ending.follow_in_child(self)
        self.life.start_over_in_child()

    # Inside.

    def _open_control_plane(self, port: int) -> None:
        from treetap.node import control, registry

        plane = control.ControlPlane(
            self.settings.control_host,
            port,
            self._serve,
            self.faults.add,
            request_timeout_s=self.request_timeout_s or control.REQUEST_TIMEOUT_S,
            on_signal=self._dump_soon,
            bell=self._bell,
        )
        plane.start()
        self._control, self._bell = plane, None
        try:
            self._entry = registry.write_node(
                self.settings.home,
                self.identity,
                {"host": control.loopback_of(plane.bound_host), "port": plane.bound_port},
            )
        except OSError as exc:
            # A home that can't be written must not stop a program from running.
            self.warn(f"This node can't be found by `treetap ps`: {exc}.")

    def _forgo_control_plane(self) -> None:
        """If it isn't open by now, nobody needs it any more."""
        if self._is_owed and self._opening.acquire(timeout=_OPENING_TIMEOUT_S):
            self._is_owed = False
            self._opening.release()

    def _close_bell(self) -> None:
        """Of a control plane that was never opened."""
        bell, self._bell = self._bell, None
        if bell is not None:
            undo = self._undo.pop("signal", None)
            if undo is not None:
                undo()  # or the signal would write to whatever has the bell's descriptor next
            bell.close()

    def _leave_registry(self) -> None:
        if self._entry:
            from treetap.node import registry

            registry.remove_node(self._entry)

    def _serve(self, connection: control.Connection) -> None:
        if self.life.debugging is not None:
            self.life.debugging.hide_thread()
        from treetap.node import routes  # not before somebody asks something

        probe_set = self.life.probe_set
        if probe_set is None:
            routes.serve(self, connection)
        else:
            with probe_set.unseen():
                routes.serve(self, connection)

    def _export(self) -> None:
        if self.settings.follow_children:
            self._exported.put(self.identity, self.settings.home, debug=self.settings.debug)

    def _export_name(self) -> None:
        is_own = self.settings.origin("name") == "argument"
        # What a file says is said to all of a tree, and wouldn't tell them apart.
        if self.settings.name and (is_own or not self.identity.parent):
            self._exported.put_name(self.identity)

    def _export_limits(self) -> None:
        # Who waits at a prompt, or for it, reads its settings itself, in whichever process.
        for name in launch.LIMITS:
            if self.settings.origin(name) == "argument":
                self._exported.put_limit(name, getattr(self.settings, name))

    def _hold(self) -> None:
        """What the setting ``debug`` stands for, beside what children are told."""
        self._follow_signal()
        if not self.settings.follow_children or sys.flags.ignore_environment:
            from treetap.node import holding

            ours = holding.Breakpoint()
            ours.put()
            self._undo["breakpoint"] = ours.take_back

    def _follow_signal(self) -> None:
        if self.settings.debug:
            from treetap.node import usr1

            usr1.follow(self, self._signal_descriptor())
            self._undo["signal"] = lambda: usr1.forget(self)

    def _signal_descriptor(self) -> int:
        if self._control is not None:
            return self._control.signal_descriptor
        self._bell = Bell()  # the signal may come before the control plane is there
        return self._bell.pulled

    def _dump_soon(self) -> None:
        """A SIGUSR1 has come; one that comes while its answer is being made is answered by that."""
        if self._is_dumping:
            return
        self._is_dumping = True
        try:
            thread.start(self._dump, time.monotonic())
        except RuntimeError:
            self._is_dumping = False

    def _dump(self, asked_s: float) -> None:
        try:
            from treetap.node import dumping  # not before somebody asks

            dumping.dump_tree(self, asked_s)
        except Exception as exc:  # noqa: BLE001 - in somebody's program
            self.faults.add("a dump", exc)
        finally:
            self._is_dumping = False

    def wake_soon(self) -> None:
        """Wake in a thread of its own; a failure goes to ``faults``."""
        thread.start(self._wake_in_background)

    def _wake_in_background(self) -> None:
        try:
            self.wake()
        except Exception as exc:  # noqa: BLE001 - shown by status(); nobody waits for it
            self.faults.add("the wake at start", exc)
