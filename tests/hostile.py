"""Values that defend themselves: whatever reads an object of a program meets all of these.

Each value's methods note in ``CALLS`` that they ran, and then do their worst: raise, recurse,
sleep, fork, lie. What runs no user code leaves ``CALLS`` empty. ``values()`` gives all of them,
fresh, by name.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import os
import time
import types
import weakref
from typing import Any, NoReturn

#: Which methods of hostile values ran, in order.
CALLS: list[str] = []


def ran(what: str) -> None:
    CALLS.append(what)


class Broken(Exception):
    """What hostile methods raise."""


def _raising(name: str):
    def method(self, *args: Any, **kwargs: Any) -> NoReturn:
        ran(name)
        raise Broken(name)

    return method


_SPECIAL = """__repr__ __str__ __len__ __bool__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __iter__
__contains__ __getitem__ __call__ __add__ __radd__ __mul__ __rmul__ __mod__ __rmod__ __or__ __ror__
__and__ __rand__ __neg__ __abs__ __int__ __float__ __index__ __bytes__ __format__ __sizeof__
__reversed__ __round__ __missing__ __length_hint__ __dir__ __reduce__ __reduce_ex__ __fspath__
__complex__ __divmod__ __pow__ __instancecheck__ keys items get""".split()


def raising_methods(*, hashable: bool = True) -> dict[str, Any]:
    methods: dict[str, Any] = {name: _raising(name) for name in _SPECIAL}
    if hashable:

        def hash_of(self) -> int:
            ran("__hash__")
            return 1

        methods["__hash__"] = hash_of
    return methods


#: Every special method raises.
Raises = type("Raises", (), raising_methods())


class Recurses:
    def __repr__(self) -> str:
        ran("__repr__")
        return repr(self)

    def __getattr__(self, name: str) -> Any:
        ran("__getattr__")
        return getattr(self, name)

    def __eq__(self, other: object) -> bool:
        ran("__eq__")
        return self == other

    def __hash__(self) -> int:
        ran("__hash__")
        return hash(self)


class Sleeps:
    def __repr__(self) -> str:
        ran("__repr__")
        time.sleep(3)
        return "late"

    def __len__(self) -> int:
        ran("__len__")
        time.sleep(3)
        return 1


class Forks:
    def _fork(self) -> int:
        ran("fork")
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        return 1

    __len__ = __hash__ = _fork

    def __repr__(self) -> str:
        self._fork()
        return "forked"


class Getattribute:
    """Reads nothing without telling."""

    inner = 1

    def __getattribute__(self, name: str) -> Any:
        ran("__getattribute__")
        raise Broken(name)


class Getattr:
    """Has every attribute that it doesn't have."""

    def __init__(self) -> None:
        self.own = 1

    def __getattr__(self, name: str) -> Any:
        ran("__getattr__")
        raise Broken(name)


class Properties:
    shared = 1

    def __init__(self) -> None:
        self.own = 2
        self.__dict__["shadowed"] = 3

    @property
    def total(self) -> int:
        ran("total")
        raise Broken("total")

    @property
    def shadowed(self) -> int:
        ran("shadowed")
        raise Broken("shadowed")


class LyingClass:
    """Says that it is something else, by code."""

    @property
    def __class__(self):  # type: ignore[override]
        ran("__class__")
        raise Broken("__class__")


class DictProperty:
    @property
    def __dict__(self):  # type: ignore[override]
        ran("__dict__")
        raise Broken("__dict__")


class DictPropertyBelow(Getattr):
    @property
    def __dict__(self):  # type: ignore[override]
        ran("__dict__")
        raise Broken("__dict__")


class _Descriptor:
    def __get__(self, instance: Any, owner: Any = None) -> Any:
        ran("__get__")
        raise Broken("__get__")


class _DataDescriptor(_Descriptor):
    def __set__(self, instance: Any, value: Any) -> None:
        ran("__set__")


class Descriptors:
    lazy = _Descriptor()
    strict = _DataDescriptor()

    def __init__(self) -> None:
        vars(self)["strict"] = 1


class Slots:
    __slots__ = ("__weakref__", "_hidden", "empty", "filled")

    def __init__(self) -> None:
        self.filled = 1

    def __repr__(self) -> str:
        ran("__repr__")
        raise Broken("__repr__")


class OddSlots:
    """``__slots__`` that is used up, and gone."""

    __slots__ = iter(("filled",))

    def __init__(self) -> None:
        self.filled = 1


class Deletes:
    def __del__(self) -> None:
        ran("__del__")


