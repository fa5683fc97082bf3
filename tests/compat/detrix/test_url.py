from __future__ import annotations

import json

from treetap.compat.detrix._url import Url


def test_a_url_is_text_with_parts():
    url = Url("https://user:word@there:8443/a/b?c=1#d")
    assert url == "https://user:word@there:8443/a/b?c=1#d"
    parts = (url.scheme, url.username, url.password, url.host, url.port, url.path, url.query)
    assert parts == ("https", "user", "word", "there", 8443, "/a/b", "c=1")
    assert url.fragment == "d"
    assert json.dumps(url) == f'"{url}"'


def test_a_url_without_a_path_has_one():
    assert Url("http://there:8090") == "http://there:8090/"
    assert Url("https://there").port == 443
    assert Url("http://there").unicode_string() == "http://there/"
