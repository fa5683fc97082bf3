"""The words of the answers, as enumerations whose members are text."""

from __future__ import annotations

from enum import StrEnum


class WakeStatus(StrEnum):
    """What ``wake`` answers."""

    awake = "awake"
    already_awake = "already_awake"


class SleepStatus(StrEnum):
    """What ``sleep`` answers."""

    sleeping = "sleeping"
    already_sleeping = "already_sleeping"
