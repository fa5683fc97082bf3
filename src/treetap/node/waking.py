"""What an awake node has beside a sleeping one; loaded by the first wake."""

from __future__ import annotations

import _socket

from treetap.errors import DaemonError, LinkError
from treetap.link.connection import LinkConnection
from treetap.link.discovery import find_link
from treetap.model.record import Record
from treetap.node.shipper import Shipper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treetap.model.probe import Probe
    from treetap.node.core import Node
    from treetap.node.engine import ProbeSetLike


class Way(Record):
    """How a daemon is reached.

    Attributes:
        daemon_url: Its URL.
        token: To prove ourselves with; ``""`` for a daemon that shall not have our proof.
        link: Where its link is, if that is known already.
    """

    daemon_url: str
    token: str
    link: dict[str, Any] | None = None


class Attempt:
    """One attempt to reach the daemon, which another thread can cancel."""

    def __init__(self, node: Node, way: Way) -> None:
        self._node = node
        self._way = way
        self._socket: Any = None
        self._is_cancelled = False

    def connect(self) -> LinkConnection:
        """Find the link and shake hands.

        Raises:
            DaemonError: Nobody answers at the URL, or no treetap daemon.
            LinkError: The link can't be opened, or was refused.
        """
        settings = self._node.settings
        link = self._way.link or find_link(
            self._way.daemon_url,
            timeout_s=settings.health_check_timeout,
            verify_ssl=settings.verify_ssl,
            ca_bundle=settings.ca_bundle,
            on_socket=self._watch,
        )
        try:
            return LinkConnection.open(
                link,
                self._node.identity,
                token=self._way.token,
                timeout_s=settings.register_timeout,
                trust_loopback=settings.trust_loopback,
                on_socket=self._watch,
            )
        except LinkError as exc:
            if exc.slug != "link-unreachable":
                raise
            raise DaemonError(exc.what, exc.hint, slug="daemon-unreachable") from exc

    def cancel(self) -> None:
        """Make ``connect`` in another thread end soon, with an error."""
        self._is_cancelled = True
        sock = self._socket
        if sock is not None:
            try:
                sock.shutdown(_socket.SHUT_RDWR)
            except OSError:
                pass  # closed already

    def abandon_in_child(self) -> None:
        """After a fork: close the parent's socket here."""
        if self._socket is not None:
            self._socket.close()

    def _watch(self, sock: Any) -> None:
        self._socket = sock
        if self._is_cancelled:
            raise LinkError("The attempt was cancelled.", slug="link-closed")


class Awake:
    """The engine, the link and the shipper of a node that is awake.

    Args:
        node: Whose.
        probe_set: The engine; the node closes it.
        way: To the daemon.
        connection: An open link, or ``None`` to open one later.
    """

    def __init__(
        self, node: Node, probe_set: ProbeSetLike, way: Way, connection: LinkConnection | None
    ) -> None:
        self._node = node
        self._probe_set = probe_set
        self._way = way
        self._is_link_tried = False
        self._probes: list[Probe] = []
        self._shipper = self._make_shipper(connection)
        self._first = connection

    @property
    def link_state(self) -> str:
        """``connected`` or ``reconnecting``."""
        return "connected" if self._shipper.is_connected else "reconnecting"

    def probes_shown(self) -> list[dict[str, Any]]:
        """How the probes fared when the shipper last looked, at most a second ago.

        The engine isn't asked: it may be busy arming.
        """
        return [status.to_dict() for status in self._shipper.statuses]

    def start(self, probes: list[Probe] | None = None) -> None:
        """Arm, then ship in a thread of our own.

        Args:
            probes: What to arm; what the daemon's welcome says, if not given.
        """
        if self._first is not None:
            self._shipper.take_probes(self._first.welcome)
        elif probes is not None:
            self._shipper.apply(probes)
        self._shipper.start()

    def stop(self, reason: str, timeout_s: float) -> None:
        """Ship what is there, say goodbye, end the thread."""
        self._shipper.stop(reason, timeout_s)

    def pause(self) -> None:
        """End our thread for now."""
        self._shipper.pause()

    def resume(self) -> None:
        """The opposite of ``pause``."""
        self._shipper.resume()

    @property
    def thread_count(self) -> int:
        """How many threads there are of ours."""
        return self._shipper.thread_count

    def start_over_in_child(self) -> None:
        """After a fork: the same probes, a link and a thread of our own."""
        self._shipper.abandon_in_child()
        self._probe_set.start_over_in_child()
        old = self._shipper
        self._is_link_tried = False
        self._shipper = self._make_shipper(None)
        self._shipper.inherit(old)
        self._shipper.start()

    def _make_shipper(self, connection: LinkConnection | None) -> Shipper:
        node = self._node
        return Shipper(
            self._probe_set,
            connection,
            attempt=self._next_attempt,
            on_sleep=lambda: node.life.sleep(of=self),
            on_fault=node.faults.add,
        )

    def _next_attempt(self) -> Attempt:
        """The first by the link that we know; after that the daemon may have moved."""
        way = self._way
        if self._is_link_tried:
            way = way._replace(link=None)
        self._is_link_tried = True
        return Attempt(self._node, way)
