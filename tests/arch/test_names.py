from __future__ import annotations

import ast
import re

import pytest

from tests.arch.syntax import modules

#: Nouns that say nothing about what a thing is.
BANNED = {"manager", "helper", "util", "info", "data", "misc", "common", "base"}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def banned_in(name: str) -> set[str]:
    words = {word.lower() for word in _WORDS.findall(name)}
    return {word for word in words if word in BANNED or word.removesuffix("s") in BANNED}


def test_modules_and_classes_have_names_that_say_what_they_are():
    found = [f"{module.where}: {word}" for module in modules() for word in banned_in(module.name)]
    found += [
        f"{module.where}:{node.lineno}: class {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and banned_in(node.name)
    ]
    assert not found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("treetap.node.utils", {"utils"}),
        ("ProbeManager", {"manager"}),
        ("HTTPInfo", {"info"}),
        ("database", set()),
        ("Baseline", set()),
        ("treetap.store.database", set()),
    ],
)
def test_a_banned_noun_is_found_as_a_word_and_not_as_a_part_of_one(name: str, words: set[str]):
    assert banned_in(name) == words
