"""What a hit takes: the values of a probe's expressions, made plain; and a snapshot of the frame.

Loaded by the first hit, or before it when there is time, and with it all that evaluates expressions.
"""

from __future__ import annotations

from treetap.expression.evaluation import compile_condition, compile_reader
from treetap.expression.reading import MISSING, Unsafe, unsafe
from treetap.model import captured
from treetap.model.captured import NotCaptured
from treetap.probe.capture import LOCALS_PROXY, capture_named, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any

    from treetap.expression import tree as ast
    from treetap.expression.redaction import Redaction
    from treetap.model.probe import Probe


class Taking:
    """A probe's expressions, compiled.

    Args:
        probe: Whose.
        redaction: Which names are hidden.
        trees: Of its expressions.
        condition_tree: Of its condition; ``None`` if it has none.

    Raises:
        SyntaxError, ValueError: A trusted expression can't be compiled.

    Attributes:
        condition: Whether to take anything, by the names; ``None`` if there is no condition.
    """

    def __init__(
        self,
        probe: Probe,
        redaction: Redaction,
        trees: tuple[ast.expr, ...],
        condition_tree: ast.expr | None,
    ) -> None:
        self._probe = probe
        self._redaction = redaction
        self._readers = tuple(
            compile_reader(tree, safety=probe.safety, allow_calls=probe.allow_calls)
            for tree in trees
        )
        self.condition: Callable[[Mapping[str, Any]], bool] | None = None
        if condition_tree is not None:
            self.condition = compile_condition(
                condition_tree, safety=probe.safety, allow_calls=probe.allow_calls
            )

    def values(self, lookup: Mapping[str, Any], frame: FrameType | None) -> list[Any]:
        """The values of a row, without its time. An expression that fails has that as its value."""
        taken = [
            self._value(text, reader, lookup)
            for text, reader in zip(self._probe.expressions, self._readers, strict=True)
        ]
        if self._probe.snapshot and frame is not None:
            taken.append(snapshot(frame, self._probe.limits, self._redaction))
        return taken

    def _value(
        self, text: str, reader: Callable[[Mapping[str, Any]], Any], lookup: Mapping[str, Any]
    ) -> Any:
        try:
            value = reader(lookup)
        except Unsafe as exc:
            return captured.not_captured(exc.reason)
        except KeyError as exc:
            if type(exc) is _NoName:
                return captured.not_captured(NotCaptured.NO_NAME)
            return captured.error(exc)
        except Exception as exc:
            return captured.error(exc)
        return capture_named(
            text, value, self._probe.limits, self._redaction, allow_calls=self._probe.allow_calls
        )

    @staticmethod
    def names_of(frame: Any) -> Any:
        """The names that ``frame`` sees. All that a reader does with a mapping is to ask it for them."""
        return _FrameNames(frame)


class _NoName(KeyError):
    """A name that the frame doesn't have, as opposed to a key that a dict doesn't have."""


class _FrameNames:
    """The names that a frame sees: its locals, its module's globals, the builtins."""

    __slots__ = ("_frame",)

    def __init__(self, frame: FrameType) -> None:
        self._frame = frame

    def __getitem__(self, name: str) -> Any:
        frame = self._frame
        namespaces: tuple[Any, ...] = (frame.f_locals, frame.f_globals, frame.f_builtins)
        for namespace in namespaces:
            if issubclass(type(namespace), dict):
                # Not by a subscript: what a metaclass's __prepare__ made may have a __missing__.
                found = dict.get(namespace, name, MISSING)
            elif type(namespace) is LOCALS_PROXY:
                found = namespace.get(name, MISSING)
            else:
                raise unsafe("the class body's namespace is a mapping of the program's own")
            if found is not MISSING:
                return found
        raise _NoName(name)
