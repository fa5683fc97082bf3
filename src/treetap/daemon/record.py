"""A probe as the daemon keeps it: the probe itself, and what only the daemon needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.model.probe import Probe
from treetap.wire.message import probe_from_dict, probe_to_dict

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProbeRecord(NamedTuple):
    """Attributes:
    number: In the store; the probe's id is ``"p"`` and this number.
    probe: What the nodes get.
    created_at_s: Unix time.
    ttl_s: What was asked for; 0 for never. An enabled probe lives for this long again.
    group: Probes of one group are enabled and disabled together; ``""`` for none.
    language: Of its expressions: ``python``, or that of the target that it is for.
    notes: What the faces want remembered of it, see ``notes_of_snapshot``.
    """

    number: int
    probe: Probe
    created_at_s: float
    ttl_s: float
    group: str = ""
    language: str = "python"
    notes: dict[str, Any] = {}  # noqa: RUF012 - a default that nobody writes to

    @property
    def width(self) -> int:
        """How many values a row has after its time."""
        return len(self.probe.expressions) + self.probe.snapshot

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of a row's values, in order."""
        if self.probe.snapshot:
            return (*self.probe.expressions, "snapshot")
        return self.probe.expressions

    def is_wanted(self, now_s: float) -> bool:
        """Whether nodes shall have it."""
        return self.probe.is_enabled and not self.is_expired(now_s)

    def is_expired(self, now_s: float) -> bool:
        return 0 < self.probe.expires_at_s <= now_s

    def to_dict(self) -> dict[str, Any]:
        """What the store keeps; ``record_from_dict`` is the inverse."""
        return {
            **probe_to_dict(self.probe),
            "created_at_s": self.created_at_s,
            "ttl_s": self.ttl_s,
            "group": self.group,
            "language": self.language,
            "notes": self.notes,
        }


def record_from_dict(number: int, fields: dict[str, Any]) -> ProbeRecord:
    """Raises ``ProbeError`` if a foreign hand has been at the store."""
    return ProbeRecord(
        number,
        probe_from_dict(fields),
        float(fields.get("created_at_s", 0)),
        float(fields.get("ttl_s", 0)),
        str(fields.get("group", "")),
        str(fields.get("language", "python")),
        dict(fields.get("notes", {})),
    )


def numbered(record: ProbeRecord, number: int) -> ProbeRecord:
    """The same under another number."""
    return record._replace(number=number, probe=record.probe._replace(id=f"p{number}"))


def notes_of_snapshot(
    now_s: float,
    *,
    stack_ttl_s: float | None,
    locals_ttl_s: float | None,
    stack_slice: Sequence[int] | None,
    shows_stack: bool,
    shows_locals: bool,
) -> dict[str, Any]:
    """What is to be shown of a probe's snapshots, as notes; the program takes all of both.

    Args:
        now_s: When it is asked for; Unix time.
        stack_ttl_s: For how long stacks are shown; ``None`` or 0 for ever.
        locals_ttl_s: The same of locals.
        stack_slice: How many of the first and of the last frames; ``None`` for all.
        shows_stack: Whether stacks are shown at all.
        shows_locals: The same of locals.
    """
    notes: dict[str, Any] = {
        "shows_stack": shows_stack,
        "shows_locals": shows_locals,
        "stack_slice": None if stack_slice is None else list(stack_slice),
    }
    for name, ttl_s in (("stack_until", stack_ttl_s), ("locals_until", locals_ttl_s)):
        if ttl_s:
            notes[name] = now_s + ttl_s
    return notes


def number_of(probe_id: str) -> int:
    """7 for ``"p7"``; 0 for what is no probe's id."""
    digits = probe_id[1:]
    if probe_id[:1] != "p" or not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return 0
    return int(digits)
