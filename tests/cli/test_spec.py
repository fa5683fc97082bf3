from __future__ import annotations

import time

import pytest

from treetap.cli import spec


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("45s", 45), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("250ms", 0.25),
     ("1.5h", 5400), ("never", 0), ("0", 0), (" 10M ", 600)],
)  # fmt: skip
def test_a_duration_is_read(text, seconds):
    assert spec.duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "10 m", "-5s", "5x", "m", "1h 30m"])
def test_what_is_no_duration_is_refused_with_examples(text):
    with pytest.raises(spec.UsageError, match="1h30m"):
        spec.duration_s(text)


def test_a_duration_as_a_moment_is_that_long_ago():
    assert spec.moment_ns("10m") == pytest.approx((time.time() - 600) * 1e9, abs=5e9)


def test_a_full_date_with_a_zone_is_a_moment():
    assert spec.moment_ns("2026-11-21T09:30:00+00:00") == 1_795_253_400_000_000_000


def test_a_long_number_is_seconds_since_the_epoch():
    assert spec.moment_ns("1795253400.5") == 1_795_253_400_500_000_000


def test_a_time_of_day_is_today():
    moment = time.localtime(spec.moment_ns("9:30") / 1e9)
    assert (moment.tm_hour, moment.tm_min) == (9, 30)
    assert moment.tm_yday == time.localtime().tm_yday


@pytest.mark.parametrize("text", ["yesterday", "25:99", "", "2026-13-01"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(spec.UsageError, match="point in time"):
        spec.moment_ns(text)


@pytest.mark.parametrize(
    ("text", "location", "expressions"),
    [
        ("app.py:42", "app.py:42", []),
        ("app.py:42 order.total len(items)", "app.py:42", ["order.total", "len(items)"]),
        ("app.py:42  f(a, b)  x", "app.py:42", ["f(a, b)", "x"]),
        ('app.py:"total += price" total', 'app.py:"total += price"', ["total"]),
        ("app.py:42 headers['A B'] x", "app.py:42", ["headers['A B']", "x"]),
        ('app.py:42 "a + b" c', "app.py:42", ["a + b", "c"]),
        ('"my dir/app.py:42" x', "my dir/app.py:42", ["x"]),
        ("a.b:C.m [x for x in y] {1: 2}", "a.b:C.m", ["[x for x in y]", "{1: 2}"]),
        ("a:f d[')'] e", "a:f", ["d[')']", "e"]),
        ("a.py:1\0a + b\0c", "a.py:1", ["a + b", "c"]),
    ],
)
def test_a_probe_in_one_text_is_split(text, location, expressions):
    assert spec.split_probe(text) == (location, expressions)


@pytest.mark.parametrize("text", ["", "   ", "app.py:42 f(a", "app.py:42 'x"])
def test_a_probe_that_can_not_be_split_is_refused(text):
    with pytest.raises(spec.UsageError):
        spec.split_probe(text)
