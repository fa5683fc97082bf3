from __future__ import annotations

import gc
import socket
import threading
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import trio_test, wait_all_tasks_blocked

from tests.actor.pair import ScopedPeer, open_pair
from treetap.actor import message
from treetap.actor.context import Context
from treetap.actor.identity import ActorId
from treetap.actor.message import FROM_CALLEE, HEADER
from treetap.actor.peer import Peer
from treetap.errors import ActorDied, ActorError, RemoteCancelled

STRANGER = ActorId("stranger", 1, "moon", "tree", "u1")

#: What the functions did; the other end is in this process too.
done: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_done():
    done.clear()


async def add(a: int, b: int) -> int:
    return a + b


async def sleep() -> None:
    done.append("begun")
    try:
        await trio.sleep_forever()
    finally:
        done.append("ended")


async def linger(ctx: Context[int, int, None]) -> None:
    await ctx.started(None)
    async with ctx.open_stream() as stream:
        async for value in stream:
            done.append(value)


def frame(kind: int, number: int, content: Any = b"", *, raw: bool = False) -> bytes:
    body = content if raw or content == b"" else msgspec.msgpack.encode(content)
    return HEADER.pack(len(body) + 5, kind, number) + body


HELLO = frame(message.HELLO, 0, message.Hello(message.PROTOCOL, STRANGER))


# The end of a channel.


@trio_test
async def test_both_sides_know_who_is_at_the_other_end():
    async with open_pair() as (near, far):
        assert near.portal.actor == far.local
        await near.portal.run(add, 1, 2)
        assert far.remote == near.local
        assert str(near.remote).startswith("far (pid ")


@trio_test
async def test_a_known_remote_need_not_be_waited_for():
    ours, theirs = socket.socketpair()
    with theirs:
        async with trio.open_nursery() as nursery:
            peer = Peer(ours, local=STRANGER, remote=ActorId.here("child", "tree"))
            portal = await nursery.start(peer.serve)
            assert portal.actor.name == "child"
            nursery.cancel_scope.cancel()


@trio_test
async def test_one_that_goes_without_a_word_leaves_a_portal_that_says_so():
    ours, theirs = socket.socketpair()
    theirs.close()
    async with trio.open_nursery() as nursery:
        portal = await nursery.start(Peer(ours, local=STRANGER).serve)
        with pytest.raises(ActorDied, match="never said its name"):
            await portal.run(add, 1, 2)


def test_one_that_has_not_said_its_name_has_none():
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ActorError, match="not said yet"):
        Peer(ours, local=STRANGER).remote


