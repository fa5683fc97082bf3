"""Who is at a prompt and who waits for one, for people: in ``ps``, ``dump`` and ``stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treetap.cli import screen
from treetap.debug.standing import HOLDING, trees_with_prompts

if TYPE_CHECKING:
    from treetap.config.settings import Settings
    from treetap.debug.standing import Standing

#: A broker does nothing but answer; one that is stopped never does.
_ASK_TIMEOUT_S = 2.0


def by_pid(settings: Settings) -> dict[int, list[Standing]]:
    """All who hold or wait, in all trees of this home; a process may, in several threads."""
    found: dict[int, list[Standing]] = {}
    for standings in trees_with_prompts(home=settings.home, timeout_s=_ASK_TIMEOUT_S).values():
        for one in standings:
            found.setdefault(one.pid, []).append(one)
    return found


def text(standings: list[Standing]) -> str:
    """What a process does with the terminal, in a few words; ``""`` for nothing."""
    return "; ".join(_text(one) for one in standings)


def _text(one: Standing) -> str:
    since = screen.duration_text(one.since_s)
    if one.state == HOLDING:
        return f"at the prompt {since}" + (f", answered by {one.by}" if one.by else "")
    return f"waits {since}" + (f", {_ordinal(one.place)} in the queue" if one.place else "")


def to_list(standings: list[Standing]) -> list[dict[str, Any]]:
    """The same for a program."""
    return [
        {"state": one.state, "place": one.place, "since_s": round(one.since_s, 3), "by": one.by}
        for one in standings
    ]


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"
