from __future__ import annotations

import pytest

from treetap.config import checks


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://127.0.0.1:8090//", "http://127.0.0.1:8090"),
        ("HTTPS://daemon.example/prefix/", "https://daemon.example/prefix"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://[::1]", "http://[::1]"),
        ("http://shop", "http://shop"),
    ],
)
def test_a_url_is_taken_without_trailing_slashes(given, url):
    assert checks.url(given) == url


@pytest.mark.parametrize(
    "given",
    ["", "http://", "http:///x", "http://:80", "http://a:b", "http://a:99999", "http://u@a",
     "http://a?b", "http://a#b", "http://a b", "file:///etc/passwd", 7, None],
)  # fmt: skip
def test_what_is_no_url_is_refused(given):
    with pytest.raises((ValueError, TypeError)):
        checks.url(given)


@pytest.mark.parametrize("given", ["1", "true", "YES", "on", True])
def test_a_switch_is_on(given):
    assert checks.switch(given) is True


@pytest.mark.parametrize("given", ["0", "false", "No", "off", False])
def test_a_switch_is_off(given):
    assert checks.switch(given) is False


def test_an_ipv6_host_is_taken_with_and_without_brackets():
    assert checks.host("[::1]") == checks.host("::1") == "::1"


def test_paths_are_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checks.directory("sub") == str(tmp_path / "sub")
    assert checks.existing_directory(tmp_path) == str(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="not a directory"):
        checks.directory(tmp_path / "file")
    assert checks.existing_file("file") == str(tmp_path / "file")


def test_text_has_no_control_characters():
    with pytest.raises(ValueError, match="control"):
        checks.text("a\x1b[31m")


@pytest.mark.parametrize(
    ("given", "limit_s"),
    [("0", 0.0), (0, 0.0), (0.0, 0.0), ("0.5", 0.5), (28800, 28800.0), ("604800", 604800.0)],
)
def test_a_limit_may_be_none_or_long(given, limit_s):
    assert checks.limit(given) == limit_s


@pytest.mark.parametrize("given", [-1, "-1", "604801", "inf", "nan", "soon", None, True])
def test_what_is_no_limit_is_refused(given):
    with pytest.raises((ValueError, TypeError)):
        checks.limit(given)


@pytest.mark.parametrize("given", ["", "sqlite:////tmp/a.db", "postgresql://me@host/name"])
def test_a_database_is_one_of_two_kinds(given):
    assert checks.database(f" {given} ") == given


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("mysql://foo", "sqlite:////absolute/path.db"),
        ("treetap.db", "sqlite:////absolute/path.db"),
        ("postgresql+nodriver://me@host/name", "not installed"),
    ],
)
def test_a_database_that_no_daemon_could_use_is_told_before_one_ends_for_it(given, why):
    with pytest.raises(ValueError, match=why):
        checks.database(given)
