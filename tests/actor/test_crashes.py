from __future__ import annotations

import os
import sys

import pytest
import trio
import trio.testing

from tests.actor import processes as act
from treetap.actor import crashes, open_nursery
from treetap.actor.failure import box, unbox
from treetap.actor.identity import ActorId

pytestmark = pytest.mark.usefixtures("home")

ME = ActorId("me", 1, "here", "tree", "uid")


def crossed(exc: BaseException) -> Exception:
    return unbox(box(exc), ME)


def test_that_somebody_has_looked_at_an_error_crosses_with_it():
    seen, unseen = ValueError("seen"), ValueError("unseen")
    seen.__treetap_seen__ = True
    assert crashes.was_seen(crossed(seen))
    assert crashes.was_seen(crossed(crossed(seen)))
    assert not crashes.was_seen(crossed(unseen))
    group = crossed(ExceptionGroup("both", [seen, unseen]))
    assert [crashes.was_seen(one) for one in group.exceptions] == [True, False]


@pytest.mark.parametrize("debug", [None, 1, "all", "True"])
def test_debug_is_one_of_three(debug):
    with pytest.raises(ValueError, match="debug can't be"):
        crashes.checked(debug)


def test_a_nursery_refuses_what_is_no_debug():
    async def main() -> None:
        async with open_nursery(debug="all"):
            pass

    with pytest.raises(ValueError, match="debug can't be 'all'"):
        trio.run(main)


def test_breakpoint_is_ours_in_the_root_while_a_nursery_with_debug_is_open(monkeypatch):
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    seen = []

    async def main() -> None:
        async with open_nursery():
            seen.append(os.environ.get("PYTHONBREAKPOINT"))
            async with open_nursery(debug=True):
                seen.append(os.environ.get("PYTHONBREAKPOINT"))
                async with open_nursery(debug="each"):
                    pass
                seen.append(os.environ.get("PYTHONBREAKPOINT"))
            seen.append(os.environ.get("PYTHONBREAKPOINT"))

    trio.run(main)
    assert seen == [None, "treetap.debug.pause", "treetap.debug.pause", None]


def test_a_breakpoint_of_the_users_choice_stays(monkeypatch):
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")

    async def main() -> str | None:
        async with open_nursery(debug=True):
            return os.environ.get("PYTHONBREAKPOINT")

    assert trio.run(main) == "0"


async def what_is_loaded() -> list[str]:
    return [name for name in sys.modules if name.startswith(("treetap.debug", "pdb"))]


async def what_breakpoint_is() -> str | None:
    return os.environ.get("PYTHONBREAKPOINT")


async def call_below() -> list[list[str]]:
    async with open_nursery() as nursery:
        return [await what_is_loaded(), await nursery.run(what_is_loaded)]


@trio.testing.trio_test
async def test_a_tree_that_never_pauses_loads_nothing_of_the_debugger():
    async with open_nursery(debug=True) as nursery:
        assert await nursery.run(call_below) == [[], []]
        portal = await nursery.start_actor("worker")
        assert await portal.run(what_breakpoint_is) == "treetap.debug.pause"
        with pytest.raises(TypeError):
            # Refused by the annotations, and no crash of a function's.
            await portal.run(act.add, 1, 2, 3)  # type: ignore[call-arg]
        await portal.cancel()
        assert await nursery.run(call_below) == [[], []]
