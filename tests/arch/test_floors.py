from __future__ import annotations

import pytest

from tests.arch.floors import PLAN, complaint
from tests.arch.syntax import Module, imports, modules


def inside() -> list[Module]:
    return [module for module in modules() if module.name != "treetap"]


def test_every_package_has_its_place_in_the_floor_plan():
    strangers = {module.package for module in inside()} - PLAN.keys()
    assert not strangers, f"give these a floor and a tower in tests/arch/floors.py: {strangers}"


def test_imports_go_down_and_the_towers_never_meet():
    complaints = [
        f"{module.where}:{found.line}: imports {found.target}: {reason}"
        for module in inside()
        for found in imports(module)
        if (package := found.target.partition(".")[2].partition(".")[0])
        if (reason := complaint(module.package, package))
    ]
    assert not complaints, "\n".join(complaints)


def test_nothing_inside_imports_the_root_package():
    complaints = [
        f"{module.where}:{found.line}"
        for module in inside()
        for found in imports(module)
        if found.target == "treetap"
    ]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    ("importer", "imported", "is_allowed"),
    [
        ("node", "probe", True),
        ("api", "store", True),
        ("cli", "node", True),
        ("cli", "app", True),
        ("daemon", "link", True),
        ("startup", "node", True),
        ("model", "wire", False),
        ("wire", "config", False),
        ("daemon", "node", False),
        ("node", "store", False),
        ("daemon", "client", False),
        ("link", "probe", False),
        ("node", "startup", False),
    ],
)
def test_the_rule_itself_tells_right_from_wrong(importer: str, imported: str, is_allowed: bool):
    assert (complaint(importer, imported) == "") is is_allowed


def test_an_import_inside_a_function_counts(tmp_path):
    import ast

    text = "def f():\n    import treetap.app.server\n    from importlib import import_module as m\n"
    module = Module("treetap.node.x", tmp_path / "x.py", ast.parse(text), 3)
    assert [(found.target, found.line) for found in imports(module)] == [("treetap.app.server", 2)]
