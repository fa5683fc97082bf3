from __future__ import annotations

import subprocess
import sys

import pytest

import treetap
import treetap.errors

FUNCTIONS = {"init", "status", "wake", "sleep", "shutdown", "pause", "catch_crashes"}
PACKAGES = {"actor", "process"}
ERRORS = {
    "TreetapError",
    "ActorDied",
    "ActorError",
    "AsyncioCancelled",
    "ConfigError",
    "ControlPlaneError",
    "DaemonError",
    "DapError",
    "DebuggerError",
    "ExpressionError",
    "Lagged",
    "LinkError",
    "LocationError",
    "PauseError",
    "PayloadError",
    "ProbeError",
    "RemoteCancelled",
    "RemoteError",
    "StateError",
    "StoreError",
    "SupervisionError",
    "TargetError",
}


def test_the_public_names_are_exactly_these():
    assert set(treetap.__all__) == FUNCTIONS | ERRORS | {"__version__"}
    assert dir(treetap) == sorted({*treetap.__all__, *PACKAGES})


def test_every_public_name_can_be_had():
    for name in treetap.__all__:
        assert getattr(treetap, name) is not None


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_package_is_loaded_when_it_is_first_used(name: str):
    program = (
        "import sys, treetap\n"
        f"assert 'treetap.{name}' not in sys.modules and 'trio' not in sys.modules\n"
        f"assert treetap.{name} is sys.modules['treetap.{name}']\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_a_package_without_its_library_is_an_attribute_that_is_not_there():
    program = (
        "import sys; sys.modules['trio'] = None\n"
        "import treetap\n"
        "assert not hasattr(treetap, 'process')\n"
        "try: treetap.process\n"
        "except AttributeError as exc: print(exc)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert "pip install 'treetap[trio]'" in done.stdout


def test_every_exception_is_public():
    defined = {
        name
        for name, thing in vars(treetap.errors).items()
        if isinstance(thing, type) and issubclass(thing, treetap.errors.TreetapError)
    }
    assert defined == ERRORS


def test_a_name_that_is_not_public_is_an_attribute_error_that_names_it():
    try:
        treetap.no_such_name
    except AttributeError as exc:
        assert "no_such_name" in str(exc)
    else:
        raise AssertionError("no error")
