"""A probe: where, when, what to take, within which limits. A value, never live."""

from __future__ import annotations

from treetap.errors import ProbeError
from treetap.model.location import Location
from treetap.model.record import Record

#: Seconds until a forgotten probe ends by itself.
DEFAULT_TTL_S = 3600.0
MAX_EXPRESSIONS = 20
MAX_EXPRESSION_CHARS = 10_000

#: What the number of a mode means; ``None`` where there is none.
MODES: dict[str, str | None] = {
    "stream": None,
    "sample": "every Nth hit",
    "sample_interval": "one hit in N seconds",
    "first": None,
    "throttle": "at most N hits a second",
}
#: A mode's number where none was given (Detrix's defaults).
DEFAULT_RATES: dict[str, float] = {"sample": 10, "sample_interval": 30, "throttle": 100}

SAFETIES = ("strict", "trusted")

_MAX_NAME_CHARS = 255


class Limits(Record):
    """How much of a value is captured. What is beyond is marked, never dropped silently."""

    max_depth: int = 3
    max_items: int = 100
    max_chars: int = 255
    max_fields: int = 20


class Target(Record):
    """Which nodes a probe is for; an empty field matches every node."""

    tree: str = ""
    name: str = ""
    pid: int = 0

    def matches(self, *, tree: str, name: str, pid: int) -> bool:
        return self.tree in ("", tree) and self.name in ("", name) and self.pid in (0, pid)


class Probe(Record):
    """One request to observe.

    Attributes:
        id: Given by the daemon; unique in its store, e.g. ``"p7"``.
        location: Where.
        expressions: What to take, each a Python expression.
        snapshot: Take locals and stack instead of, or beside, ``expressions``.
        condition: Record only when this expression is true; ``""`` for always.
        mode: One of ``MODES``.
        rate: The mode's number (see ``MODES``); 0 where the mode has none.
        max_hits: Disarm after so many records; 0 for no limit.
        expires_at_s: Unix time when the probe ends; 0 for never.
        safety: ``strict`` runs no user code; ``trusted`` evaluates any expression.
        allow_calls: Let ``strict`` read properties and call ``__getattr__`` and friends.
        limits: How much of each value is captured.
        budget_percent: CPU the probe may cost, in percent of one core; 0 for no limit.
        target: Which nodes.
        name: For people; unique where given.
        is_enabled: A disabled probe is kept, and armed nowhere.
    """

    id: str
    location: Location
    expressions: tuple[str, ...] = ()
    snapshot: bool = False
    condition: str = ""
    mode: str = "stream"
    rate: float = 0
    max_hits: int = 0
    expires_at_s: float = 0
    safety: str = "strict"
    allow_calls: bool = False
    limits: Limits = Limits()
    budget_percent: float = 1.0
    target: Target = Target()
    name: str = ""
    is_enabled: bool = True


def check_probe(probe: Probe) -> Probe:
    """Return ``probe`` with its mode's default rate filled in.

    Raises:
        ProbeError: A field is out of range, or two fields contradict each other.
    """
    if not probe.expressions and not probe.snapshot:
        raise _bad(
            f"the probe at {probe.location} takes nothing",
            "Name an expression, or ask for a snapshot.",
        )
    if len(probe.expressions) > MAX_EXPRESSIONS:
        raise _bad(
            f"{len(probe.expressions)} expressions are too many",
            f"A probe takes up to {MAX_EXPRESSIONS}.",
        )
    for text in (*probe.expressions, probe.condition):
        if len(text) > MAX_EXPRESSION_CHARS:
            raise _bad(
                f"an expression of {len(text)} characters is too long",
                f"The limit is {MAX_EXPRESSION_CHARS}.",
            )
    if probe.mode not in MODES:
        raise _bad(f"{probe.mode!r} is not a mode", f"Use one of {', '.join(MODES)}.")
    if probe.safety not in SAFETIES:
        raise _bad(f"{probe.safety!r} is not a safety level", f"Use one of {', '.join(SAFETIES)}.")
    if probe.name and not _is_name(probe.name):
        raise _bad(
            f"{probe.name!r} is not a probe's name",
            "Use letters, digits, _ and -, at most 255, no digit first.",
        )
    if probe.rate < 0 or probe.max_hits < 0 or probe.budget_percent < 0:
        raise _bad("a rate, a hit limit or a budget is negative", "Use 0 for no limit.")
    if min(probe.limits) < 0:
        raise _bad("a capture limit is negative", "Each is 0 or more.")
    if probe.mode == "sample" and probe.rate != int(probe.rate):
        raise _bad(f"sample takes a whole number, not {probe.rate}", "It records every Nth hit.")
    if MODES[probe.mode] is None and probe.rate:
        raise _bad(f"mode {probe.mode} takes no number", "Leave the rate out.")
    if MODES[probe.mode] is not None and not probe.rate:
        return probe._replace(rate=DEFAULT_RATES[probe.mode])
    return probe


def _is_name(text: str) -> bool:
    """Detrix's rule for the names of its metrics, so that a probe can be one."""
    return (
        text.isascii()
        and text.replace("-", "_").isidentifier()
        and not text.startswith("-")
        and len(text) <= _MAX_NAME_CHARS
    )


def _bad(what: str, hint: str) -> ProbeError:
    return ProbeError(what[0].upper() + what[1:] + ".", hint, slug="probe-invalid")
