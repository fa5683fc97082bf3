from __future__ import annotations

import pytest

from treetap.link.browser import host_name, is_host_allowed, is_origin_allowed


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:80", "localhost:1", "LOCALHOST", "[::1]", "[::1]:80", "127.8.8.8"],
)
def test_loopback_is_allowed_by_any_of_its_names(host):
    assert is_host_allowed(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example",
     "[::1", "127.0.0.1:x", "127.0.0.1:80:80", "0.0.0.0", "10.0.0.1", "2130706433", "0x7f.1",
     "127.0.0.1@evil.example", "evil.example#127.0.0.1", "[::1]x"],
)  # fmt: skip
def test_other_names_are_not(host):
    assert not is_host_allowed(host)


def test_a_configured_name_is_allowed_whatever_its_case():
    assert is_host_allowed("Shop.Example:80", ("shop.example",))
    assert not is_host_allowed("", ("",))


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1", "file://"])
def test_an_origin_is_refused_if_it_is_not_ours(origin):
    assert not is_origin_allowed(origin)


def test_no_origin_and_our_own_are_allowed():
    assert is_origin_allowed("")
    assert is_origin_allowed("http://127.0.0.1:8090", ("http://127.0.0.1:8090",))


def test_the_port_is_no_part_of_the_name():
    assert host_name("Shop.example:80") == "shop.example"
    assert host_name("[2001:db8::1]:80") == "2001:db8::1"
