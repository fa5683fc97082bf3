from __future__ import annotations

import pytest

from treetap.dap.inside.turn import Turn, hit_condition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        (" ", None),
        ("3", ("==", 3)),
        ("= 3", ("==", 3)),
        ("==3", ("==", 3)),
        (" >= 10 ", (">=", 10)),
        ("<2", ("<", 2)),
        ("%5", ("%", 5)),
    ],
)
def test_a_hit_condition_is_an_operator_and_a_number(text: str, expected: tuple[str, int] | None):
    assert hit_condition(text) == expected


@pytest.mark.parametrize("text", ["often", "3 times", "%0", "-1", "1.5", "> ", "³", "9" * 13])
def test_anything_else_is_no_hit_condition(text: str):
    with pytest.raises(ValueError, match="is no hit condition"):
        hit_condition(text)


@pytest.mark.parametrize(
    ("when", "recorded"),
    [
        ("3", [3]),
        (">3", [4, 5, 6]),
        (">=3", [3, 4, 5, 6]),
        ("<3", [1, 2]),
        ("<=3", [1, 2, 3]),
        ("%3", [3, 6]),
    ],
)
def test_hits_are_counted_from_one(when: str, recorded: list[int]):
    turn = Turn("stream", 0, 0, hit_condition(when))
    assert [number for number in range(1, 7) if not turn.why_not(0)] == recorded


def test_an_interval_begins_with_the_hit_that_is_recorded():
    turn = Turn("sample_interval", 10, 0, None)
    seen = [(now_s, turn.why_not(now_s)) for now_s in (5, 6, 14.9, 15, 24, 25)]
    assert [now_s for now_s, reason in seen if not reason] == [5, 15, 25]


@pytest.mark.parametrize(("rate", "recorded"), [(2, 2), (2.5, 2), (1, 1), (0.5, 1)])
def test_a_throttle_lets_no_more_than_its_rate_through_in_any_second(rate: float, recorded: int):
    turn = Turn("throttle", rate, 0, None)
    times_s = [number / 100 for number in range(1000)]
    passed_s = [now_s for now_s in times_s if not turn.why_not(now_s)]
    for begin_s in times_s[:900]:
        within = [now_s for now_s in passed_s if begin_s <= now_s < begin_s + 0.79]
        assert len(within) <= recorded
    assert len(passed_s) == pytest.approx(rate * 10, abs=1)


def test_a_limit_counts_what_was_recorded_and_not_what_was_skipped():
    turn = Turn("sample", 2, 2, None)
    assert [turn.why_not(0) for _ in range(7)] == [
        "",
        "sample",
        "",
        "max_hits",
        "max_hits",
        "max_hits",
        "max_hits",
    ]
