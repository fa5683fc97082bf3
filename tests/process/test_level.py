from __future__ import annotations

import logging
import subprocess
import sys

import pytest

import treetap
from treetap.process import level


def test_io_is_just_above_info_and_has_its_name():
    assert level.resolve("io") == level.resolve("IO") == level.IO == logging.INFO + 1 == 21
    assert logging.getLevelName(21) == "IO"


@pytest.mark.parametrize(
    ("name", "number"),
    [("info", 20), ("WARNING", 30), ("Debug", 10), (5, 5), (21, 21), (logging.ERROR, 40)],
)
def test_any_level_may_be_named_or_given_by_its_number(name: str | int, number: int):
    assert level.resolve(name) == number


def test_a_level_of_the_programs_own_is_known():
    logging.addLevelName(17, "chatty")
    assert level.resolve("chatty") == 17


@pytest.mark.parametrize("unknown", ["loud", "", None, 2.5, True])
def test_an_unknown_one_is_refused_with_those_that_are_known(unknown: object):
    with pytest.raises(treetap.SupervisionError, match="INFO, IO, WARN") as caught:
        level.resolve(unknown)  # type: ignore[arg-type]
    assert repr(unknown) in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_name_that_the_program_gave_21_before_stays():
    program = (
        "import logging; logging.addLevelName(21, 'NOTICE')\n"
        "from treetap.process import level\n"
        "assert logging.getLevelName(21) == 'NOTICE' and level.resolve('io') == 21\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
