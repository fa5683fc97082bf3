from __future__ import annotations

import ast

import pytest

from tests.arch.syntax import Module, modules

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_there_is_no_global_statement(module: Module):
    found = [
        f"{module.where}:{node.lineno}: global {', '.join(node.names)}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Global)
    ]
    assert not found


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_closing_the_owner_is_the_reset(module: Module):
    found = [
        f"{module.where}:{node.lineno}: {node.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, FUNCTIONS) and node.name.lstrip("_").startswith("reset_")
    ]
    assert not found
