from __future__ import annotations

import pytest

from treetap.errors import LocationError
from treetap.model.location import Location, parse_location


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("shop.py:42", Location(file="shop.py", line=42)),
        (" app/shop.py:1 ", Location(file="app/shop.py", line=1)),
        ('shop.py:"total += price"', Location(file="shop.py", text="total += price")),
        ("shop.py:'a: b'", Location(file="shop.py", text="a: b")),
        ("shop.cart:Cart.add", Location(module="shop.cart", qualname="Cart.add")),
        ("m:f.<locals>.g", Location(module="m", qualname="f.<locals>.g")),
    ],
)
def test_the_three_forms(text: str, location: Location):
    assert parse_location(text) == location
    assert parse_location(str(location)) == location


@pytest.mark.parametrize(
    "text",
    ["", "shop.py", "shop.py:", ":42", "shop.py:0", 'shop.py:"open', "m:2x", "m:a b", "shop.py:''"],
)
def test_what_has_none_of_the_forms_says_what_to_write(text: str):
    with pytest.raises(LocationError) as caught:
        parse_location(text)
    assert caught.value.slug == "location-syntax"
    assert "file.py:42" in caught.value.hint


def test_a_function_named_by_its_file_is_told_the_module():
    with pytest.raises(LocationError, match="named by its module") as caught:
        parse_location("app/shop.py:Cart.add")
    assert "app.shop:Cart.add" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "filename", "is_match"),
    [
        ("shop.py", "/srv/app/shop.py", True),
        ("app/shop.py", "/srv/app/shop.py", True),
        ("app/shop.py", "/srv/myapp/shop.py", False),
        ("shop.py", "/srv/myshop.py", False),
        ("./shop.py", "/srv/shop.py", True),
        ("app//shop.py", "/srv/app/shop.py", True),
        ("app\\shop.py", "C:\\srv\\app\\shop.py", True),
        ("/srv/app/shop.py", "/srv/app/shop.py", True),
        ("srv/shop.py", "/srv/app/shop.py", False),
        ("", "/srv/shop.py", False),
        ("a.py", "/dir/a.py", True),
    ],
)
def test_a_file_is_matched_by_the_end_of_its_path_part_by_part(
    file: str, filename: str, is_match: bool
):
    assert Location(file=file, line=1).matches_file(filename) is is_match
