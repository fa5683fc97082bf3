from __future__ import annotations

import pytest

from treetap.api.v1.place import armed_line, place_of, sliced
from treetap.model.status import ProbeStatus

ENGINE = ProbeStatus("p1", "armed", sites=("/srv/my shop/cart.py:17 Cart.add",))
ADAPTER = ProbeStatus("p1", "armed", sites=("/srv/shop.py:43",))
NOWHERE = ProbeStatus("p1", "pending")


@pytest.mark.parametrize(
    ("location", "statuses", "place"),
    [
        ("shop.py:42", [ADAPTER], ("shop.py", 42)),
        ("shop.cart:Cart.add", [NOWHERE, ENGINE], ("/srv/my shop/cart.py", 17)),
        ("shop.cart:Cart.add", [NOWHERE], ("shop.cart:Cart.add", 0)),
        ('shop.py:"total +="', [], ("shop.py", 0)),
        ("", [], ("", 0)),
    ],
)
def test_a_location_is_a_file_and_a_line(location, statuses, place):
    assert place_of(location, statuses) == {"file": place[0], "line": place[1]}


def test_the_armed_line_is_the_first_site_s():
    assert armed_line([NOWHERE, ADAPTER, ENGINE]) == 43
    assert armed_line([NOWHERE]) is None


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (None, [0, 1, 2, 3]),
        ((5, 0), [0, 1, 2, 3]),
        ((1, 1), [0, 3]),
        ((0, 2), [2, 3]),
        ((2, 0), [0, 1]),
        ((0, 0), []),
        ((3, 3), [0, 1, 2, 3]),
    ],
)
def test_a_slice_has_first_and_last_frames_and_none_twice(wanted, left):
    assert sliced([0, 1, 2, 3], wanted) == left
