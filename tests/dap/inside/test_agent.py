"""The agent, in this process: what debugpy would evaluate is evaluated here."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from treetap.dap import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

NONCE = "treetap-test "
POINT: dict[str, Any] = {
    "key": 1,
    "expressions": ["value"],
    "condition": "",
    "hit_condition": None,
    "mode": "stream",
    "rate": 0,
    "max_hits": 0,
    "wants_stack": False,
    "wants_locals": False,
    "max_frames": 10,
    "limits": {"max_depth": 2, "max_items": 10, "max_chars": 100, "max_fields": 10},
}


class Program:
    """An agent with small bounds, and a line to be hit."""

    def __init__(self, **bounds: int) -> None:
        self.names: dict[str, Any] = {"__name__": "treetap_dap"}
        for name, text in inside.TEXTS:
            exec(compile(text, name, "exec"), self.names)
        self.names.update(bounds)
        self.agent = self.names["Agent"](NONCE, self.names["Redaction"]().hides)

    def arm(self, **fields: Any) -> None:
        assert self.agent.arm(json.dumps([{**POINT, **fields}])) == "armed"

    def hit(self, value: Any) -> str:
        own = {"value": value, "agent": self.agent}
        return eval("'%s' % (agent.take(1),)", globals(), own)

    def drain(self, max_chars: int = 1_000_000) -> dict[str, Any]:
        return json.loads(self.agent.drain(max_chars))


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program(_BELL_AGAIN_NS=10**18)
    yield made
    made.agent.close()


def numbers_and_values(drained: dict[str, Any]) -> list[tuple[int, Any]]:
    return [(row[1], *row[6]) for row in drained["rows"]]


def test_the_bell_rings_once_until_the_rows_are_fetched(program: Program):
    program.arm()
    assert [program.hit(number) for number in range(3)] == [NONCE, "", ""]
    assert numbers_and_values(program.drain()) == [(0, 0), (1, 1), (2, 2)]
    assert program.hit(3) == NONCE
    assert numbers_and_values(program.drain()) == [(3, 3)]


def test_a_bell_that_nobody_heard_rings_again():
    program = Program(_BELL_AGAIN_NS=0)
    program.arm()
    assert [program.hit(0), program.hit(1)] == [NONCE, NONCE]
    program.agent.close()


def test_what_the_ring_drops_is_a_gap_in_the_numbers():
    program = Program(_MAX_ROWS=3)
    program.arm()
    for number in range(10):
        program.hit(number)
    drained = program.drain()
    assert numbers_and_values(drained) == [(7, 7), (8, 8), (9, 9)]
    assert drained["points"]["1"][:2] == [10, 10]
    program.agent.close()


def test_the_ring_is_bounded_by_what_its_rows_hold():
    program = Program(_MAX_CHARS=10_000)
    program.arm(limits={**POINT["limits"], "max_chars": 4_000})
    for _ in range(10):
        program.hit("x" * 4_000)
    assert program.agent.chars < 10_000
    assert len(program.drain()["rows"]) == 2
    # One that is too large by itself is kept: else it could never be seen.
    program.arm(limits={**POINT["limits"], "max_chars": 20_000})
    program.hit("x" * 20_000)
    assert len(program.drain()["rows"]) == 1
    program.agent.close()


def test_rows_are_fetched_in_portions(program: Program):
    program.arm()
    for number in range(10):
        program.hit(number)
    first = program.drain(max_chars=1)
    assert first["more"]
    assert numbers_and_values(first) == [(0, 0)]
    rest = program.drain()
    assert (rest["more"], len(rest["rows"])) == (False, 9)


def test_what_an_expression_calls_is_not_observed_itself(program: Program):
    program.arm(expressions=["agent.take(1)"])
    program.hit(0)
    assert numbers_and_values(program.drain()) == [(0, "")]


def test_threads_that_hit_at_once_lose_nothing(program: Program):
    program.arm()

    def hit_often() -> None:
        for number in range(500):
            program.hit(number)

    threads = [threading.Thread(target=hit_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drained = program.drain()
    assert [row[1] for row in drained["rows"]] == list(range(2000))
    assert drained["points"]["1"][:2] == [2000, 2000]


def test_a_logpoint_that_was_taken_out_takes_nothing(program: Program):
    program.arm()
    assert program.agent.disarm("[1]") == "disarmed"
    assert (program.hit(1), program.drain()["rows"]) == ("", [])


def test_an_expression_that_ends_a_generator_or_the_program_is_only_an_error(program: Program):
    def fail() -> None:
        raise KeyError("gone")

    program.arm(expressions=["value()", "next(iter([]))", "__import__('sys').exit(3)"])
    program.hit(fail)
    [[_, *values]] = numbers_and_values(program.drain())
    assert [value["type"] for value in values] == ["KeyError", "StopIteration", "SystemExit"]
