from __future__ import annotations

import pytest

from treetap.api.v1.metric_request import LineOfFile, check_name, location_text
from treetap.errors import LocationError, ProbeError


@pytest.mark.parametrize("name", ["a", "_a", "order_details", "a-b_c-1", "n" * 255, "all_of_it"])
def test_a_name_that_detrix_takes_is_taken(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a--b", "a__b", "ä", "a\n", "ALL", "none", "n" * 256, "-a"]
)
def test_a_name_that_detrix_refuses_is_refused(name):
    with pytest.raises(ProbeError) as raised:
        check_name(name)
    assert raised.value.slug == "metric-name"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("/srv/shop.py", "/srv/shop.py:3"),
        ("./shop.py", "shop.py:3"),
        ("@shop.py", "shop.py:3"),
        ("C:/srv/shop.py", "C:/srv/shop.py:3"),
        ("/srv/my shop/a.py", "/srv/my shop/a.py:3"),
    ],
)
def test_a_location_is_written_as_a_probe_has_it(file, text):
    assert location_text(LineOfFile(file, 3)) == text


@pytest.mark.parametrize(
    ("file", "line"),
    [("", 1), ("  ", 1), ("a\nb.py", 1), ('a.py:"x', 1), ("a.py", 0), ("a.py", -1)],
)
def test_a_location_that_is_none_is_refused(file, line):
    with pytest.raises(LocationError):
        location_text(LineOfFile(file, line))
