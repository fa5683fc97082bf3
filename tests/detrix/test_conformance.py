"""The table of ``docs/detrix.md`` is what the tests declare."""

from __future__ import annotations

from tests.detrix.conformance import (
    BETTER,
    NOT_THERE,
    PAGE,
    SAME,
    SECTIONS,
    Row,
    declared,
    declaring_modules,
    written,
)

CONFORMANCE = [
    Row(
        "gRPC",
        "services of `detrix.v1`",
        NOT_THERE,
        "All of it is in `/api/v1`, `/ws` and `/mcp` as well, but for what Detrix has there only "
        "(`condition`), which `/api/v1` takes here. A second server would be a second thing to guard.",
    ),
]


def test_the_page_has_the_table_of_now():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "write it anew: python -m tests.detrix.conformance"


def test_each_row_is_held_by_a_test_of_its_file():
    for module in declaring_modules():
        for row in module.CONFORMANCE:
            assert row.section in SECTIONS, row
            assert row.verdict in (SAME, BETTER, NOT_THERE), row
            assert row.why or row.verdict == SAME, row
            assert "|" not in row.what + row.why, row
            if row.verdict != NOT_THERE or row.test:
                assert callable(getattr(module, row.test, None)), row


def test_nothing_is_told_twice():
    told = [(row.section, row.what) for _, row in declared()]
    assert sorted(told) == sorted(set(told))