@trio_test
async def test_serving_ends_when_the_other_side_does_and_raises_nothing():
    ours, theirs = socket.socketpair()
    near = Peer(ours, local=ActorId.here("near", "tree"))
    far = ScopedPeer(theirs, local=ActorId.here("far", "tree"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(near.serve)
        nursery.start_soon(far.serve)
        await wait_all_tasks_blocked()
        far.scope.cancel()


async def cancel_when_begun(scope: trio.CancelScope) -> None:
    while not done:
        await trio.sleep(0)
    scope.cancel()


@trio_test
async def test_the_end_of_the_connection_ends_all_that_waits_for_it():
    async with open_pair() as (near, far):
        errors: list[Exception] = []

        async def wait(operation, *args) -> None:
            try:
                await operation(*args)
            except ActorDied as exc:
                errors.append(exc)

        async def wait_in_a_context() -> None:
            async with near.portal.open_context(linger):
                await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(wait, near.portal.run, sleep)
                nursery.start_soon(wait, wait_in_a_context)
            nursery.start_soon(near.request_cancel)  # far refuses
            await wait_all_tasks_blocked()
            assert len(far._incoming) == 6
            far._pipe._sock.shutdown(socket.SHUT_RDWR)
        assert len(errors) == len({id(exc) for exc in errors}) == 6
        assert await near.request_cancel() == "gone"
        await wait_all_tasks_blocked()
        assert done.count("ended") == 3
        with pytest.raises(ActorDied):
            await near.portal.run(add, 1, 2)


@trio_test
async def test_whoever_knows_why_the_other_side_is_gone_is_asked_once():
    asked = []

    async def explain() -> ActorDied:
        asked.append(1)
        await trio.sleep(0.02)
        error = ActorDied("child was killed by SIGKILL", "The kernel did it.", slug="actor-died")
        error.uid = "u7"
        error.add_note("a note")
        return error

    async with open_pair(near={"explain": explain}) as (near, far):
        far._pipe._sock.shutdown(socket.SHUT_RDWR)
        for _ in range(2):
            with pytest.raises(ActorDied, match="killed by SIGKILL") as caught:
                await near.portal.run(add, 1, 2)
            assert caught.value.hint == "The kernel did it."
            assert caught.value.uid == "u7"
            assert caught.value.__notes__ == ["a note"]
    assert asked == [1]


@trio_test
async def test_an_explanation_that_fails_is_replaced_by_a_plain_one(caplog):
    async def explain() -> ActorDied:
        raise RuntimeError("nobody knows")

    async with open_pair(near={"explain": explain}) as (near, far):
        far._pipe._sock.shutdown(socket.SHUT_RDWR)
        with pytest.raises(ActorDied, match="connection to far"):
            await near.portal.run(add, 1, 2)
    assert "nobody knows" in caplog.text


@trio_test
async def test_cancelling_serve_leaves_no_task_no_thread_and_no_socket():
    tasks = count_tasks()
    threads = threading.active_count()
    for _ in range(3):
        async with open_pair() as (near, far), trio.open_nursery() as nursery:
            nursery.start_soon(ignore_end, near.portal.run, sleep)
            nursery.start_soon(ignore_end, far.portal.run, sleep)
            await wait_all_tasks_blocked()
            near.scope.cancel()
            far.scope.cancel()
        assert near._pipe._sock.fileno() == far._pipe._sock.fileno() == -1
    assert count_tasks() == tasks
    assert threading.active_count() <= threads  # trio's own end when they were idle for a while
    assert done.count("begun") == done.count("ended") == 6


def count_tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def ignore_end(operation, *args) -> None:
    try:
        await operation(*args)
    except ActorError:
        pass


ends: list[Peer] = []


async def ask_back_when_cancelled() -> None:
    done.append("begun")
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            done.append(await ends[0].portal.run(add, 1, 2))


@trio_test
async def test_a_task_that_is_cancelled_by_the_end_can_still_have_an_answer():
    async with open_pair() as (near, far), trio.open_nursery() as nursery:
        ends[:] = [far]
        nursery.start_soon(ignore_end, near.portal.run, ask_back_when_cancelled)
        await cancel_when_begun(far.scope)
    ends.clear()
    assert done == ["begun", 3]


async def call_and_wait() -> None:
    done.append("begun")
    await ends[0].portal.run(sleep)


@trio_test
async def test_cancelling_serve_does_not_wait_out_a_grace():
    async with open_pair(far={"cancel_grace_s": 30}) as (near, far), trio.open_nursery() as nursery:
        ends[:] = [far]
        nursery.start_soon(ignore_end, near.portal.run, call_and_wait)
        await cancel_when_begun(far.scope)
        with trio.fail_after(10):
            while far._pipe._sock.fileno() >= 0:
                await trio.sleep(0.01)
    ends.clear()
    assert done == ["begun", "begun", "ended"]


@trio_test
async def test_the_far_end_is_told_before_the_channel_is_closed():
    async with open_pair() as (near, far), trio.open_nursery() as nursery:
        nursery.start_soon(cancel_when_begun, far.scope)
        with pytest.raises(RemoteCancelled, match=r"far .* is ending"):
            await near.portal.run(sleep)


@trio_test
async def test_a_channel_whose_reader_is_stuck_is_closed_all_the_same():
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(HELLO)
        begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            peer = Peer(ours, local=STRANGER)
            await nursery.start(peer.serve)
            peer.sender.put(message.CALL, 1, bytes(10_000_000))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - begun < 20


@trio_test
async def test_a_channel_is_served_once():
    async with open_pair() as (near, _):
        with pytest.raises(ActorError, match="called before"):
            await Peer.serve(near)


async def interrupt() -> None:
    raise KeyboardInterrupt


@trio_test
async def test_a_ctrl_c_in_a_called_function_reaches_the_program():
    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_pair() as (near, _):
            await ignore_end(near.portal.run, interrupt)
            await trio.sleep_forever()
    assert caught.value.subgroup(KeyboardInterrupt) is not None
    assert caught.value.split(KeyboardInterrupt)[1] is None


# Ending the actor.


@trio_test
async def test_an_actor_is_asked_to_end_and_answers_at_once():
    asked = []
    far = {"on_cancel_actor": lambda: asked.append(1)}
    async with open_pair(far=far) as (near, other):
        assert await near.request_cancel() == "accepted"
        assert asked == [1]
        assert "near" in other.why_ending()
        assert "asked the actor to end" in other.why_ending()
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(near.portal.cancel)
        assert len(asked) == 6


@trio_test
async def test_asking_one_that_can_not_be_ended_is_an_error_and_one_that_is_gone_is_none():
    async with open_pair() as (near, far):
        with pytest.raises(ActorError, match=r"far .* isn't ended: it is a program, the root"):
            await near.portal.cancel()
        far.scope.cancel()
        await wait_all_tasks_blocked()
        await near.portal.cancel()
    async with open_pair() as (near, far):
        far.scope.cancel()
        # Whether it has heard that before it has ended or not.
        assert await near.request_cancel() in ("refused", "gone")
        await wait_all_tasks_blocked()
        assert await near.request_cancel() == "gone"


# What is hostile, or torn.


async def outcome_of(said: bytes, *, close: bool = True) -> Peer:
    """Serve a channel whose other end says ``said``, with calls of ours under way."""
    ours, theirs = socket.socketpair()
    peer = Peer(ours, local=ActorId.here("victim", "tree"), cancel_grace_s=0.01)
    ended: list[str] = []

    async def run() -> None:
        try:
            await peer.portal.run(sleep)
        except Exception as exc:
            ended.append(type(exc).__name__)

    async def enter() -> None:
        try:
            async with peer.portal.open_context(linger) as (ctx, _), ctx.open_stream() as stream:
                async for _ in stream:
                    pass
        except Exception as exc:
            ended.append(type(exc).__name__)

    with theirs, trio.fail_after(20):
        theirs.settimeout(10)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)  # it is call 1
            await wait_all_tasks_blocked()
            nursery.start_soon(enter)
            nursery.start_soon(peer.serve)
            await wait_all_tasks_blocked()
            try:
                await trio.to_thread.run_sync(theirs.sendall, said)
                if close:
                    theirs.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has hung up on us, with reason
    assert peer._pipe._sock.fileno() == -1
    assert not peer._outgoing
    # A context may have ended well, by what was said.
    assert len(ended) >= 1
    return peer


HOSTILE = {
    "nothing": b"",
    "no greeting": frame(message.CALL, 1, ["os", "getpid", 1, [], {}]),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a huge length": b"\xff\xff\xff\xff" + bytes(100),
    "a length of nothing": bytes(100),
    "half a header": HELLO + b"\0\0",
    "half a frame": HELLO + frame(message.CALL, 1, ["os", "getpid", 1, [], {}])[:-3],
    "two greetings": HELLO + HELLO,
    "another version": frame(message.HELLO, 0, [99, STRANGER]),
    "a greeting of nonsense": frame(message.HELLO, 0, [1]),
    "an unknown kind": HELLO + frame(99, 0),
    "a result of a call never made": HELLO + frame(message.RESULT, 77 | FROM_CALLEE, 1),
    "a result of its own call": HELLO + frame(message.RESULT, 1, 1),
    "two results": HELLO + frame(message.RESULT, 1 | FROM_CALLEE, None) * 2,
    "a start of a call without a context": HELLO + frame(message.STARTED, 1 | FROM_CALLEE) * 2,
    "an end of a call never made": HELLO + frame(message.CANCEL, 5),
    "a number of the other side": HELLO
    + frame(message.CALL, 1 | FROM_CALLEE, ["a", "b", 0, [], {}]),
    "the number nought": HELLO + frame(message.CALL, 0, ["a", "b", 0, [], {}]),
    "a call of nonsense": HELLO + frame(message.CALL, 1, [1, 2, 3]),
    "a failure of nonsense": HELLO + frame(message.FAILURE, 1 | FROM_CALLEE, [1, 2, 3]),
    "a call that isn't text": HELLO
    + frame(message.CALL, 1, b"\x95\xa1\x80\xa1b\x00\x90\x80", raw=True),
    "a failure that isn't text": HELLO
    + frame(message.FAILURE, 1 | FROM_CALLEE, b"\x97\xa1\x80", raw=True),
    "deep nesting": HELLO + frame(message.CALL, 1, b"\x91" * 1_000_000, raw=True),
    "deep nesting in a call": HELLO
    + frame(message.CALL, 1, b"\x95\xa1a\xa1b\x00" + b"\x91" * 1_000_000 + b"\x80", raw=True),
    "deep nesting in a failure": HELLO
    + frame(message.FAILURE, 1 | FROM_CALLEE, b"\x97" * 1_000_000, raw=True),
    "values without leave": HELLO + frame(message.ITEM, 1 | FROM_CALLEE, 1) * 5000,
    "values to no context": HELLO
    + frame(message.CALL, 1, ["trio", "sleep_forever", 0, [], {}])
    + frame(message.ITEM, 1, 1),
    "credit taken back": HELLO + frame(message.CREDIT, 2 | FROM_CALLEE, [-1, 5]),
    "an answer to nothing": HELLO + frame(message.CANCEL_ACTOR_ANSWER, 0, "accepted"),
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE)
@trio_test
async def test_what_makes_no_sense_ends_that_connection_and_nothing_else(said):
    peer = await outcome_of(said)
    with pytest.raises(ActorDied):
        await peer.portal.run(add, 1, 2)
    async with open_pair() as (near, _):
        assert await near.portal.run(add, 1, 2) == 3


@pytest.mark.parametrize(
    "name", [name for name in HOSTILE if not name.startswith(("nothing", "half"))]
)
@trio_test
async def test_what_makes_no_sense_is_not_waited_out(name, caplog):
    # The other side keeps the connection open; it is ended from here.
    peer = await outcome_of(HOSTILE[name], close=False)
    assert "makes no sense" in peer.fault
    assert "the channel to" in caplog.text


@trio_test
async def test_calls_of_what_is_not_there_are_answered_with_errors():
    ours, theirs = socket.socketpair()
    with theirs:
        async with trio.open_nursery() as nursery:
            peer = Peer(ours, local=STRANGER)
            nursery.start_soon(peer.serve)
            theirs.sendall(HELLO)
            calls = [
                ["no.such.module", "x", 0, [], {}],
                ["os", "no_such", 0, [], {}],
                ["os", "environ", 0, [], {}],
                ["os", "getpid", 0, [], {}],
                ["", "", 0, [], {}],
                ["os", "getpid", 9, [], {}],
                ["tests.actor.test_peer", "add", 0, {}, []],
                ["tests.actor.test_peer", "add", 0, ["x", None], {}],
                ["tests.actor.test_peer", "add", 0, [1, 2], {1: 2}],
                ["builtins", "exit", 1, [], {}],
            ]
            for number, call in enumerate(calls, 1):
                theirs.sendall(frame(message.CALL, number, call))
            theirs.sendall(frame(message.CALL, 50, ["tests.actor.test_peer", "add", 0, [1, 2], {}]))
            answers = {}
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
            received = b""
            while len(answers) < len(calls) + 1:
                received += await stream.receive_some()
                while len(received) >= 9:
                    length, kind, number = HEADER.unpack_from(received)
                    if len(received) < length + 4:
                        break
                    if kind != message.HELLO:
                        answers[number & ~FROM_CALLEE] = kind
                    received = received[length + 4 :]
            assert answers.pop(50) == message.RESULT
            assert set(answers.values()) == {message.FAILURE}
            nursery.cancel_scope.cancel()


kinds = st.one_of(st.integers(0, 16), st.integers(0, 255))
numbers = st.one_of(
    st.sampled_from([0, 1, 2, 3, 1 | FROM_CALLEE, 2 | FROM_CALLEE, 3 | FROM_CALLEE]),
    st.integers(0, 0xFFFF_FFFF),
)
contents = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.text(max_size=8),
        st.binary(max_size=8),
        st.just("tests.actor.test_peer"),
        st.sampled_from(["add", "linger", "accepted"]),
    ),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=12,
)
messages = st.one_of(
    st.builds(frame, kinds, numbers, contents),
    st.builds(lambda k, n, raw: frame(k, n, raw, raw=True), kinds, numbers, st.binary(max_size=30)),
    st.builds(
        lambda n, name, manner, args: frame(
            message.CALL, n, ["tests.actor.test_peer", name, manner, args, {}]
        ),
        st.integers(1, 3),
        st.sampled_from(["add", "linger", "sleep"]),
        st.integers(0, 3),
        st.lists(st.integers(0, 9), max_size=3),
    ),
)
patient = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_end_the_connection_and_nothing_else(said, greets):
    trio.run(outcome_of, (HELLO if greets else b"") + said)


