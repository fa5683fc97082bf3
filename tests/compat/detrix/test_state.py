from __future__ import annotations

import pytest

from treetap.compat import detrix
from treetap.compat.detrix import _state, control
from treetap.compat.detrix._state import ClientState, State, get_state, reset_state


@pytest.fixture(autouse=True)
def end(bare_environment):
    yield
    reset_state()


def test_a_state_of_ones_own_is_a_record_with_defaults():
    state = ClientState()
    assert (state.state, state.name, state.verify_ssl) == (State.SLEEPING, "", True)
    with state.lock, state.lock:
        state.state = State.AWAKE
    assert state.state is State.AWAKE
    assert ClientState(name="x").name == "x"
    with pytest.raises(TypeError, match="nonsense"):
        ClientState(nonsense=1)
    with pytest.raises(AttributeError, match="nonsense"):
        state.nonsense = 1


def test_the_processs_state_is_the_nodes():
    assert detrix.status()["name"] == ""
    detrix.init(name="shop", register_timeout=7.0)
    state = get_state()
    assert state is get_state()
    assert (state.name, state.state, state.register_timeout) == ("shop", State.SLEEPING, 7.0)
    assert state.actual_control_port == detrix.status()["control_port"] > 0
    with pytest.raises(AttributeError, match="the node's"):
        state.state = State.AWAKE
    state.daemon_url = "http://127.0.0.1:1"
    assert detrix.status()["daemon_url"] == "http://127.0.0.1:1"
    reset_state()
    assert get_state() is not state
    assert _state.shown()["control_port"] == 0


def test_a_control_plane_without_init_has_what_the_state_says():
    get_state().name = "shop"
    port = control.start_control_server("127.0.0.1", 0)
    assert port == control.start_control_server("127.0.0.1", 0) == detrix.status()["control_port"]
    assert detrix.status()["name"] == "shop"
    control.stop_control_server()
    control.stop_control_server()
    assert detrix.status()["control_port"] == 0
