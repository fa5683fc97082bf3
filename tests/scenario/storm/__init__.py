"""A tree of processes that pause and crash, and somebody at its terminal who does everything wrong.

``python -m tests.scenario.storm --rounds 5000 --seed 7`` goes on for long; CI has two hundred rounds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.scenario.pty_shell import Shells
from tests.scenario.storm.driver import Driver

TREE = Path(__file__).with_name("tree.py")


def storm(folder: Path, seed: int, rounds: int) -> tuple[int, int]:
    """So many rounds; how many prompts there were, and how many steps that had to be interrupted.

    Raises:
        StormError: With the log of the driver.
    """
    shells = Shells(folder)
    command = [sys.executable, "-m", "treetap.cli", "run", "--on-crash", "--", sys.executable]
    driver = Driver(folder, seed, [*command, str(TREE)], shells.environment)
    try:
        driver.run(rounds)
    finally:
        shells.close()
    return driver.prompts, driver.nudges
