from __future__ import annotations

import json

import pytest

from treetap.cli import feed, outcome, probe, screen


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (61, "1m01s"), (3599, "59m"), (3660, "1h01m"), (90000, "1d01h"), (-3, "0s")],
)  # fmt: skip
def test_a_duration_is_short(seconds, text):
    assert screen.duration_text(seconds) == text


def test_a_table_that_is_piped_cuts_nothing_and_has_no_colours(capsys):
    screen.print_table(("NAME", "COUNT>"), [("x" * 300, "7"), (screen.state_text("awake"), "12")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["x" * 300, "7"]
    assert lines[2].split() == ["awake", "12"]
    assert lines[1].endswith(" 7")
    assert not any("\x1b" in line or line.endswith(" ") for line in lines)


def test_control_characters_of_a_program_do_not_reach_the_terminal(capsys):
    screen.print_table(("NAME",), [("evil\x1b[2J\x9b1m\a",)])
    assert capsys.readouterr().out == "NAME\nevil\\x1b[2J\\x9b1m\\x07\n"


def test_json_is_one_line_and_plain_ascii(capsys):
    screen.print_json({"text": "é\u2028\n\udc80"})
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line) == {"text": "é\u2028\n\udc80"}


HIT = {
    "id": 5, "kind": "hit", "probe": "p1", "probe_name": "", "location": "shop.py:42", "pid": 12, "name": "shop",
    "node": "12-ab", "time_ns": 1_795_253_400_123_000_000, "values": {"total": 7, "user": "ann\x9b"},
}  # fmt: skip


def test_a_hit_is_a_line_with_place_and_values():
    line = feed.EventLines(is_cut=True).line(HIT).plain
    assert line.split("  ")[1:] == ["shop[12]", "p1 shop.py:42", "total=7", "user='ann\\x9b'"]


def test_a_loss_says_how_many():
    line = (
        feed.EventLines(is_cut=True).line({**HIT, "kind": "loss", "lost": 1204, "values": {}}).plain
    )
    assert "lost 1204 values" in line


def test_columns_stay_aligned_as_longer_names_come():
    lines = feed.EventLines(is_cut=True)
    lines.line({**HIT, "name": "a-longer-name"})
    first, second = (lines.line({**HIT, "name": name}).plain for name in ("x", "yy"))
    assert first.index("p1") == second.index("p1")


def test_the_error_of_a_failed_probe_is_shown_with_its_way_out():
    status = {
        "error": ["location-no-code", "shop.py:41 holds no code.", "Nearest lines: 40, 43."],
        "state": "failed",
    }
    assert outcome.status_lines(status) == [
        "shop.py:41 holds no code.",
        "Nearest lines: 40, 43.",
        "[location-no-code]",
    ]


@pytest.mark.parametrize(
    ("states", "is_hopeless"),
    [(["failed"], True), (["failed", "not awake"], True), (["failed", "armed"], False),
     (["failed", "pending"], False), ([], False), (["no word"], False)],
)  # fmt: skip
def test_a_probe_is_hopeless_when_it_failed_and_waits_nowhere(states, is_hopeless):
    found = [outcome.Result("n 1", state, []) for state in states]
    assert outcome.is_hopeless(found) is is_hopeless


def test_skips_are_shown_by_reason():
    assert (
        probe.skipped_text({"condition": 5, "first": 0, "throttle": 1}) == "condition 5, throttle 1"
    )
    assert probe.skipped_text({}) == "0"


def test_what_another_program_reads_is_not_cut():
    long = "x" * 500
    event = {**HIT, "name": long, "probe_name": long, "values": {"text": long}}
    assert feed.EventLines(is_cut=False).line(event).plain.count(long) == 3
    assert long not in feed.EventLines(is_cut=True).line(event).plain
