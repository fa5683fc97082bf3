"""How a process that starts in an awake tree gets the tree's probes.

They must be there before the code that they are meant for runs, and the process must not be held up.
Loading the engine takes 5 ms, so it is loaded only when it is needed: at once if a probe may
be meant for the main script or for a module that is loaded already; when a module is imported that a
probe may be meant for; else after a quarter of a second, by when a short process is over. What the
shipper needs, and what hits do, is loaded in a thread of its own a moment after that, so that the script
goes first; there the control plane is opened, too, if it waited for the arming.
"""

from __future__ import annotations

import _thread
import sys

from treetap.node import identity, thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.node.life import Life

PATIENCE_S = 0.25
#: How long the shipper lets the program go first; nobody who waits for it waits so long (``hurry``).
_SHIPPING_DELAY_S = 0.02
#: Another thread that loads may need the very module that this thread is importing. As a rule it
#: doesn't, and is through after 11 ms, if the machine has nothing else to do.
_LOADING_TIMEOUT_S = 2.0

#: Files that any module may be, as far as its name tells.
_ANY = ("__init__", "__main__")


class Adoption:
    """The time between the start of a process and the moment that it is awake.

    Args:
        life: Whose turn is taken; ``arm_adopted``, ``ship_adopted`` and ``give_up_adoption``
            are called.
        fields: The probes, as on the wire.
    """

    def __init__(self, life: Life, fields: list[dict[str, Any]]) -> None:
        self._life = life
        self._wanted = [_Wanted(each) for each in fields]
        # Whoever has it loads, or cancels; once.
        self._lock = _thread.allocate_lock()
        self._is_settled = False
        self._loader = 0
        #: Whether only the shipping is still to come.
        self.is_armed = False
        # Held until there is no more need to be patient.
        self._patience = _thread.allocate_lock()
        self._is_waiting = False
        # Held until there is a hurry to ship.
        self._leisure = _thread.allocate_lock()
        self._leisure.acquire()

    def begin(self) -> None:
        """Load now, or wait for the need."""
        if not self._wanted:
            self._wait()
        elif any(each.is_near() for each in self._wanted):
            self.load()
        else:
            sys.meta_path.insert(0, self)
            self._wait()

    def load(self) -> None:
        """Load the engine and arm, if nobody has yet; faults go to its node."""
        if not self._lock.acquire(timeout=_LOADING_TIMEOUT_S):
            return
        try:
            if self._is_settled:
                return
            self._settle()
            self._loader = _thread.get_ident()
            self._life.arm_adopted()
            self.is_armed = True
            # Not before: who imports meanwhile what a probe may be meant for, waits for it.
            self._forget_finder()
            self._begin_shipping()
        except Exception as exc:  # noqa: BLE001 - the process goes on, asleep
            self._forget_finder()
            self._life.give_up_adoption(exc)
        finally:
            self._lock.release()

    def hurry(self) -> None:
        """Somebody is going to wait for the shipper."""
        try:
            self._leisure.release()
        except RuntimeError:
            pass  # somebody has said so before

    def cancel(self) -> None:
        """Stay asleep, if the engine isn't loaded yet."""
        # With a limit: a signal's handler may ask for it in the thread that is loading.
        if not self._lock.acquire(timeout=_LOADING_TIMEOUT_S):
            return
        try:
            if not self._is_settled:
                self._settle()
                self._forget_finder()
                self._life.give_up_adoption(None)
        finally:
            self._lock.release()

    def abandon_in_child(self) -> None:
        """After a fork: the thread that had it under way isn't here."""
        self._forget_finder()

    @property
    def thread_count(self) -> int:
        """How many threads there are of ours."""
        return int(self._is_waiting)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As a finder: load when a module comes that a probe may be meant for; find nothing."""
        if _thread.get_ident() == self._loader or not any(
            each.may_be(name) for each in self._wanted
        ):
            return None
        self.load()
        # The search goes over a list that has changed under it, so begin it anew.
        from _frozen_importlib import _find_spec  # type: ignore[attr-defined] # not in its stub

        return _find_spec(name, path, target) if self not in sys.meta_path else None

    def _begin_shipping(self) -> None:
        try:
            thread.start(self._ship)
        except RuntimeError:
            # The process is ending, and waits for us: this very thread does it.
            self._life.ship_adopted()

    def _ship(self) -> None:
        self._leisure.acquire(timeout=_SHIPPING_DELAY_S)
        self._life.ship_adopted()

    def _wait(self) -> None:
        self._patience.acquire()
        self._is_waiting = True
        try:
            thread.start(self._load_later)
        except RuntimeError as exc:
            self._is_waiting = False
            with self._lock:
                self._settle()
                self._forget_finder()
                self._life.give_up_adoption(exc)

    def _load_later(self) -> None:
        self._patience.acquire(timeout=PATIENCE_S)
        self._is_waiting = False
        self.load()

    def _settle(self) -> None:
        self._is_settled = True
        if self._patience.locked():
            self._patience.release()

    def _forget_finder(self) -> None:
        # A new list: another thread may be going over the old one, and would leave one out.
        sys.meta_path = [finder for finder in sys.meta_path if finder is not self]


class _Wanted:
    """Where one probe shall sit, as far as it takes to see whether it may be soon."""

    def __init__(self, fields: dict[str, Any]) -> None:
        parts = fields.get("location_parts") or ["", 0, "", "", ""]
        self.module = str(parts[3])
        self.stem = str(parts[0]).replace("\\", "/").rpartition("/")[2].removesuffix(".py")

    def may_be(self, name: str) -> bool:
        """Whether a module of this name may be the one."""
        if self.module:
            return self.module == name
        return self.stem in (name.rpartition(".")[2], *_ANY)

    def is_near(self) -> bool:
        """Whether it may be in the main script, or in what is loaded already."""
        program = identity.program_name()
        if self.module:
            return self.module in sys.modules or self.module == "__main__"
        if self.stem in _ANY or program == "multiprocessing":
            # A child of multiprocessing runs its parent's script, whose name nobody tells.
            return True
        return self.may_be(program.removesuffix(".py")) or self._is_loaded()

    def _is_loaded(self) -> bool:
        tail = f"/{self.stem}.py"
        return any(
            (getattr(module, "__file__", None) or "").endswith(tail)
            for name, module in list(sys.modules.items())
            if not name.startswith("treetap")
        )
