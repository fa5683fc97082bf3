from __future__ import annotations

import pickle

import pytest

import treetap.errors
from treetap.errors import LocationError, TreetapError

CLASSES = [
    thing
    for thing in vars(treetap.errors).values()
    if isinstance(thing, type) and issubclass(thing, TreetapError)
]


def test_an_error_says_what_why_and_which_page():
    error = LocationError(
        "No code there.", "Lines that have some:\n40, 43", slug="location-no-code"
    )
    assert str(error) == "No code there.\n  Lines that have some:\n  40, 43\n  [location-no-code]"
    assert error.line == "No code there. Lines that have some: 40, 43 [location-no-code]"


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_without_a_slug_has_its_class_s(kind: type[TreetapError]):
    error = kind("What.")
    assert error.line == f"What. [{kind.slug}]"
    assert error.hint == ""


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_crosses_processes(kind: type[TreetapError]):
    again = pickle.loads(pickle.dumps(kind("What.", "Why.", slug="some-page")))
    assert type(again) is kind
    assert (again.what, again.hint, again.slug) == ("What.", "Why.", "some-page")
