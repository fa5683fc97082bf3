"""Every exception that treetap raises, in one tree.

An error says *what* is wrong, *why*, and the *way out*; its ``slug`` names the page
``docs/errors/<slug>.md`` that says the same at length. The text has up to three parts::

    orders.py:41 holds no code, so a probe there would never fire.
      Nearest lines that do: 40 (total += price), 43 (return total).
      [location-no-code]
"""

from __future__ import annotations


class TreetapError(Exception):
    """The root of all of treetap's exceptions.

    Args:
        what: One sentence: what is wrong, naming the offending thing.
        hint: Why, and what to do instead. Shown indented under ``what``.
        slug: The page of this error; the class's own slug if not given.
    """

    slug = "error"

    def __init__(self, what: str, hint: str = "", *, slug: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        if slug is not None:
            self.slug = slug

    def __str__(self) -> str:
        parts = [self.what]
        parts += [f"  {line}" for line in self.hint.splitlines()]
        parts.append(f"  [{self.slug}]")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.hint, self.slug))

    @property
    def line(self) -> str:
        """The whole error on one line, for a command's standard error."""
        hint = " ".join(self.hint.split())
        return f"{self.what} {hint} [{self.slug}]" if hint else f"{self.what} [{self.slug}]"


def _rebuild(cls: type[TreetapError], what: str, hint: str, slug: str) -> TreetapError:
    return cls(what, hint, slug=slug)


class ConfigError(TreetapError):
    """A setting has a value that can't be used; says which one and where it came from."""

    slug = "config"


class StateError(TreetapError):
    """A trigger that the node's present state doesn't allow; names both."""

    slug = "state"


class DaemonError(TreetapError):
    """The daemon can't be reached, isn't a daemon, or refused."""

    slug = "daemon"


class DebuggerError(TreetapError):
    """The engine that was asked for can't be loaded in this process."""

    slug = "debugger"


class ControlPlaneError(TreetapError):
    """The node's control plane can't be opened, or refused a request."""

    slug = "control-plane"


class LocationError(TreetapError):
    """A location that can't be understood, is ambiguous, or holds no code."""

    slug = "location"


class ExpressionError(TreetapError):
    """An expression that isn't Python, or isn't allowed at this safety level."""

    slug = "expression"


class ProbeError(TreetapError):
    """A probe that makes no sense as a whole (a bad mode, limit or target)."""

    slug = "probe"


class LinkError(TreetapError):
    """A link that was refused, or a frame on it that can't be understood."""

    slug = "link"


class StoreError(TreetapError):
    """The daemon's database can't be opened, migrated, read or written."""

    slug = "store"


class DapError(TreetapError):
    """A debug adapter of somebody else's can't be reached, refused, or is gone."""

    slug = "dap"


class TargetError(TreetapError):
    """A process that is observed through an adapter can't be registered, or isn't known."""

    slug = "target"


class SupervisionError(TreetapError, ValueError):
    """A program was to be supervised in a way that can't be: an argument contradicts another."""

    slug = "supervision"


class PauseError(TreetapError):
    """The terminal can't be had for a prompt; the program goes on without."""

    slug = "pause"


class ActorError(TreetapError):
    """Something between two actors that can't be done: a bad reference, a broken agreement."""

    slug = "actor"


class ActorDied(ActorError):
    """The actor at the other end is gone, or can't be reached any more.

    Attributes:
        uid: Of the actor (``ActorId.uid``); ``""`` where that isn't known.
    """

    slug = "actor-died"
    uid = ""


class RemoteCancelled(ActorError):
    """A task in another actor was cancelled, and not because its caller asked for it.

    Attributes:
        uid: Of the actor (``ActorId.uid``); ``""`` where that isn't known.
    """

    slug = "remote-cancelled"
    uid = ""


class PayloadError(ActorError):
    """A value that can't cross to another actor: of the wrong type, of none, or too large."""

    slug = "payload"


class RemoteError(ActorError):
    """An exception of another actor whose own type can't be had here.

    Attributes:
        type_name: Of the exception there: ``package.module.Type``.
        text: What ``str()`` of it was there.
        traceback: As it was rendered there.
    """

    slug = "remote-error"

    def __init__(
        self,
        what: str,
        hint: str = "",
        *,
        slug: str | None = None,
        type_name: str = "",
        text: str = "",
        traceback: str = "",
    ) -> None:
        super().__init__(what, hint, slug=slug)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), dict(self.__dict__))


class Lagged(ActorError):
    """A subscriber of a broadcast was too slow, and missed values; the next ``receive`` goes on.

    Attributes:
        count: How many values it missed.
    """

    slug = "broadcast-lagged"

    count = 0

    @classmethod
    def by(cls, count: int) -> Lagged:
        """The error of a subscriber that missed ``count`` values."""
        error = cls(
            f"This subscriber missed {count} value{'s' * (count != 1)}: others were faster.",
            "The next receive() gives the oldest value that is kept. A larger max_buffer= keeps more.",
        )
        error.count = count
        return error

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"count": self.count})


class AsyncioCancelled(ActorError):
    """An asyncio task ended by ``CancelledError``, and nobody on trio's side had asked for that."""

    slug = "asyncio-cancelled"
