from __future__ import annotations

import difflib

import pytest

from treetap.daemon.diffing import read_diff
from treetap.errors import ProbeError

OLD = """\
def total(order):
    price = order.price
    if price > 3:
        price -= 1
    return price


def other():
    x = 1
"""
NEW = """\
def total(order):
    price = order.price
    print("price", price)
    if price > 3:
        price -= 1
        print(order.name)
    print("here")
    return price


def other():
    x = 1
    print(x)
"""


def diff(name="shop.py"):
    return "".join(
        difflib.unified_diff(
            OLD.splitlines(True), NEW.splitlines(True), f"a/{name}", f"b/{name}", n=9
        )
    )


def lines(reading):
    return [(each.line, each.expressions, bool(each.complaint)) for each in reading.observed]


def test_of_an_applied_diff_the_added_lines_are_observed(tmp_path):
    (tmp_path / "shop.py").write_text(NEW)
    reading = read_diff(diff(), [str(tmp_path)])
    assert lines(reading) == [
        (3, ["price"], False),
        (6, ["order.name"], False),
        (7, [], True),
        (13, ["x"], False),
    ]
    assert reading.observed[0].file == "shop.py"
    assert reading.observed[0].code == 'print("price", price)'
    assert reading.warnings == []


def test_of_one_that_is_not_applied_the_lines_that_would_follow(tmp_path):
    (tmp_path / "shop.py").write_text(OLD)
    reading = read_diff(diff(), [str(tmp_path)])
    assert lines(reading) == [
        (3, ["price"], False),
        # After it comes `return`, which is reached without the block, too.
        (0, ["order.name"], True),
        (5, [], True),
        (0, ["x"], True),
    ]


def test_a_file_that_isn_t_there_or_is_another_is_told(tmp_path):
    reading = read_diff(diff(), [str(tmp_path)])
    assert lines(reading)[0] == (3, ["price"], False)
    assert reading.observed[0].file == "shop.py"
    assert "isn't on the daemon's disk" in reading.warnings[0]
    (tmp_path / "shop.py").write_text("other\n")
    assert "neither" in read_diff(diff(), [str(tmp_path)]).warnings[0]


def test_a_removed_file_has_nothing_to_observe():
    text = "--- a/shop.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-print(a)\n"
    assert read_diff(text).observed == []


@pytest.mark.parametrize(
    "text",
    ["", "no diff", "--- a/x.py\n+++ b/x.py\n@@ -1,5 +1,9 @@\n a\n", "x" * (512 * 1024 + 1)],
)
def test_what_is_no_diff_is_refused(text):
    with pytest.raises(ProbeError) as caught:
        read_diff(text)
    assert caught.value.slug == "diff-syntax"
