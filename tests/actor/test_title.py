from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from trio.testing import trio_test

from treetap.actor import open_nursery

pytestmark = pytest.mark.usefixtures("home")


async def shown() -> tuple[str, str]:
    """The title of this process, and the short form of it."""
    folder = Path(f"/proc/{os.getpid()}")
    title = (folder / "cmdline").read_bytes().decode().rstrip("\0 ")
    return title, (folder / "comm").read_text(encoding="utf-8").strip()


@pytest.mark.skipif(sys.platform != "linux", reason="titles are read from /proc")
@pytest.mark.parametrize("method", ["warm", "fresh"])
@trio_test
async def test_the_title_of_an_actor_has_its_name(method: str):
    async with open_nursery(start_method=method) as nursery:
        portal = await nursery.start_actor("bob")
        title, short = await portal.run(shown)
        assert title == "treetap: bob"
        assert short == "bob"
