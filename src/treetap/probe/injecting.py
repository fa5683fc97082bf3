"""The main engine: snippets compiled into the functions themselves.

For one *root* (an outermost function, with all that is nested in it) the source is found and proven
once. Each change of its probes compiles it again, from the original, with the snippets that are
wanted now, and the code objects that differ stand in for the originals. Nothing is ever patched twice.
"""

from __future__ import annotations

from treetap.model.record import Record
from treetap.probe.code import nested_codes, walk_codes
from treetap.probe.snippet import fill
from treetap.probe.source import Unit, unit_of
from treetap.probe.splice import Placement, scope_of, splice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType

    from treetap.probe.swap import Swapper

#: ``{id of an original code object: what goes into it}``.
Placements = dict[int, list[Placement]]


class Built(Record):
    """What came of one compilation.

    Attributes:
        pairs: ``(original, stand-in)`` for each code object of the root that changes.
        refused: The ids of the code objects whose placements could not all be spliced in.
    """

    pairs: list[tuple[CodeType, CodeType]]
    refused: frozenset[int]


class InjectingEngine:
    """Compiles snippets into functions and swaps the result in.

    Args:
        swapper: Of the process's probe set; knows what stands in for what.
    """

    name = "injecting"

    def __init__(self, swapper: Swapper) -> None:
        self._swapper = swapper
        self._units: dict[int, tuple[CodeType, Unit | None]] = {}
        self._changed: dict[int, list[CodeType]] = {}

    def prove(self, root: CodeType, text: str | None) -> bool:
        """Whether ``text`` holds the source of ``root``: compiled, it is the code that runs."""
        known = self._units.get(id(root))
        if known is None:
            known = self._units[id(root)] = (
                root,
                unit_of(root, text) if text is not None else None,
            )
        return known[1] is not None

    def build(self, root: CodeType, placements: Placements) -> Built:
        """Compile a proven root with its placements; an empty dict gives the originals back."""
        unit = self._units[id(root)][1]
        wanted = {key: value for key, value in placements.items() if value}
        refused: set[int] = set()
        pairs: list[tuple[CodeType, CodeType]] = []
        while unit is not None and wanted:
            pairs, failed = self._compile(root, unit, wanted)
            if not failed:
                break
            refused |= failed
            wanted = {key: value for key, value in wanted.items() if key not in failed}
            pairs = []
        return Built(pairs, frozenset(refused))

    def apply(self, root: CodeType, built: Built, holders: Sequence[object] | None = None) -> None:
        """Swap in what was built; what is no longer changed gets its original back.

        Args:
            root: As given to ``build``.
            built: What ``build`` gave.
            holders: What refers to the code objects, where that is known already.
        """
        changed = {id(original) for original, _stand_in in built.pairs}
        before = self._changed.get(id(root), [])
        back = [(original, original) for original in before if id(original) not in changed]
        self._swapper.swap([*built.pairs, *back], holders)
        if built.pairs:
            self._changed[id(root)] = [original for original, _stand_in in built.pairs]
        else:
            self._changed.pop(id(root), None)
            self._units.pop(id(root), None)

    def _compile(
        self, root: CodeType, unit: Unit, wanted: Placements
    ) -> tuple[list[tuple[CodeType, CodeType]], set[int]]:
        tree = unit.parse()
        constants: dict[str, object] = {}
        failed = set()
        for code in walk_codes(root):
            placements = wanted.get(id(code))
            if not placements:
                continue
            scope = scope_of(tree, code)
            if scope is None or not splice(scope, placements):
                failed.add(id(code))
            for placement in placements:
                constants.update(placement.snippet.constants)
        if failed:
            return [], failed
        try:
            compiled = unit.compile_twin(tree)
        except (SyntaxError, ValueError, RecursionError):
            # The compiler takes the source and not what we have made of it.
            return [], set(wanted)
        pairs: list[tuple[CodeType, CodeType]] = []
        failed = _pair(root, compiled, constants, frozenset(wanted), pairs)
        return pairs, failed


def _pair(
    original: CodeType,
    compiled: CodeType,
    constants: dict[str, object],
    wanted: frozenset[int],
    pairs: list[tuple[CodeType, CodeType]],
) -> set[int]:
    """Fill the compiled code objects, inner ones first, and pair them with their originals."""
    inner_originals, inner_compiled = nested_codes(original), nested_codes(compiled)
    if len(inner_originals) != len(inner_compiled) or (
        (original.co_freevars, original.co_argcount) != (compiled.co_freevars, compiled.co_argcount)
    ):
        # A probe that reads a variable of an outer function would change what the function closes
        # over; Python refuses such a swap.
        return {key for key in (id(code) for code in walk_codes(original)) if key in wanted} or set(
            wanted
        )
    failed: set[int] = set()
    finished: dict[int, CodeType] = {}
    for inner, twin in zip(inner_originals, inner_compiled, strict=True):
        before = len(pairs)
        failed |= _pair(inner, twin, constants, wanted, pairs)
        stand_in = pairs[-1][1] if len(pairs) > before and pairs[-1][0] is inner else inner
        finished[id(twin)] = stand_in
    is_changed = id(original) in wanted or any(
        stand_in is not inner
        for inner, stand_in in zip(inner_originals, finished.values(), strict=True)
    )
    if is_changed:
        # An outer function that only makes the changed one keeps its own instructions.
        is_probed = id(original) in wanted
        base = fill(compiled, constants) if is_probed else original
        inner_of_base = inner_compiled if is_probed else inner_originals
        replaced = {
            id(inner): stand_in
            for inner, stand_in in zip(inner_of_base, finished.values(), strict=True)
        }
        consts = tuple(replaced.get(id(value), value) for value in base.co_consts)
        pairs.append((original, base.replace(co_consts=consts)))
    return failed
