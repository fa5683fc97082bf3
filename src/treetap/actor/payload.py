"""Values between actors: what a function's annotations allow, checked where the value leaves.

A value that is annotated arrives as what the annotation says, and one that isn't what it says is
refused at the sender, by the very decoder that the receiver will use. What isn't annotated, or is
``Any``, may be anything that MessagePack has, or that msgspec makes of it (a tuple arrives as a
list, a dataclass as a dict).
"""

from __future__ import annotations

import inspect
import typing
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treetap.actor.message import ASYNC, CONTEXT, GARBLED, SYNC
from treetap.actor.reference import Reference, is_async, outward, reference_to
from treetap.errors import ActorError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable


def _enter(value: Any) -> Any:
    """What msgspec has no form for."""
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"Encoding objects of type {shown(type(value))} is unsupported")


def _leave(kind: Any, value: Any) -> Any:
    wanted = typing.get_origin(kind) or kind
    if isinstance(value, wanted):
        return value  # of what the annotation names in general: object, Hashable, Iterable
    if issubclass(wanted, PurePath):
        return wanted(value)
    raise TypeError(f"a {shown(kind)} can't cross")


_encode = msgspec.msgpack.Encoder(enc_hook=_enter).encode
_decode = msgspec.msgpack.Decoder().decode
#: What can be told by a look at the type alone, without decoding.
_EXACT = (bool, int, float, str, bytes, type(None))
#: Annotations of what is passed on to another function.
_ANY = (typing.ParamSpecArgs, typing.ParamSpecKwargs)
_UNENCODABLE = (TypeError, ValueError, OverflowError, RecursionError, AttributeError)


class Slot:
    """One place where a value crosses: an argument, a result, a direction of a stream.

    Args:
        function: Whose place it is.
        place: ``"argument 'x'"``, ``"result"``; for the text of an error.
        annotation: What may cross there.

    Attributes:
        takes_bytes: Whether ``bytes`` may cross as they are.
    """

    __slots__ = (
        "_annotation",
        "_decoder",
        "_exact",
        "_function",
        "_place",
        "_unusable",
        "takes_bytes",
    )

    def __init__(self, function: str, place: str, annotation: Any) -> None:
        self._function = function
        self._place = place
        self._annotation = annotation
        if annotation is None:
            annotation = type(None)
        elif annotation is object or isinstance(annotation, _ANY):
            annotation = Any
        self._exact: type | None = annotation if annotation in _EXACT else None
        self._decoder: Any = None
        #: Why nothing can cross here; said when something is to, for a default may do.
        self._unusable = ""
        if annotation is not Any:
            try:
                self._decoder = msgspec.msgpack.Decoder(annotation, dec_hook=_leave)
            except TypeError as exc:
                self._unusable = str(exc)
        self.takes_bytes = annotation in (Any, bytes)

    @property
    def is_any(self) -> bool:
        return self._decoder is None and not self._unusable

    def encode(self, value: Any) -> bytes:
        """``value`` as a payload.

        Raises:
            PayloadError: It isn't what may cross here.
        """
        if self._unusable:
            raise self._useless()
        try:
            payload = _encode(value)
        except _UNENCODABLE as exc:
            way_out = f" {_HOW}" if self._decoder is None else ""
            what = f"can't cross to another actor: it is {shown(type(value))}"
            raise self._refusal(what, f"{exc}.{way_out}") from exc
        if self._decoder is not None and type(value) is not self._exact:
            try:
                self._decoder.decode(payload)
            except Exception as exc:
                wanted, given = shown(self._annotation), shown(type(value))
                what = f"must be {wanted}, and is {given}"
                if wanted == given:
                    what = f"is {given}, but something in it isn't what it should be"
                raise self._refusal(what, f"{exc}.") from exc
        return payload

    def decode(self, payload: bytes | msgspec.Raw) -> Any:
        """The value of a payload from the other side.

        Raises:
            PayloadError: The other side has sent something that may not cross here.
        """
        if self._unusable:
            raise self._useless()
        try:
            return _decode(payload) if self._decoder is None else self._decoder.decode(payload)
        except Exception as exc:
            raise PayloadError(
                f"{self._function}: the {self._place} that came from the other actor isn't "
                f"{shown(self._annotation)}.",
                f"{exc}. Is the function the same version on both sides?",
            ) from exc

    def take_bytes(self, value: bytes) -> Any:
        """The value that came as plain bytes."""
        return value if self.takes_bytes else self.decode(_encode(value))

    def _refusal(self, what: str, reason: str) -> PayloadError:
        return PayloadError(f"{self._function}: the {self._place} {what}.", reason)

    def _useless(self) -> PayloadError:
        return PayloadError(
            f"{self._function}: the {self._place} is annotated with {shown(self._annotation)}, "
            "which can't cross to another actor.",
            f"{self._unusable}. Values cross as MessagePack: builtins, dataclasses, "
            "msgspec.Struct, datetime, UUID, Decimal, Enum, Path, and unions and containers of "
            "them.",
        )


