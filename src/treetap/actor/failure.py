"""Exceptions that cross to another actor.

An exception arrives as its own type where that can be had here and all that it carries is plain
(``args`` and attributes made of builtins); else as a `RemoteError`, which has the text. It is put
together from its parts: no constructor of anybody's runs, but for those of the builtin types. Each
actor that it comes from adds one note: who it was, and the traceback there.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from types import MemberDescriptorType
from typing import Any

import msgspec

from treetap.actor.crashes import SEEN_BELOW, was_seen
from treetap.actor.identity import ActorId
from treetap.actor.reference import Reference, outward_name, resolve
from treetap.errors import RemoteError

#: Of one rendered traceback; what is longer loses its middle.
MAX_TRACEBACK_CHARACTERS = 64 * 1024
MAX_TEXT_CHARACTERS = 16 * 1024
_MAX_DEPTH = 40
_CODES: dict[Any, int] = {tuple: 1, set: 2, frozenset: 3}
_PLAIN = (type(None), bool, int, float, str, bytes)
_PACKAGE = __name__.rpartition(".")[0]


class Boxed(msgspec.Struct, frozen=True, array_like=True):
    """An exception on its way.

    Attributes:
        module: Of its type.
        qualname: Of its type.
        text: What ``str()`` of it is.
        traceback: Rendered, with causes and contexts; of a group without its members.
        notes: As they were when it left.
        content: ``args`` and attributes, encoded; empty where they aren't plain.
        members: Of a group; None otherwise.
        is_seen: Somebody has looked at it, at a prompt.
    """

    module: str
    qualname: str
    text: str
    traceback: str
    notes: list[str]
    content: bytes
    members: list[Boxed] | None
    is_seen: bool = False


_encode = msgspec.msgpack.Encoder().encode
_decode_boxed = msgspec.msgpack.Decoder(Boxed).decode


def box(exc: BaseException) -> bytes:
    """``exc`` as a payload. Never fails: what can't be said of it is left out."""
    return _encode(_boxed(exc, 0))


def unbox(payload: bytes, actor: ActorId, main: str | None = None) -> Exception:
    """The exception in a payload from ``actor``, with a note that says whence it came.

    Args:
        payload: From ``box()``.
        actor: Who sent it.
        main: The program of the tree's root, as for ``resolve()``.

    Raises:
        One of ``message.GARBLED``: It isn't one.
    """
    return _unboxed(_decode_boxed(payload), actor, main)


def _boxed(exc: BaseException, depth: int) -> Boxed:
    members = None
    if isinstance(exc, BaseExceptionGroup) and depth < _MAX_DEPTH:
        members = [_boxed(member, depth + 1) for member in exc.exceptions]
    name = outward_name(type(exc))
    return Boxed(
        name.module,
        name.qualname,
        _clip(_text_of(exc), MAX_TEXT_CHARACTERS),
        _clip(_rendered(exc), MAX_TRACEBACK_CHARACTERS),
        [str(note) for note in _notes(exc)],
        _content(exc),
        members,
        was_seen(exc),
    )


def _text_of(exc: BaseException) -> str:
    try:
        # Of a group the text alone: str() counts the members too.
        return exc.message if isinstance(exc, BaseExceptionGroup) else str(exc)
    except Exception as broken:  # noqa: BLE001 - a __str__ of the program's
        return f"<str() of it raised {type(broken).__name__}>"


def _notes(exc: BaseException) -> list[Any]:
    notes = getattr(exc, "__notes__", ())
    return list(notes) if isinstance(notes, list | tuple) else []


def _rendered(exc: BaseException) -> str:
    """The traceback as text, without what the notes and the members say anyway."""
    shown = exc.__traceback__
    while shown and shown.tb_frame.f_globals.get("__name__", "").rpartition(".")[0] == _PACKAGE:
        shown = shown.tb_next
    try:
        whole = traceback.TracebackException(type(exc), exc, shown or exc.__traceback__)
        whole.__notes__ = None
        whole.exceptions = None
        return "".join(whole.format()).rstrip("\n")
    except Exception as broken:  # noqa: BLE001 - it calls __str__, __repr__ and loaders
        return f"<the traceback of {type(exc).__name__} raised {type(broken).__name__}>"


def _clip(text: str, limit: int) -> str:
    # Lone surrogates (of undecodable file names) are no UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= limit:
        return text
    return (
        f"{text[: limit // 2]}\n… {len(text) - limit} characters left out …\n{text[-limit // 2 :]}"
    )


