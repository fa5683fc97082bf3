from __future__ import annotations

import pytest

from treetap.errors import LinkError
from treetap.link import auth, handshake
from treetap.model.node import NodeIdentity

WHO = NodeIdentity(name="shop", pid=7, start_ns=99)


def shake(*, node_token="", daemon_token="", node_is=auth.SAME_USER, daemon_is=auth.SAME_USER):
    """A whole handshake; ``node_is`` is what the daemon sees, ``daemon_is`` what the node sees."""
    challenge = handshake.challenge(node_is)
    hello = handshake.hello(WHO, challenge, token=node_token)
    identity = handshake.check_hello(hello, challenge, token=daemon_token)
    welcome = handshake.welcome(hello, token=daemon_token, revision=3, probes=[])
    handshake.check_welcome(welcome, hello, standing=daemon_is, token=node_token)
    return identity


def refusal(**sides) -> LinkError:
    with pytest.raises(LinkError) as caught:
        shake(**sides)
    return caught.value


def test_processes_of_one_user_need_no_token():
    assert shake() == WHO


def test_holders_of_one_token_trust_each_other_across_users():
    assert shake(node_token="t", daemon_token="t", node_is="", daemon_is="") == WHO


@pytest.mark.parametrize("tokens", [("", "t"), ("x", "t"), ("x", ""), ("", "")])
def test_a_strange_node_without_the_token_is_refused(tokens):
    error = refusal(node_token=tokens[0], daemon_token=tokens[1], node_is="", daemon_is="")
    assert error.slug == "link-refused"


@pytest.mark.parametrize("tokens", [("", "t"), ("x", "t"), ("x", ""), ("", "")])
def test_a_strange_daemon_without_the_token_is_refused_by_the_node(tokens):
    error = refusal(node_token=tokens[0], daemon_token=tokens[1], daemon_is="")
    assert "daemon" in error.what
    assert error.slug == "link-refused"


def test_the_token_never_crosses_the_link():
    challenge = handshake.challenge("")
    hello = handshake.hello(WHO, challenge, token="s3cret-token")
    welcome = handshake.welcome(hello, token="s3cret-token", revision=0, probes=[])
    assert "s3cret-token" not in f"{challenge}{hello}{welcome}"


def test_a_proof_cannot_be_used_again_nor_sent_back():
    hello = handshake.hello(WHO, handshake.challenge(""), token="t")
    with pytest.raises(LinkError):
        handshake.check_hello(hello, handshake.challenge(""), token="t")
    reflected = {"type": "welcome", "revision": 0, "probes": [], "proof": hello["proof"]}
    with pytest.raises(LinkError):
        handshake.check_welcome(reflected, hello, standing="", token="t")


def test_another_protocol_is_refused_with_both_numbers():
    challenge = handshake.challenge(auth.SAME_USER)
    hello = {**handshake.hello(WHO, challenge, token=""), "protocol": 99}
    with pytest.raises(LinkError, match="99") as caught:
        handshake.check_hello(hello, challenge, token="")
    assert caught.value.slug == "link-protocol"


def test_a_refusal_arrives_with_its_words():
    error = LinkError("No.", "Because.", slug="link-refused")
    with pytest.raises(LinkError) as caught:
        handshake.check_welcome(handshake.refusal(error), {}, standing="", token="")
    assert (caught.value.what, caught.value.hint) == ("No.", "Because.")
    with pytest.raises(LinkError, match="No"):
        handshake.hello(WHO, handshake.refusal(error), token="")


@pytest.mark.parametrize(
    "message",
    [None, 7, [], {}, {"type": "hello"}, {"type": "challenge"}, {"type": "challenge", "nonce": "x"},
     {"type": "challenge", "nonce": 7, "auth": "none"}],
)  # fmt: skip
def test_what_is_no_challenge_is_refused(message):
    with pytest.raises(LinkError):
        handshake.hello(WHO, message, token="")


@pytest.mark.parametrize(
    "node",
    [None, [], {}, {"name": "a", "pid": "7", "start_ns": 1}, {"name": "a", "pid": True, "start_ns": 1},
     {"name": 1, "pid": 1, "start_ns": 1}, {"name": "a", "pid": 1, "start_ns": 1, "host": {}}],
)  # fmt: skip
def test_a_hello_without_a_sound_node_is_refused(node):
    challenge = handshake.challenge(auth.SAME_USER)
    hello = {**handshake.hello(WHO, challenge, token=""), "node": node}
    with pytest.raises(LinkError) as caught:
        handshake.check_hello(hello, challenge, token="")
    assert caught.value.slug == "link-message"


@pytest.mark.parametrize("change", [{"revision": "1"}, {"probes": None}, {"type": "probes"}])
def test_a_malformed_welcome_is_refused(change):
    message = {"type": "welcome", "revision": 1, "probes": [], **change}
    with pytest.raises(LinkError):
        handshake.check_welcome(message, {}, standing=auth.SAME_USER, token="")
