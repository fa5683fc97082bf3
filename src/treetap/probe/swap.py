"""Exchanging the code objects of living functions, and finding those functions.

A function is found by the collector: every function object that holds a code object refers to it,
whatever dict, decorator, closure or container the function itself hides in. The collector doesn't look
at what ``gc.freeze()`` has put aside, so functions that the lookup met are remembered as well.
"""

from __future__ import annotations

import gc
import sys

# `weakref` itself takes half a millisecond.
from _weakref import ref

from treetap.interpreter import CodeType, FunctionType
from treetap.probe.code import nested_codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Swapper:
    """Which code object stands in for which, and the way back.

    Every stand-in that was ever issued is kept until nothing holds it, also when its original is back:
    a function made from an older one may turn up later, and the body of a script that runs may have it
    among its constants.
    """

    def __init__(self) -> None:
        self._stand_ins: dict[int, CodeType] = {}
        self._originals: dict[int, CodeType] = {}
        self._issued: dict[int, list[CodeType]] = {}
        self._known: dict[int, list[ref[FunctionType]]] = {}

    def original(self, code: CodeType) -> CodeType:
        """What ``code`` stands in for; itself if it is nobody's stand-in."""
        return self._originals.get(id(code), code)

    def current(self, code: CodeType) -> CodeType:
        """What stands in for the original ``code`` now; itself if nothing does."""
        return self._stand_ins.get(id(code), code)

    def issued(self, code: CodeType) -> tuple[CodeType, ...]:
        """Every stand-in of the original ``code`` that something may still hold."""
        return tuple(self._issued.get(id(code), ()))

    def give_up(self, codes: Iterable[CodeType]) -> None:
        """Let the present stand-ins of ``codes`` be the originals from now on."""
        for code in codes:
            self._stand_ins.pop(id(code), None)
            self._forget(code)

    def remember(self, functions: Iterable[FunctionType]) -> None:
        """Functions that the collector may not show."""
        for function in functions:
            references = self._known.setdefault(id(self.original(function.__code__)), [])
            if not any(reference() is function for reference in references):
                references.append(ref(function))

    def swap(
        self,
        wanted: Iterable[tuple[CodeType, CodeType]],
        holders: Sequence[object] | None = None,
    ) -> int:
        """For each ``(original, stand-in)``: every function that runs the one runs the other.

        An original as its own stand-in puts things back, by identity.

        Args:
            wanted: The pairs.
            holders: What refers to the code objects, where that is known already.

        Returns:
            How many functions were changed.
        """
        pairs = list(wanted)
        replaced: dict[int, CodeType] = {}
        olds: list[CodeType] = []
        for original, stand_in in pairs:
            versions = [original, *self._issued.get(id(original), [])]
            for version in versions:
                if version is not stand_in:
                    replaced[id(version)] = stand_in
                    olds.append(version)
            self._note(original, stand_in)
        if holders is None:
            holders = gc.get_referrers(*olds) if olds else ()
        changed = self._exchange(holders, replaced)
        if len(pairs) > 1 and olds:
            # Until its outer function was changed too, a nested one went on to be made of the old code.
            changed += self._exchange(gc.get_referrers(*olds), replaced)
        for original, stand_in in pairs:
            if stand_in is original:
                self._known.pop(id(original), None)
        return changed

    def _exchange(self, holders: Sequence[object], replaced: dict[int, CodeType]) -> int:
        changed = 0
        for holder in (*holders, *self._known_functions()) if replaced else ():
            if type(holder) is not FunctionType:
                continue
            stand_in = replaced.get(id(holder.__code__))
            if stand_in is not None:
                holder.__code__ = stand_in
                changed += 1
        return changed

    def _known_functions(self) -> list[FunctionType]:
        found = (reference() for references in self._known.values() for reference in references)
        return [function for function in found if function is not None]

    def _note(self, original: CodeType, stand_in: CodeType) -> None:
        if stand_in is original:
            self._stand_ins.pop(id(original), None)
            return
        self._stand_ins[id(original)] = stand_in
        self._originals[id(stand_in)] = original
        self._issued.setdefault(id(original), []).append(stand_in)

    def forget_stale(self) -> None:
        """Let go of the stand-ins that no function, frame or other code object holds any more."""
        for key, issued in list(self._issued.items()):
            held = []
            while issued:
                version = issued.pop()
                # One reference is ours, and one the call's.
                if sys.getrefcount(version) > 2:
                    held.append(version)
                else:
                    self._originals.pop(id(version), None)
            issued[:] = reversed(held)
            if not held:
                del self._issued[key]

    def has_issued(self, key: int) -> bool:
        """Whether ``key`` is the id of a stand-in that something may still hold."""
        return key in self._originals

    def _forget(self, original: CodeType) -> None:
        for version in self._issued.pop(id(original), []):
            self._originals.pop(id(version), None)
        self._known.pop(id(original), None)

    def rebuilt(self, code: CodeType) -> CodeType:
        """``code`` with the stand-ins of all that is nested in it; itself if there are none."""
        replaced = {}
        for inner in nested_codes(code):
            stand_in = self.current(inner)
            if stand_in is inner:
                stand_in = self.rebuilt(inner)
            if stand_in is not inner:
                replaced[id(inner)] = stand_in
        if not replaced:
            return code
        return code.replace(
            co_consts=tuple(replaced.get(id(value), value) for value in code.co_consts)
        )
