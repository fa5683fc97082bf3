"""Facts about the CPython that runs us; every version check of treetap is here.

Each fact says where it was seen. Nothing here has a side effect.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import OrderedDict, defaultdict, deque
    from functools import partial
    from types import (
        AsyncGeneratorType,
        CodeType,
        CoroutineType,
        FunctionType,
        GeneratorType,
        MethodType,
        ModuleType,
    )
    from typing import Any

    tuplegetter: Any
else:
    # What `collections` and `functools` have from C. They take 3 ms to import, and a child of an awake
    # tree waits for that before its first line.
    from _collections import OrderedDict, defaultdict, deque
    from _collections import _tuplegetter as tuplegetter
    from _functools import partial

    # What `types` has, which takes a third of a millisecond.
    def _generator() -> Any:
        yield

    async def _coroutine() -> None:
        pass

    async def _async_generator() -> Any:
        yield

    class _Owner:
        def method(self) -> None:
            pass

    ModuleType = type(sys)
    FunctionType = type(_generator)
    CodeType = type(_generator.__code__)
    MethodType = type(_Owner().method)
    GeneratorType = type(_generator())
    AsyncGeneratorType = type(_async_generator())
    _unawaited = _coroutine()
    CoroutineType = type(_unawaited)
    _unawaited.close()  # or Python warns of it
    del _unawaited

__all__ = [
    "AsyncGeneratorType",
    "CodeType",
    "CoroutineType",
    "FunctionType",
    "GeneratorType",
    "MethodType",
    "ModuleType",
    "OrderedDict",
    "defaultdict",
    "deque",
    "partial",
    "tuplegetter",
]

VERSION = sys.version_info[:3]

#: PEP 669, ``sys.monitoring``.
HAS_MONITORING = hasattr(sys, "monitoring")

#: Instrumenting a code object destroys its superinstructions for good: 27-50 ns a call stay
#: after the events are gone (seen on 3.12.1). ``code.replace()`` gives a fresh one.
MONITORING_SPOILS_CODE = VERSION[:2] == (3, 12)

#: LINE never fires for code on the ``def``/``lambda`` line itself unless PY_START is asked for
#: as well (3.13.0, also seen on 3.14.2; cpython issue 155992).
DEF_LINE_NEEDS_PY_START = VERSION[:2] >= (3, 13)

#: ``frame.f_locals`` of a function is a write-through proxy (PEP 667).
F_LOCALS_WRITES_THROUGH = VERSION[:2] >= (3, 13)

#: Comprehensions run inside their function's frame (PEP 709), their variables with them.
INLINES_COMPREHENSIONS = VERSION[:2] >= (3, 12)

#: ``os.fork`` counts the threads that it warns of after the hooks for the parent ran, and not
#: before them as 3.12 does (seen on 3.13.0).
FORK_WARNS_AFTER_HOOKS = VERSION[:2] >= (3, 13)

#: No GIL: the ring and the read of a running frame aren't proven there, so we refuse.
IS_FREE_THREADED = bool(getattr(sys, "_is_gil_enabled", lambda: True)() is False)


def refusal() -> str:
    """Why probes can't work in this interpreter; an empty string if they can."""
    if sys.implementation.name != "cpython":
        return f"probes need CPython; this is {sys.implementation.name}"
    if IS_FREE_THREADED:
        return "probes are not proven on a free-threaded CPython; run it with PYTHON_GIL=1"
    if VERSION < (3, 11):
        return f"probes need CPython 3.11 or newer; this is {'.'.join(map(str, VERSION))}"
    return ""