@patient
@given(st.lists(messages, max_size=12), st.integers(0, 40))
def test_random_messages_end_at_most_the_connection(said, cut):
    stream = HELLO + b"".join(said)
    trio.run(outcome_of, stream[: len(stream) - cut])


@trio_test
async def test_a_flood_that_nobody_reads_the_answers_of_is_bounded():
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        async with trio.open_nursery() as nursery:
            peer = Peer(ours, local=STRANGER)
            nursery.start_soon(peer.serve)
            theirs.send(HELLO)
            call = frame(message.CALL, 1, ["tests.actor.test_peer", "large_answer", 0, [], {}])
            for number in range(1, 200):
                theirs.send(call[:5] + number.to_bytes(4, "big") + call[9:])
            with trio.fail_after(30):
                while done.count("answered") < 199:
                    await trio.sleep(0.01)
                    assert peer.sender._outbox.size_bytes < 3_000_000
            await wait_all_tasks_blocked(0.1)
            assert peer.sender._outbox.size_bytes < 3_000_000
            nursery.cancel_scope.cancel()


async def large_answer() -> bytes:
    done.append("answered")
    return bytes(100_000)


@trio_test
async def test_a_peer_is_collected_when_it_has_ended():
    async with open_pair() as (near, far):
        await near.portal.run(add, 1, 2)
    del near, far
    gc.collect()
    assert [thing for thing in gc.get_objects() if isinstance(thing, ScopedPeer)] == []
