from __future__ import annotations

import pytest

from treetap.cli import target
from treetap.cli.spec import UsageError


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("5678", ("127.0.0.1", 5678)),
        (":5678", ("127.0.0.1", 5678)),
        ("localhost:1", ("localhost", 1)),
        ("db.internal:65535", ("db.internal", 65535)),
        ("[::1]:2345", ("::1", 2345)),
    ],
)
def test_a_place_is_a_port_or_a_host_and_a_port(address, place):
    assert target._place(address) == place


@pytest.mark.parametrize(
    "address", ["", "shop", "shop:", "127.0.0.1:0", "a:65536", "99999", "a:1e3", "a:²"]
)
def test_what_is_no_place_is_told(address):
    with pytest.raises(UsageError, match="no port"):
        target._place(address)


@pytest.mark.parametrize(("names", "over"), [(None, False), (["shop"], True)])
def test_targets_to_remove_are_named_or_those_that_are_over(names, over):
    with pytest.raises(UsageError, match="--over"):
        target.remove(names, over)
