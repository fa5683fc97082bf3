from __future__ import annotations

import ast

from tests.arch.syntax import modules

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_there_is_no_global_statement():
    found = [
        f"{module.where}:{node.lineno}: global {', '.join(node.names)}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Global)
    ]
    assert not found


def test_closing_the_owner_is_the_reset():
    found = [
        f"{module.where}:{node.lineno}: {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, FUNCTIONS) and node.name.lstrip("_").startswith("reset_")
    ]
    assert not found
