from __future__ import annotations

from treetap.errors import DaemonError
from treetap.node.fault import FaultRecord


def test_faults_are_kept_with_their_place_and_counted():
    faults = FaultRecord()
    faults.add("the link", DaemonError("It is gone.", "Start it.", slug="daemon"))
    faults.add("the engine", ZeroDivisionError("division by zero"))
    first, second = faults.to_list()
    assert (first["where"], first["what"]) == ("the link", "It is gone. Start it. [daemon]")
    assert second["what"] == "ZeroDivisionError: division by zero"
    assert faults.total == 2


def test_only_the_last_are_kept_and_all_are_counted():
    faults = FaultRecord()
    for number in range(100):
        faults.add(str(number), ValueError())
    assert faults.total == 100
    assert [fault["where"] for fault in faults.to_list()] == [str(n) for n in range(80, 100)]


def test_an_exception_that_cannot_be_shown_is_kept_all_the_same():
    class Hostile(Exception):
        def __str__(self):
            raise RuntimeError

    faults = FaultRecord()
    faults.add("somewhere", Hostile())
    assert faults.to_list()[0]["what"] == "Hostile"
