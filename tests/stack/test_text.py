from __future__ import annotations

from treetap.stack import text


def task(depth: int, name: str, **more):
    row = {"depth": depth, "nursery": 0, "name": name, "state": "waits", "is_cancelled": False}
    return {**row, "frames": [["prog.py", 3, name]], **more}


def shown(*tasks, left_out=0, threads=()):
    loop = {"kind": "trio", "thread": 7, "tasks": list(tasks), "left_out": left_out}
    return list(text.lines({"threads": list(threads), "loops": [loop], "faults": []}))


def test_a_tree_is_drawn_with_the_lines_that_lead_to_later_siblings():
    assert shown(
        task(0, "top"),
        task(1, "a", state="runs"),
        task(2, "deep", is_cancelled=True),
        task(1, "b", nursery=1),
    ) == [
        "trio, not running: 4 tasks",
        "└─ top",
        "   │  prog.py:3 in top",
        "   ├─ a (runs)",
        "   │  │  prog.py:3 in a",
        "   │  └─ deep (cancelled)",
        "   │        prog.py:3 in deep",
        "   └─ b, nursery 2",
        "         prog.py:3 in b",
    ]


def test_what_was_left_out_is_counted():
    assert shown(task(0, "one"), left_out=2)[0::3] == [
        "trio, not running: 3 tasks",
        "   and 2 more",
    ]


def test_a_task_that_waits_is_told_without_trios_inside_and_a_thread_without_its_foot():
    core = ["/lib/trio/_core/_traps.py", 9, "wait"]
    lines = shown(
        task(0, "one", frames=[["prog.py", 3, "one"], core, core]),
        threads=[
            {"id": 7, "name": "t", "is_daemon": False, "at": "is at the prompt",
             "frames": [["/lib/threading.py", 1, "run"], ["prog.py", 4, "work"]]}
        ],
    )  # fmt: skip
    assert lines == [
        "thread t (is at the prompt)",
        "   prog.py:4 in work",
        "trio, in t: 1 task",
        "└─ one",
        "      prog.py:3 in one",
    ]