class Proxy:
    """Forwards everything to what it stands for, which says so."""

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "_target", target)

    def __getattribute__(self, name: str) -> Any:
        ran("__getattribute__")
        return getattr(object.__getattribute__(self, "_target"), name)

    @property
    def __class__(self):  # type: ignore[override]
        ran("__class__")
        return list

    def __len__(self) -> int:
        ran("__len__")
        return 1


class Ten:
    """A lazy sequence of ten thousand million items."""

    def __len__(self) -> int:
        ran("__len__")
        return 10**10

    def __getitem__(self, index: int) -> bytes:
        ran("__getitem__")
        return b"x" * 1024

    def __iter__(self):
        ran("__iter__")
        while True:
            yield self[0]


def _overriding(base: type, **content: Any) -> type:
    methods = raising_methods(hashable=base not in (list, dict, set, bytearray))
    methods.pop("__missing__")
    return type(f"Hostile{base.__name__.title()}", (base,), {**methods, **content})


HostileStr = _overriding(str)
HostileInt = _overriding(int)
HostileFloat = _overriding(float)
HostileBytes = _overriding(bytes)
HostileList = _overriding(list)
HostileTuple = _overriding(tuple)
HostileDict = _overriding(dict)
HostileSet = _overriding(set)
HostileFrozenset = _overriding(frozenset)
HostileDeque = _overriding(collections.deque)
HostileOrderedDict = _overriding(collections.OrderedDict)


class MissingDict(dict):
    def __missing__(self, key: Any) -> Any:
        ran("__missing__")
        self[key] = 1
        return 1


class HostileMeta(type):
    """A class that answers for itself in everything."""

    def __getattribute__(cls, name: str) -> Any:
        ran("meta.__getattribute__")
        raise Broken(name)

    def __eq__(cls, other: object) -> bool:
        ran("meta.__eq__")
        raise Broken("__eq__")

    def __hash__(cls) -> int:
        ran("meta.__hash__")
        raise Broken("__hash__")

    def __instancecheck__(cls, instance: Any) -> bool:
        ran("meta.__instancecheck__")
        raise Broken("__instancecheck__")

    def __subclasscheck__(cls, other: Any) -> bool:
        ran("meta.__subclasscheck__")
        raise Broken("__subclasscheck__")

    def __len__(cls) -> int:
        ran("meta.__len__")
        raise Broken("__len__")

    def __repr__(cls) -> str:
        ran("meta.__repr__")
        raise Broken("__repr__")

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        ran("meta.__name__")
        raise Broken("__name__")


class WithHostileMeta(metaclass=HostileMeta):
    pass


class HostileMetaList(list, metaclass=HostileMeta):
    pass


class Renamed:
    """Its names aren't plain strings."""


Renamed.__module__ = HostileStr("somewhere")
Renamed.__qualname__ = HostileStr("Renamed")


class ModuleIsObject:
    pass


ModuleIsObject.__module__ = Raises()  # type: ignore[assignment]


@dataclasses.dataclass
class BrokenDataclass:
    """Its fields say one thing, it holds another; its repr and its comparison raise."""

    total: int
    missing: int = 0

    def __post_init__(self) -> None:
        del self.missing

    def __repr__(self) -> str:
        ran("__repr__")
        raise Broken("__repr__")

    def __eq__(self, other: object) -> bool:
        ran("__eq__")
        raise Broken("__eq__")

    __hash__ = None  # type: ignore[assignment]


del BrokenDataclass.missing


class Color(enum.Enum):
    RED = 1

    def __repr__(self) -> str:
        ran("__repr__")
        raise Broken("__repr__")

    def __str__(self) -> str:
        ran("__str__")
        raise Broken("__str__")


class Level(enum.IntEnum):
    LOW = 1

    def __index__(self) -> int:
        ran("__index__")
        raise Broken("__index__")


class HostileError(Exception):
    def __str__(self) -> str:
        ran("__str__")
        raise Broken("__str__")

    @property
    def args(self):  # type: ignore[override]
        ran("args")
        raise Broken("args")


class Zone(datetime.tzinfo):
    """A time zone that has to be asked."""

    def utcoffset(self, moment: Any) -> Any:
        ran("utcoffset")
        raise Broken("utcoffset")

    def tzname(self, moment: Any) -> Any:
        ran("tzname")
        raise Broken("tzname")

    def dst(self, moment: Any) -> Any:
        ran("dst")
        raise Broken("dst")


