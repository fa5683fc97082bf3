from __future__ import annotations

import pytest

from treetap.cli import ps, screen

ANSWERED = "at the prompt 3m12s, answered by ann on /dev/pts/12 (81234)"
WAITS = "waits 46s, 2nd in the queue"
ROWS = [
    ("three.py", "4711", screen.state_text("sleeping"), "20s", "0", "three.py --all " + "x" * 45),
    ("├─ ForkPoolWorker-1", "4194301", screen.state_text("no answer"), "12m", "0", "three.py"),
    ("└─ ForkPoolWorker-2", "4194302", screen.state_text("sleeping"), "1h01m", "12", "three.py"),
]


def shown(columns, texts):
    lines = list(ps._lines(ROWS, texts, columns))
    assert all(len(line) <= columns for line in lines)
    return lines


@pytest.mark.parametrize("columns", [60, 80, 110, 160])
@pytest.mark.parametrize("texts", [{"4194301": ANSWERED, "4194302": WAITS}, {"4194302": WAITS}, {}])
def test_names_pids_states_and_who_waits_are_whole_on_any_screen(columns, texts):
    header, *lines = shown(columns, texts)
    assert header.split()[:5] == ["NODE", "PID", "STATE", "AGE", "PROBES"]
    rows = [line for line in lines if not line.startswith("     ")]
    for line, row in zip(rows, ROWS, strict=True):
        for whole in (row[0], row[1], str(row[2]), row[3]):
            assert whole in line
    text = " ".join(" ".join(lines).split())
    for said in texts.values():
        assert said in text
    if columns > 60:
        assert "PROGRAM" in header
        assert "three.py" in rows[1]


def test_who_waits_is_told_in_a_column_where_there_is_room_and_else_below_its_row():
    texts = {"4194302": WAITS}
    wide, narrow = shown(110, texts), shown(80, texts)
    assert "TERMINAL" in wide[0]
    assert WAITS in wide[3]
    assert len(wide) == 4
    assert "TERMINAL" not in narrow[0]
    assert narrow[4] == "     " + WAITS


def test_names_and_pids_stay_where_nothing_else_has_room():
    lines = list(ps._lines(ROWS, {"4711": "at the prompt 2s"}, 20))
    assert lines == [
        "NODE                     PID",
        "three.py                4711",
        "     at the prompt",
        "     2s",
        "├─ ForkPoolWorker-1  4194301",
        "└─ ForkPoolWorker-2  4194302",
    ]


def test_what_a_program_calls_itself_has_no_control_over_the_screen():
    rows = [("x\x1b[2J", "1", "sleeping", "1s", "0", "y\x9b" * 30)]
    for columns in (40, 60, 200):
        assert not {"\x1b", "\x9b"} & set("".join(ps._lines(rows, {"1": "a\x1b" * 20}, columns)))
