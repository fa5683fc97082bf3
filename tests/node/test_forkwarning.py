from __future__ import annotations

import warnings

from treetap.node import forkwarning

TEXT = "This process (pid=7) is multi-threaded, use of fork() may lead to deadlocks in the child."


def test_one_warning_is_left_out_and_the_next_is_not():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        forkwarning.leave_one_out()
        warnings.warn(TEXT, DeprecationWarning, stacklevel=1)
        assert caught == []
        assert warnings.filters == filters
        warnings.warn(TEXT, DeprecationWarning, stacklevel=1)
        assert len(caught) == 1


def test_another_deprecation_is_told_all_the_same():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        forkwarning.leave_one_out()
        warnings.warn("something else", DeprecationWarning, stacklevel=1)
        forkwarning.forget()
    assert len(caught) == 1


def test_a_filter_that_nobody_asked_is_taken_away():
    with warnings.catch_warnings():
        filters = list(warnings.filters)
        forkwarning.leave_one_out()
        forkwarning.leave_one_out()
        assert len(warnings.filters) == len(filters) + 1
        forkwarning.forget()
        forkwarning.forget()
        assert warnings.filters == filters