_HOW = (
    "What isn't annotated must be made of None, bool, int (64 bits), float, str, bytes, list and "
    "dict; annotate the place with a dataclass or a msgspec.Struct to send one."
)


class Contract:
    """What may cross when one function is called: all its slots."""

    def __init__(self, function: Callable[..., Any], manner: int) -> None:
        self.name = f"{outward(function.__module__)}:{function.__qualname__}"
        hints = _hints(function)
        parameters = list(_parameters(function))
        sides: tuple[Any, ...] = (Any, Any, Any)
        if manner != CONTEXT and parameters and _is_context(hints.get(parameters[0].name)):
            raise ActorError(
                f"{self.name} takes a context.", "Call it by open_context().", slug="actor-function"
            )
        if manner == CONTEXT and parameters:
            first = parameters.pop(0)
            sides = typing.get_args(hints.get(first.name)) or sides
        self.sends = Slot(self.name, "value that it sends", sides[0])
        self.receives = Slot(self.name, "value that it receives", sides[1])
        self.first = Slot(self.name, "value of started()", sides[2])
        self.result = Slot(self.name, "result", hints.get("return", Any))
        self._positional: list[Slot] = []
        self._more: Slot | None = None
        self._keywords: dict[str, Slot] = {}
        self._other: Slot | None = None
        for parameter in parameters:
            self._add(parameter, hints.get(parameter.name, Any))
        every = [*self._positional, *self._keywords.values(), self._more, self._other]
        self._is_open = all(slot is None or slot.is_any for slot in every)

    def _add(self, parameter: inspect.Parameter, annotation: Any) -> None:
        slot = Slot(self.name, f"argument {parameter.name!r}", annotation)
        match parameter.kind:
            case inspect.Parameter.VAR_POSITIONAL:
                self._more = slot
            case inspect.Parameter.VAR_KEYWORD:
                self._other = slot
            case inspect.Parameter.KEYWORD_ONLY:
                self._keywords[parameter.name] = slot
            case inspect.Parameter.POSITIONAL_ONLY:
                self._positional.append(slot)
            case _:
                self._positional.append(slot)
                self._keywords[parameter.name] = slot

    def encode_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Both, one after the other: an array and a map.

        Raises:
            PayloadError: An argument isn't what may cross there.
        """
        if self._is_open:
            try:
                return _encode(args) + _encode(kwargs)
            except _UNENCODABLE:
                pass  # whose fault it is, the slots say
        positional = [
            msgspec.Raw(self._at(position).encode(value)) for position, value in enumerate(args)
        ]
        keywords = {name: msgspec.Raw(self._named(name).encode(kwargs[name])) for name in kwargs}
        return _encode(positional) + _encode(keywords)

    def decode_arguments(
        self, positional: msgspec.Raw, keywords: msgspec.Raw
    ) -> tuple[list[Any], dict[str, Any]]:
        """Raises:
        PayloadError: What has come isn't what may cross there.
        """
        try:
            if self._is_open:
                return _lists(positional), _maps(keywords)
            raws, named = _raw_lists(positional), _raw_maps(keywords)
        except GARBLED as exc:
            raise PayloadError(f"{self.name}: the arguments make no sense.", f"{exc}.") from exc
        args = [self._at(position).decode(raw) for position, raw in enumerate(raws)]
        return args, {name: self._named(name).decode(raw) for name, raw in named.items()}

    def _at(self, position: int) -> Slot:
        """Of what is one too many the function itself will say so."""
        if position < len(self._positional):
            return self._positional[position]
        return self._more or _ANYTHING

    def _named(self, name: str) -> Slot:
        return self._keywords.get(name) or self._other or _ANYTHING


_ANYTHING = Slot("a call", "argument", Any)
_lists = msgspec.msgpack.Decoder(list).decode
_maps = msgspec.msgpack.Decoder(dict[str, Any]).decode
_raw_lists = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_raw_maps = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode


class Target(NamedTuple):
    """A function to be called in another actor.

    Attributes:
        reference: Where it is.
        prefix: A Call up to its arguments.
        contract: What may cross.
    """

    reference: Reference
    prefix: bytes
    contract: Contract


@lru_cache(maxsize=4096)
def contract_of(function: Callable[..., Any], manner: int) -> Contract:
    return Contract(function, manner)


def target_of(function: Any, manner: int) -> Target:
    """``function`` as something to be called, in one of the manners of ``message``.

    Raises:
        ActorError: It can't be found by another process, or not be called in this manner.
    """
    # No function is without a hash, which the table of those that are known needs.
    if not callable(function) or type(function).__hash__ is None:
        raise ActorError(
            f"{function!r} isn't a function.",
            "Give a function and its arguments: run(add, 1, 2), and not run(add(1, 2)).",
            slug="actor-function",
        )
    return _target_of(function, manner)


@lru_cache(maxsize=4096)
def _target_of(function: Callable[..., Any], manner: int) -> Target:
    reference = reference_to(function)
    ways_out = {
        ASYNC: "run() calls async functions; run_sync() calls others, in a thread over there",
        CONTEXT: "open_context() calls async functions, whose first parameter is the context",
        SYNC: "run_sync() calls functions that aren't async; run() calls those that are",
    }
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        raise ActorError(
            f"{reference} is an async generator, which can't be called in another actor.",
            "Make it a function with a context that sends on a stream: see open_context().",
            slug="actor-function",
        )
    if is_async(function) is (manner == SYNC):
        kind = "async" if manner == SYNC else "not async"
        raise ActorError(f"{reference} is {kind}.", f"{ways_out[manner]}.", slug="actor-function")
    # The beginning of an array of five; msgspec has no way to encode but the whole.
    prefix = b"\x95" + _encode(reference.module) + _encode(reference.qualname) + _encode(manner)
    return Target(reference, prefix, contract_of(function, manner))


def _is_context(annotation: Any) -> bool:
    # By its name: that module imports this one.
    kind = typing.get_origin(annotation) or annotation
    return getattr(kind, "__module__", "") == "treetap.actor.context"


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return []  # of a builtin that doesn't say


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Resolved annotations. One that can't be resolved (a name imported for typing alone) is Any."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - annotations are expressions, and may raise anything
        pass
    inner = inspect.unwrap(function)
    names = getattr(inner, "__globals__", {})
    found = {}
    for name, annotation in getattr(inner, "__annotations__", {}).items():
        try:
            is_text = isinstance(annotation, str)
            found[name] = eval(annotation, names) if is_text else annotation  # noqa: S307 - its own
        except Exception:  # noqa: BLE001 - as above
            found[name] = Any
    return found


def shown(annotation: Any) -> str:
    """An annotation as one would write it."""
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        module, name = outward(annotation.__module__), annotation.__qualname__
        return name if module in ("builtins", "typing", "__main__") else f"{module}.{name}"
    return str(annotation).removeprefix("typing.")