def _content(exc: BaseException) -> bytes:
    """What the exception carries, if all of it is plain; else nothing."""
    if not isinstance(exc, Exception):
        return b""
    try:
        reduced: Any = _builtin_type(type(exc)).__reduce__(exc)
        state: dict[str, Any] = (reduced[2] if len(reduced) > 2 else None) or {}
        state = _slots_of(exc) | {name: state[name] for name in state if not name.startswith("__")}
        args = () if isinstance(exc, BaseExceptionGroup) else reduced[1]
        return _encode([_plain(args, 0), _plain(state, 0)])
    except Exception:  # noqa: BLE001 - not plain, or attributes that raise: it crosses as a text
        return b""


def _slots_of(exc: Exception) -> dict[str, Any]:
    """What stands in ``__slots__`` of the program's, of which Python itself says nothing."""
    found: dict[str, Any] = {}
    for cls in type(exc).__mro__:
        for name, member in vars(cls).items():
            if cls.__module__ != "builtins" and isinstance(member, MemberDescriptorType):
                with suppress(AttributeError):  # it was never set
                    found.setdefault(name, member.__get__(exc))
    return found


def _builtin_type(cls: type[BaseException]) -> type[BaseException]:
    """The nearest ancestor that is Python's own: what it says of itself runs no other code."""
    return next(base for base in cls.__mro__ if base.__module__ == "builtins")


def _plain(value: Any, depth: int) -> Any:
    """``value`` in terms of MessagePack, such that ``_restored`` gives the very same."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth > _MAX_DEPTH:
        raise ValueError("too deep")
    if kind is list:
        return [_plain(item, depth + 1) for item in value]
    if kind is dict:
        return {_plain(key, depth + 1): _plain(item, depth + 1) for key, item in value.items()}
    code = _CODES.get(kind)
    if code is None:
        raise TypeError(f"{kind} isn't plain")
    return msgspec.msgpack.Ext(code, _encode([_plain(item, depth + 1) for item in value]))


def _restored(code: int, content: memoryview) -> Any:
    items = _decode_plain(content)
    return next(kind for kind, known in _CODES.items() if known == code)(items)


_decode_plain = msgspec.msgpack.Decoder(ext_hook=_restored).decode


def _unboxed(boxed: Boxed, actor: ActorId, main: str | None) -> Exception:
    exc: Exception | None = None
    # Whatever goes wrong, then it is the text that arrives; a module may exit when it is imported.
    with suppress(Exception, SystemExit):
        exc = _rebuilt(boxed, actor, main)
    if exc is None:
        name = f"{boxed.module}.{boxed.qualname}".removeprefix("builtins.")
        exc = RemoteError(
            f"{name} in {actor}: {boxed.text}" if boxed.text else f"{name} in {actor}",
            type_name=name,
            text=boxed.text,
            traceback=boxed.traceback,
        )
    if boxed.is_seen:
        with suppress(AttributeError):  # it has slots
            setattr(exc, SEEN_BELOW, True)
    for note in boxed.notes:
        exc.add_note(note)
    lines = "\n".join(f"  | {line}" for line in boxed.traceback.splitlines())
    exc.add_note(f"in actor {actor}:\n{lines}")
    return exc


def _rebuilt(boxed: Boxed, actor: ActorId, main: str | None) -> Exception | None:
    if boxed.members is not None:
        members = [_unboxed(member, actor, main) for member in boxed.members]
        return _rebuilt_group(boxed, members, main)
    cls = _type_of(boxed, main)
    if cls is None or not boxed.content:
        return None
    args, state = _decode_plain(boxed.content)
    exc = cls.__new__(cls, *args)
    own = _builtin_type(cls)
    if cls.__init__ is own.__init__ or own not in (Exception, BaseException):
        own.__init__(exc, *args)  # of Python's own: it fills fields that are no attributes
    else:
        exc.args = tuple(args)
    return _with_state(exc, state) if type(exc) is cls else None


def _rebuilt_group(boxed: Boxed, members: list[Exception], main: str | None) -> Exception:
    with suppress(Exception):
        cls = _type_of(boxed, main)
        if cls is not None and issubclass(cls, ExceptionGroup) and boxed.content:
            _, state = _decode_plain(boxed.content)
            return _with_state(cls.__new__(cls, boxed.text, members), state)
    return ExceptionGroup(boxed.text, members)


def _with_state(exc: Exception, state: dict[str, Any]) -> Exception:
    plain = {name: value for name, value in state.items() if not name.startswith("__")}
    BaseException.__setstate__(exc, plain)
    return exc


def _type_of(boxed: Boxed, main: str | None) -> type[Exception] | None:
    """The type here; only of exceptions, and None for what isn't one."""
    found = resolve(Reference(boxed.module, boxed.qualname), main)
    return found if isinstance(found, type) and issubclass(found, Exception) else None
