from __future__ import annotations

import subprocess
import sys

import pytest

#: What detrix-py needs for the same, and what costs a program that sleeps most of what it would pay.
NOT_NEEDED = {
    "httpx",
    "pydantic",
    "debugpy",
    "asyncio",
    "email",
    "http.client",
    "http.server",
    "ssl",
}


def test_a_sleeping_program_loads_nothing_that_is_for_others(tmp_path):
    program = f"""
import sys
before = set(sys.modules)
import treetap.compat.detrix as detrix
detrix.init(name="shop")
loaded = set(sys.modules) - before
detrix.shutdown()
print(*sorted(loaded & set({sorted(NOT_NEEDED)})))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"HOME": str(tmp_path), "TREETAP_HOME": f"{tmp_path}/treetap"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == []


def test_an_unknown_name_is_none():
    from treetap.compat import detrix

    with pytest.raises(AttributeError, match="nonsense"):
        detrix.nonsense


def test_submodules_are_there_without_an_import_of_their_own():
    program = """
import treetap.compat.detrix as detrix
assert set(detrix.__all__) <= set(dir(detrix))
for name in "auth config control daemon debugger errors _generated _operations _state".split():
    assert getattr(detrix, name).__name__ == f"treetap.compat.detrix.{name}", name
assert detrix.daemon.HttpDaemonClient is detrix.HttpDaemonClient
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
