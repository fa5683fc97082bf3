"""Reading objects of a running program without running its code.

``obj.total`` may run a property, a ``__getattr__``, a ``__getattribute__`` or a descriptor's
``__get__``. What is read here is found in the namespaces of the classes first, and read only if
nothing of the user's would run; otherwise ``Unsafe`` says why not.

The generic lookup of CPython does the reading itself (``object.__getattribute__``), once it is
known to be harmless. Going through ``obj.__dict__`` would do as well, but makes the interpreter
build a dict for an object that has none yet (3.11, 3.12), which slows that object down from then on.

Two things are beyond this: a key of a class's or an instance's namespace that is no plain string
and has the hash of the name asked for (its ``__eq__`` runs, as it does for the program's own
lookups), and a class that another thread changes between our look and the read.
"""

from __future__ import annotations

import types

from treetap.expression.standard import (
    SCALARS,
    exact_kind,
    loaded,
    mro_of,
    namespace_of,
    printable,
    type_name,
)
from treetap.interpreter import tuplegetter
from treetap.model.captured import NotCaptured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

__all__ = [
    "MISSING",
    "SCALARS",
    "STOPPING",
    "Unsafe",
    "find",
    "instance_dict",
    "is_plain_attribute",
    "owner_of",
    "static_attribute",
]

MISSING: Final = object()
#: `exit()` in a probe must not end the program, nor the generator that it sits in.
STOPPING: Final = (SystemExit, GeneratorExit)

#: Descriptors that are C all through, and win over the instance's own attributes.
_DATA_DESCRIPTOR_IDS = frozenset(
    {
        id(types.MemberDescriptorType),
        id(types.GetSetDescriptorType),
        id(tuplegetter),
    }
)
#: Descriptors that only bind: nothing runs.
_BINDING_IDS = frozenset(
    map(
        id,
        (
            types.FunctionType,
            types.MethodDescriptorType,
            types.WrapperDescriptorType,
            types.ClassMethodDescriptorType,
            staticmethod,
        ),
    )
)
_FUNCTION_IDS = frozenset({id(types.FunctionType), id(types.BuiltinFunctionType)})
#: Modules of C types whose getters may call into objects of the user.
_CALLING_MODULES = frozenset({"_io", "_thread", "_weakref", "weakref", "_ctypes", "_asyncio"})
_ENUM_FIELDS = {"name": "_name_", "value": "_value_"}
_OBJECT_IDS = frozenset({id(object), id(BaseException)})

_module_dict_of: Any = namespace_of(types.ModuleType)["__dict__"].__get__
_read = object.__getattribute__
_INSTANCE_DICT_DOC = type("_Sample", (), {}).__dict__["__dict__"].__doc__


