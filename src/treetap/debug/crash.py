"""What is a crash, and the prompt that opens on one."""

from __future__ import annotations

import sys

# Loaded at the start of every process where crashes are shown: typing and functools take longer than it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

#: Set on an exception that somebody has looked at already.
_SEEN = "__treetap_seen__"


class catch_crashes:  # noqa: N801 - used as a function: with treetap.catch_crashes():
    """A prompt where an exception was raised, before it goes on up; a context, or a decorator.

    Not crashes: ``SystemExit``, ``KeyboardInterrupt``, cancellation, a prompt that was quit, and
    groups of nothing else. The exception goes on afterwards, and no outer one asks again.

    Args:
        ignore: Types of exceptions that are no crashes for you.
        when: Called with the exception; false to let it pass.
    """

    def __init__(
        self,
        *,
        ignore: type[BaseException] | tuple[type[BaseException], ...] = (),
        when: Callable[[BaseException], bool] | None = None,
    ) -> None:
        self._ignore = ignore
        self._when = when

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        _type: type[BaseException] | None,
        exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if exc is None or isinstance(exc, self._ignore) or not is_crash(exc):
            return
        if self._when is None or self._when(exc):
            look_at(exc)

    def __call__(self, function: Function) -> Function:
        import functools
        import inspect
        from typing import cast

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaiting(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast("Function", awaiting)
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def yielding(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return (yield from function(*args, **kwargs))

            return cast("Function", yielding)

        @functools.wraps(function)
        def catching(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("Function", catching)


def is_crash(exc: BaseException) -> bool:
    """Whether ``exc`` is a failure, and not one of the ways to end."""
    if isinstance(exc, BaseExceptionGroup):
        return any(is_crash(one) for one in exc.exceptions)
    return not isinstance(exc, (SystemExit, KeyboardInterrupt, GeneratorExit, *_cancellations()))


def look_at(exc: BaseException) -> None:
    """Open a prompt on ``exc``, unless that was done already; of a group: on each of its crashes."""
    if exc.__traceback__ is None or _is_seen(exc):
        return
    _mark_seen(exc)
    from treetap.debug.entry import post_mortem

    post_mortem(exc)


def _is_seen(exc: BaseException) -> bool:
    if getattr(exc, _SEEN, False):
        return True
    if not isinstance(exc, BaseExceptionGroup):
        return False
    return all(_is_seen(one) for one in exc.exceptions if is_crash(one))


def _mark_seen(exc: BaseException) -> None:
    try:
        setattr(exc, _SEEN, True)
    except AttributeError:
        pass  # it has slots, and may be asked about again
    if isinstance(exc, BaseExceptionGroup):
        for one in exc.exceptions:
            _mark_seen(one)


def _cancellations() -> tuple[type[BaseException], ...]:
    """What can only be raised where its module is loaded."""
    found = []
    for module, name in (
        ("asyncio", "CancelledError"),
        ("concurrent.futures", "CancelledError"),
        ("trio", "Cancelled"),
        ("bdb", "BdbQuit"),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(kind, BaseException):
            found.append(kind)
    return tuple(found)
