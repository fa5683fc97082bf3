from __future__ import annotations

import treetap
import treetap.errors

FUNCTIONS = {"init", "status", "wake", "sleep", "shutdown"}
ERRORS = {
    "TreetapError",
    "ActorDied",
    "ActorError",
    "AsyncioCancelled",
    "ConfigError",
    "ControlPlaneError",
    "DaemonError",
    "DebuggerError",
    "ExpressionError",
    "Lagged",
    "LinkError",
    "LocationError",
    "PayloadError",
    "ProbeError",
    "RemoteCancelled",
    "RemoteError",
    "StateError",
    "StoreError",
    "SupervisionError",
}


def test_the_public_names_are_exactly_these():
    assert set(treetap.__all__) == FUNCTIONS | ERRORS | {"__version__"}
    assert dir(treetap) == sorted(treetap.__all__)


def test_every_public_name_can_be_had():
    for name in treetap.__all__:
        assert getattr(treetap, name) is not None


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
