from __future__ import annotations

import ast

from tests.arch.syntax import Module, modules

MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60

#: ``{file or file:function: why it is one piece}``. Short, and getting shorter.
ONE_PIECE: dict[str, str] = {}


def long_ones(module: Module) -> dict[str, int]:
    found = {module.where: module.lines} if module.lines > MAX_FILE_LINES else {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                found[f"{module.where}:{node.name}"] = lines
    return found


def test_a_long_file_or_function_says_why_it_is_one_piece():
    unexplained = {
        where: lines
        for module in modules()
        for where, lines in long_ones(module).items()
        if where not in ONE_PIECE
    }
    assert not unexplained, "does it hold two ideas? if not: ONE_PIECE in tests/arch/test_sizes.py"


def test_what_needs_no_excuse_has_none():
    needed = {where for module in modules() for where in long_ones(module)}
    assert not ONE_PIECE.keys() - needed
