"""A function as another process finds it: by its module, and its name in there."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil  # noqa: F401 - runpy wants it when it reads: here the spawner has it for all
import runpy
import sys
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.errors import ActorError

if TYPE_CHECKING:
    from collections.abc import Callable

#: The name under which a child runs the file of its root, as ``multiprocessing`` does: a
#: ``if __name__ == "__main__"`` there isn't entered.
MAIN = "__mp_main__"
_BY_NAME = "-m "


class Reference(NamedTuple):
    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"


def reference_to(function: Callable[..., Any]) -> Reference:
    """Where another process finds ``function``.

    Raises:
        ActorError: It can't be found by its name: a lambda, a local function, a method of an
            instance, a partial, or something that hides behind another's name.
    """
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", None)
    if isinstance(owner, type) and isinstance(name, str):
        reference = Reference(owner.__module__, f"{owner.__qualname__}.{name}")
    else:
        reference = Reference(
            getattr(function, "__module__", None) or "", getattr(function, "__qualname__", "")
        )
    reason = _unreachable(function, reference)
    if reason:
        raise ActorError(
            f"{function!r} can't be called in another actor: {reason}.",
            "Another process finds a function by its module and its name in there. Define it "
            "with `async def` at the top of a module, and pass what it needs as arguments.",
            slug="actor-function",
        )
    return Reference(outward(reference.module), reference.qualname)


def _unreachable(function: Callable[..., Any], reference: Reference) -> str:
    module, qualname = reference
    if not module or not qualname:
        return "it has no name of its own (a partial, or a callable object)"
    if "<lambda>" in qualname:
        return "it is a lambda"
    if "<locals>" in qualname:
        return "it is defined inside another function"
    if outward(module) == "__main__" and not main_place():
        return (
            "it is defined in a program that has no file of its own (python -c, standard input, "
            "a prompt, or a zip)"
        )
    try:
        found = _walk(sys.modules[module], qualname)
    except (KeyError, AttributeError):
        return f"{module} has no {qualname}"
    if found != function:
        owner = getattr(function, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType):
            return "it is a method of an instance"
        return f"{module}.{qualname} is something else ({found!r})"
    return ""


def resolve(reference: Reference, main: str | None = None) -> Any:
    """What ``reference`` means in this process; imports its module if need be.

    Args:
        reference: From another actor.
        main: The program of the tree's root, from ``main_place()`` there; None in the root.

    Raises:
        ActorError: There is no such thing here.
        Exception: Whatever the import raised.
    """
    name = reference.module
    if name == "__main__":
        module = run_main(main) if main else sys.modules["__main__"]
    else:
        module = sys.modules.get(name) or importlib.import_module(name)
    try:
        return _walk(module, reference.qualname)
    except AttributeError as exc:
        raise ActorError(
            f"There is no {reference.qualname} in {name} of this actor.",
            f"The module is {getattr(module, '__file__', None)}. Is it the same version on both "
            "sides?",
            slug="actor-function",
        ) from exc


def main_place() -> str | None:
    """The program that runs here, for a child's ``main_path``; None if it has no file.

    In an actor it is the root's program.
    """
    inherited = sys.modules.get(MAIN)
    if inherited is not None and hasattr(inherited, "__treetap_place__"):
        return str(inherited.__treetap_place__)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return _BY_NAME + str(spec.name)
    path = getattr(main, "__file__", None)
    if not path or not Path(path).is_file():  # "<stdin>" is none
        return None
    return str(Path(path).absolute())


def run_main(place: str) -> ModuleType:
    """The module of the root's program: run here once, under another name than ``__main__``.

    It is this process's ``__main__`` too, so that what it defines is found there.

    Args:
        place: From ``main_place()`` of the root.

    Raises:
        Exception: Whatever the program raised.
    """
    known = sys.modules.get(MAIN)
    if known is not None and getattr(known, "__treetap_place__", None) == place:
        return known
    module = ModuleType(MAIN)
    module.__dict__.update(__treetap_place__=place, __spec__=None)
    if place.startswith(_BY_NAME):
        name = place.removeprefix(_BY_NAME)
        spec = importlib.util.find_spec(name)
        code = spec.loader.get_code(name) if spec is not None else None  # type: ignore[union-attr]
        if spec is None or code is None:
            raise ActorError(f"There is no {name} to be run here.", slug="actor-function")
        module.__dict__.update(__file__=spec.origin, __package__=spec.parent)
    else:
        code = _code_in(place)
        module.__dict__.update(__file__=place, __package__="")
    former = sys.modules["__main__"]
    # Both before it runs: `multiprocessing`, imported by it, makes the first name mean the second.
    sys.modules[MAIN] = sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)  # noqa: S102 - it is the program itself
    except BaseException as exc:
        del sys.modules[MAIN]
        sys.modules["__main__"] = former
        exc.add_note(
            f"while {place} was run in another actor, to find what it defines; what is only for "
            'the program itself belongs under `if __name__ == "__main__":`'
        )
        raise
    return module


def _code_in(path: str) -> CodeType:
    """The code of a program, read as a child of ``multiprocessing`` reads its parent's.

    There probes that wait for it are put into it before it runs (``probe/runpath.py``).
    """
    with suppress(AttributeError, TypeError):  # it is runpy's own, and takes what it likes
        arguments = (path,) if sys.version_info >= (3, 13) else (MAIN, path)
        found: Any = runpy._get_code_from_file(*arguments)  # type: ignore[attr-defined]
        code = found if isinstance(found, CodeType) else found[0]
        if isinstance(code, CodeType):
            return code
    return compile(Path(path).read_bytes(), path, "exec")


def outward(module: str) -> str:
    """The name of a module as all actors of the tree know it."""
    return "__main__" if module == MAIN else module


def _walk(found: Any, qualname: str) -> Any:
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling ``function`` gives something to be awaited, as far as can be known.

    Of a wrapper either may say so: itself, or what it wraps, to which it passes the call on.
    """
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        inspect.unwrap(function)
    )


def outward_name(thing: type) -> Reference:
    """The reference to a class, as all actors of the tree know it."""
    return Reference(outward(thing.__module__), thing.__qualname__)
