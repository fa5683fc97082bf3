from __future__ import annotations

import json
import socket
import subprocess
import sys
import traceback

import msgspec
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from treetap.actor.failure import MAX_TRACEBACK_CHARACTERS, box, unbox
from treetap.actor.identity import ActorId
from treetap.actor.message import GARBLED
from treetap.errors import ActorDied, PayloadError, RemoteError

LEAF = ActorId("leaf", 11, "moon", "tree", "u1")
MIDDLE = ActorId("middle", 12, "moon", "tree", "u2")


class OutOfStock(Exception):
    """Its constructor takes something else than what it passes on."""

    runs = 0

    def __init__(self, item: str) -> None:
        type(self).runs += 1
        super().__init__(f"no more {item}")
        self.item = item


class Slotted(Exception):
    __slots__ = ("__hidden", "extra", "unset")

    def __init__(self, extra: object, hidden: object) -> None:
        self.extra = extra
        self.__hidden = hidden

    @property
    def hidden(self) -> object:
        return self.__hidden


class Rude(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class Batch(ExceptionGroup):
    def derive(self, excs):
        return Batch(self.message, excs)


class Final(BaseException): ...


def raised(exc: BaseException) -> BaseException:
    try:
        raise exc
    except BaseException as caught:
        return caught


def crossed(exc: BaseException, actor: ActorId = LEAF) -> Exception:
    return unbox(box(raised(exc)), actor)


def an_os_error() -> OSError:
    try:
        open("/nonexistent/file")
    except OSError as exc:
        return exc
    raise AssertionError


def a_decode_error() -> UnicodeDecodeError:
    try:
        b"\xff".decode()
    except UnicodeDecodeError as exc:
        return exc
    raise AssertionError


def a_json_error() -> json.JSONDecodeError:
    try:
        json.loads("{")
    except json.JSONDecodeError as exc:
        return exc
    raise AssertionError


@pytest.mark.parametrize(
    "exc",
    [
        ValueError("a", 1, None, 2.5, b"x", [1], {"k": (1, {2}, frozenset({3}))}),
        KeyError("k"),
        an_os_error(),
        ConnectionResetError(104, "reset"),
        socket.gaierror(-2, "unknown"),
        a_decode_error(),
        a_json_error(),
        subprocess.CalledProcessError(3, ["make"], b"out", b"err"),
        ImportError("no", name="thing", path="there"),
        StopIteration(4),
        SyntaxError("bad", ("file.py", 1, 2, "text", 1, 3)),
        AttributeError("no"),
        trio.BrokenResourceError("gone"),
        trio.TooSlowError(),
        PayloadError("what", "hint", slug="payload-size"),
        ActorDied("dead"),
        RemoteError("what", type_name="a.B", text="t", traceback="tb"),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_an_exception_arrives_as_what_it_was(exc):
    arrived = crossed(exc)
    assert type(arrived) is type(exc)
    assert arrived.args == exc.args
    assert str(arrived) == str(exc)
    mine = {k: v for k, v in vars(exc).items() if k != "__notes__"}
    assert {k: v for k, v in vars(arrived).items() if k != "__notes__"} == mine
    for name in ("errno", "filename", "name", "path", "object", "start", "value", "lineno"):
        assert getattr(arrived, name, None) == getattr(exc, name, None)


def test_no_constructor_of_the_program_runs():
    exc = raised(OutOfStock("sugar"))
    before = OutOfStock.runs
    arrived = unbox(box(exc), LEAF)
    assert OutOfStock.runs == before
    assert type(arrived) is OutOfStock
    assert (arrived.item, arrived.args) == ("sugar", ("no more sugar",))


def test_what_stands_in_slots_crosses_too():
    arrived = crossed(Slotted("sugar", 3))
    assert type(arrived) is Slotted
    assert (arrived.extra, arrived.hidden) == ("sugar", 3)
    assert not hasattr(arrived, "unset")
    assert type(crossed(Slotted(object(), 3))) is RemoteError


def local_type() -> type[Exception]:
    class Local(Exception): ...

    return Local


def with_attribute(value: object) -> Exception:
    exc = ValueError("x")
    exc.response = value
    return exc


@pytest.mark.parametrize(
    ("exc", "name"),
    [
        (local_type()("x"), f"{__name__}.local_type.<locals>.Local"),
        (ValueError(object()), "ValueError"),
        (with_attribute(object()), "ValueError"),
        (ValueError(2**80), "ValueError"),
        (SystemExit(3), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (Final("x"), f"{__name__}.Final"),
    ],
)
def test_what_can_not_be_rebuilt_arrives_as_its_text(exc, name):
    arrived = crossed(exc)
    assert type(arrived) is RemoteError
    assert arrived.type_name == name
    assert arrived.text == str(exc)
    assert f"in {LEAF}" in arrived.what
    assert "in raised" in arrived.traceback


def test_the_note_says_which_actor_and_shows_the_traceback_there():
    cause = raised(OutOfStock("salt"))
    exc = ValueError("x")
    exc.__cause__ = cause
    exc.add_note("the program's own")
    own, ours = crossed(exc).__notes__
    assert own == "the program's own"
    assert ours.startswith("in actor leaf (pid 11 on moon):\n  | Traceback")
    assert "  | ValueError: x" in ours
    assert "OutOfStock: no more salt" in ours
    assert "direct cause" in ours
    assert "the program's own" not in ours


def test_each_level_adds_one_note():
    arrived = unbox(box(raised(crossed(ValueError("x")))), MIDDLE)
    first, second = arrived.__notes__
    assert first.startswith("in actor leaf (pid 11")
    assert second.startswith("in actor middle (pid 12")
    assert "leaf" not in second
    text = "".join(traceback.format_exception(arrived))
    assert text.count("in actor leaf") == text.count("in actor middle") == 1


def test_a_remote_error_stays_what_it_was_over_several_levels():
    arrived = unbox(box(raised(crossed(SystemExit(3)))), MIDDLE)
    assert type(arrived) is RemoteError
    assert arrived.type_name == "SystemExit"
    assert len(arrived.__notes__) == 2


def test_groups_keep_their_structure():
    inner = ExceptionGroup("inner", [raised(KeyError("k")), raised(SystemExit(1))][:1])
    exc = BaseExceptionGroup("outer", [raised(ValueError("v")), raised(inner), raised(Final())])
    arrived = crossed(exc)
    assert type(arrived) is ExceptionGroup
    assert arrived.message == "outer"
    value, group, final = arrived.exceptions
    assert type(value) is ValueError
    assert (type(group), group.message) == (ExceptionGroup, "inner")
    assert type(group.exceptions[0]) is KeyError
    assert type(final) is RemoteError
    for each in (arrived, value, group, group.exceptions[0], final):
        assert sum(note.startswith("in actor leaf") for note in each.__notes__) == 1


def test_a_group_of_a_type_of_its_own_keeps_it():
    arrived = crossed(Batch("b", [ValueError("v")]))
    assert type(arrived) is Batch
    assert type(arrived.exceptions[0]) is ValueError


def test_exceptions_that_can_not_be_shown_cross_all_the_same():
    arrived = crossed(Rude("x"))
    assert type(arrived) is Rude
    assert "Rude" in "".join(arrived.__notes__)


def test_what_is_long_is_cut():
    arrived = crossed(RuntimeError(object(), "x" * 10_000_000))
    assert len(box(arrived)) < 4 * MAX_TRACEBACK_CHARACTERS


def test_a_very_deep_group_crosses():
    exc: Exception = ValueError("deep")
    for _ in range(300):
        exc = ExceptionGroup("g", [exc])
    assert isinstance(crossed(exc), ExceptionGroup | RemoteError)


def boxed(module: str, qualname: str, args: object = (), state: object = None) -> bytes:
    content = msgspec.msgpack.encode([msgspec.msgpack.Ext(1, msgspec.msgpack.encode(args)), state])
    return msgspec.msgpack.encode([module, qualname, "text", "tb", [], content, None])


@pytest.mark.parametrize(
    ("module", "qualname", "state"),
    [
        ("builtins", "exec", {}),
        ("builtins", "int", {}),
        ("builtins", "SystemExit", {}),
        ("subprocess", "Popen", {}),
        ("os", "system", {}),
        ("no.such.module", "X", {}),
        ("", "", {}),
        ("builtins", "ValueError.__init__.__globals__", {}),
        (__name__, "OutOfStock.runs", {}),
    ],
)
def test_nothing_but_an_exception_is_ever_built(module, qualname, state):
    arrived = unbox(boxed(module, qualname, [1], state), LEAF)
    assert type(arrived) is RemoteError


def test_a_state_does_not_reach_what_is_of_python():
    arrived = unbox(boxed("builtins", "ValueError", [1], {"__class__": 1, "a": 2}), LEAF)
    assert type(arrived) is ValueError
    assert arrived.a == 2


def test_a_module_that_exits_when_it_is_imported_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "exits_at_once.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert type(unbox(boxed("exits_at_once", "X"), LEAF)) is RemoteError


@given(st.binary(max_size=60))
@example(b"\x97\xa1\x80")  # text that isn't UTF-8
def test_what_is_no_exception_at_all_is_a_decoding_error(payload):
    try:
        arrived = unbox(payload, LEAF)
    except GARBLED:
        return
    assert isinstance(arrived, Exception)