class Unsafe(Exception):
    """Evaluating further would run code of the program, or go beyond a bound.

    Attributes:
        reason: One of ``NotCaptured``.
        detail: What exactly, for people: ``"Order.total is a property"``.
        is_final: Not even ``allow_calls`` lifts it: it would change the program for sure.
    """

    def __init__(self, reason: str, detail: str = "", *, is_final: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.is_final = is_final

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason

    @property
    def would_run_code(self) -> bool:
        """Whether ``allow_calls`` lifts it."""
        return self.reason == NotCaptured.UNSAFE and not self.is_final


def unsafe(detail: str) -> Unsafe:
    return Unsafe(NotCaptured.UNSAFE, detail)


def find(cls: type, name: str) -> Any:
    """What the MRO of ``cls`` holds under ``name``, as it stands there; else ``MISSING``."""
    for klass in mro_of(cls):
        namespace = namespace_of(klass)
        if name in namespace:
            return namespace[name]
    return MISSING


def owner_of(cls: type, name: str) -> type | None:
    """The class in the MRO of ``cls`` that defines ``name``."""
    for klass in mro_of(cls):
        if name in namespace_of(klass):
            return klass  # type: ignore[no-any-return]
    return None


def static_attribute(obj: Any, name: str) -> Any:
    """``obj.name``, if reading it runs nobody's code.

    Raises:
        Unsafe: It would run code; ``detail`` says whose.
        AttributeError: There is no such attribute.
    """
    cls = type(obj)
    found = MISSING
    for klass in mro_of(cls):
        namespace = namespace_of(klass)
        if found is MISSING and name in namespace:
            found = namespace[name]
        if "__getattribute__" in namespace:
            if klass is not object and id(klass) not in _OBJECT_IDS:
                kind = exact_kind(klass)
                if kind == "module":
                    return _module_attribute(obj, name)
                if kind == "class":
                    return _class_attribute(obj, name)
                if kind is None or (kind == "method" and found is MISSING):
                    raise unsafe(f"{type_name(klass)} has its own __getattribute__")
            break
    if found is not MISSING and not _is_harmless(found):
        return _instance_value(obj, cls, name, found)
    try:
        return _read(obj, name)
    except AttributeError:
        if find(cls, "__getattr__") is not MISSING:
            raise unsafe(f"{type_name(cls)} has a __getattr__") from None
        raise


def _instance_value(obj: Any, cls: type, name: str, found: Any) -> Any:
    """The value in ``obj`` itself, where the class has a descriptor with code of its own."""
    kind = type(found)
    if name in _ENUM_FIELDS and found is _entry_of_enum(name):
        return _read(obj, _ENUM_FIELDS[name])
    wins = find(kind, "__set__") is not MISSING or find(kind, "__delete__") is not MISSING
    if not wins:
        own = instance_dict(obj)
        if own is not None and dict.__contains__(own, name):
            return dict.__getitem__(own, name)
    what = "property" if kind is property else f"descriptor ({type_name(kind)})"
    raise unsafe(f"{type_name(cls)}.{printable(name)} is a {what}")


def _entry_of_enum(name: str) -> Any:
    """What ``Enum`` itself has by this name; ``MISSING`` where nobody has loaded ``enum``."""
    cls = loaded("enum", "Enum")
    return MISSING if cls is None else namespace_of(cls).get(name, MISSING)


def _is_harmless(found: Any) -> bool:
    """Whether reading an instance's attribute through this class value runs no Python code."""
    kind = type(found)
    ident = id(kind)
    if ident in _BINDING_IDS:
        return True
    if ident in _DATA_DESCRIPTOR_IDS:
        return kind is not types.GetSetDescriptorType or _is_quiet(found)
    if kind is classmethod:
        return id(type(found.__func__)) in _FUNCTION_IDS
    return find(kind, "__get__") is MISSING


def _is_quiet(getter: types.GetSetDescriptorType) -> bool:
    owner = getter.__objclass__
    module = type.__dict__["__module__"].__get__(owner)
    return type(module) is str and module not in _CALLING_MODULES


def is_plain_attribute(cls: type, name: str) -> bool:
    """Whether ``obj.name`` runs no Python code, for every instance of exactly ``cls``.

    Holds until ``cls`` or one of its parents is changed. An instance without the attribute raises
    AttributeError, as it would without us.
    """
    if id(type(cls)) != id(type) and find(type(cls), "mro") is not type.__dict__["mro"]:
        return False  # its MRO may change under us
    for klass in mro_of(cls):
        if "__getattribute__" in namespace_of(klass):
            if id(klass) not in _OBJECT_IDS and exact_kind(klass) in {
                None,
                "module",
                "class",
                "method",
            }:
                return False
            break
    if find(cls, "__getattr__") is not MISSING:
        return False
    found = find(cls, name)
    return found is MISSING or _is_harmless(found)


def instance_dict(obj: Any) -> dict[Any, Any] | None:
    """The ``__dict__`` of ``obj``, not a property of that name; None if it has none to be read."""
    for klass in mro_of(type(obj)):
        namespace = namespace_of(klass)
        if "__dict__" not in namespace:
            continue
        getter = namespace["__dict__"]
        if type(getter) is types.GetSetDescriptorType and (
            # The getter of every class made by a `class` statement; a C type's could be anything.
            getter.__doc__ == _INSTANCE_DICT_DOC or exact_kind(klass) is not None
        ):
            return getter.__get__(obj)  # type: ignore[no-any-return]
        if type(getter) is types.MemberDescriptorType and exact_kind(klass) is not None:
            return getter.__get__(obj)  # type: ignore[no-any-return]
    return None


def _module_attribute(module: Any, name: str) -> Any:
    names = _module_dict_of(module)
    found = dict.get(names, name, MISSING)
    if found is not MISSING:
        return found
    if dict.__contains__(names, "__getattr__"):
        raise unsafe(f"module {_text(names.get('__name__'))} has a __getattr__")
    raise AttributeError(f"module {_text(names.get('__name__'))} has no attribute {name!r}")


def _class_attribute(cls: type, name: str) -> Any:
    meta = type(cls)
    of_meta = find(meta, name)
    if of_meta is not MISSING and id(type(of_meta)) in _DATA_DESCRIPTOR_IDS:
        return type(of_meta).__get__(of_meta, cls, meta)
    if of_meta is not MISSING and _is_data_descriptor(of_meta):
        raise unsafe(f"{type_name(meta)}.{printable(name)} is a descriptor")
    found = find(cls, name)
    if found is not MISSING:
        return _bound_to_class(found, cls, name)
    if of_meta is not MISSING:
        if not _is_harmless(of_meta):
            raise unsafe(f"{type_name(meta)}.{printable(name)} is a descriptor")
        return _read(cls, name)
    if find(meta, "__getattr__") is not MISSING:
        raise unsafe(f"{type_name(meta)} has a __getattr__")
    raise AttributeError(f"class {type_name(cls)} has no attribute {name!r}")


def _bound_to_class(found: Any, cls: type, name: str) -> Any:
    kind = type(found)
    if kind is property:
        return found
    if kind is loaded("enum", "property") and _entry_of_enum(name) is not MISSING:
        return found
    if not _is_harmless(found):
        raise unsafe(f"{type_name(cls)}.{printable(name)} is a descriptor ({type_name(kind)})")
    if find(kind, "__get__") is MISSING:
        return found
    return kind.__get__(found, None, cls)


def _is_data_descriptor(found: Any) -> bool:
    kind = type(found)
    return find(kind, "__get__") is not MISSING and find(kind, "__set__") is not MISSING


def _text(value: Any) -> str:
    return repr(value) if type(value) is str else "?"