class EqualToAll:
    """A key that is equal to the text that it is given, and tells who asked."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        ran("__eq__")
        return True


def self_containing_list() -> list[Any]:
    items: list[Any] = [1]
    items.append(items)
    return items


def self_containing_dict() -> dict[str, Any]:
    mapping: dict[str, Any] = {"a": 1}
    mapping["self"] = {"again": mapping}
    return mapping


def self_containing_object() -> Any:
    thing = types.SimpleNamespace(name="ring")
    thing.me = thing
    return thing


def deep_list(depth: int = 100_000) -> list[Any]:
    """Nested so deep that a recursive reader dies. Take it apart with ``flatten``."""
    items: list[Any] = []
    for _ in range(depth):
        items = [items]
    return items


def lazy_module() -> types.ModuleType:
    module = types.ModuleType("lazy")

    def getattr_of_module(name: str) -> Any:
        ran("module.__getattr__")
        raise Broken(name)

    module.__getattr__ = getattr_of_module  # type: ignore[method-assign]
    return module


class ModuleSubclass(types.ModuleType):
    def __getattribute__(self, name: str) -> Any:
        ran("module.__getattribute__")
        raise Broken(name)


def generator():
    ran("generator")
    yield 1


_KEPT_ALIVE = Raises()


def values() -> dict[str, Any]:
    """All of them, fresh; by name."""
    odd_dict = Properties()
    odd_dict.__dict__ = HostileDict(own=1)
    raising_key = Properties()
    vars(raising_key)[EqualToAll("total")] = 1  # type: ignore[index]
    return {
        "raises": Raises(),
        "recurses": Recurses(),
        "sleeps": Sleeps(),
        "forks": Forks(),
        "getattribute": Getattribute(),
        "getattr": Getattr(),
        "properties": Properties(),
        "lying class": LyingClass(),
        "dict property": DictProperty(),
        "dict property below": DictPropertyBelow(),
        "descriptors": Descriptors(),
        "slots": Slots(),
        "odd slots": OddSlots(),
        "proxy": Proxy([1]),
        "weak proxy": weakref.proxy(_KEPT_ALIVE),
        "weak reference": weakref.ref(_KEPT_ALIVE),
        "ten": Ten(),
        "str": HostileStr("text"),
        "int": HostileInt(5),
        "float": HostileFloat(1.5),
        "bytes": HostileBytes(b"bytes"),
        "list": HostileList([1, 2]),
        "tuple": HostileTuple((1, 2)),
        "dict": HostileDict(a=1),
        "set": HostileSet({1}),
        "frozenset": HostileFrozenset({1}),
        "deque": HostileDeque([1]),
        "ordered dict": HostileOrderedDict(a=1),
        "missing dict": MissingDict(a=1),
        "meta": WithHostileMeta(),
        "meta class": WithHostileMeta,
        "meta list": HostileMetaList([1]),
        "renamed": Renamed(),
        "module is object": ModuleIsObject(),
        "broken dataclass": BrokenDataclass(1),
        "enum": Color.RED,
        "int enum": Level.LOW,
        "error": HostileError(Raises()),
        "value error": ValueError(Raises(), HostileStr("x")),
        "aware": datetime.datetime(2026, 1, 1, tzinfo=Zone()),
        "aware time": datetime.time(1, tzinfo=Zone()),
        "self list": self_containing_list(),
        "self dict": self_containing_dict(),
        "self object": self_containing_object(),
        "list of raises": [Raises(), Raises()],
        "dict of raises": {Raises(): Raises()},
        "set of raises": {Raises()},
        "odd dict": odd_dict,
        "raising key": raising_key,
        "equal key": {EqualToAll("total"): 1, "other": 2},
        "huge int": 1 << 1_000_000,
        "surrogates": "\ud800 and \udfff",
        "big text": "x" * 10_000_000,
        "big list": [0] * 1_000_000,
        "big range": range(10**18),
        "generator": generator(),
        "iterator": iter([1, 2]),
        "lazy module": lazy_module(),
        "module subclass": ModuleSubclass("m"),
        "partial of raises": __import__("functools").partial(Raises()),
        "method of raises": types.MethodType(Raises(), Raises()),
        "slice": slice(Raises(), Raises()),
        "mapping proxy": types.MappingProxyType(HostileDict(a=1)),
        "view": HostileDict(a=Raises()).__class__.__mro__[1].keys({Raises(): 1}),
        "ordered view": collections.OrderedDict({Raises(): 1}).keys(),
        "nan": float("nan"),
        "alias": list[int],
        "class": Raises,
        "object": object(),
    }
