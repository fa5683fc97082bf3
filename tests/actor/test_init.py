from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import treetap.actor


def loaded_by(code: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {code}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    return set(done.stdout.split())


def test_the_import_alone_loads_neither_trio_nor_msgspec():
    loaded = loaded_by("import treetap.actor")
    assert not loaded & {"trio", "msgspec", "asyncio", "typing", "inspect"}
    assert {name for name in loaded if name.startswith("treetap")} == {"treetap", "treetap.actor"}


def test_a_channel_costs_little_more_than_trio_and_msgspec():
    loaded = loaded_by("import treetap.actor.peer")
    floor = loaded_by("import trio, msgspec")
    more = {name for name in loaded - floor if not name.startswith("treetap")}
    assert len(more) < 10, more
    assert "asyncio" not in more


@pytest.mark.parametrize("name", treetap.actor.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(treetap.actor, name) is not None
    assert name in dir(treetap.actor)


def test_a_name_that_is_not_public_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="no_such_name"):
        treetap.actor.no_such_name


def test_type_checkers_see_the_same_names():
    with open(treetap.actor.__file__) as file:
        tree = ast.parse(file.read())
    seen = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert seen == set(treetap.actor.__all__)
