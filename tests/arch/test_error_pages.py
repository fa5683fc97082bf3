from __future__ import annotations

import ast
import re

import pytest

from tests.arch.syntax import REPOSITORY, modules

PAGES = REPOSITORY / "docs" / "errors"
FORM = re.compile(r"[a-z]+(-[a-z]+)*\Z")


def slugs_raised() -> dict[str, str]:
    """``{slug: where it is}``: each ``slug="…"``, ``{"slug": "…"}``, and each class's own."""
    found: dict[str, str] = {}
    for module in modules():
        for node in ast.walk(module.tree):
            for value in _slug_values(node):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    found.setdefault(value.value, f"{module.where}:{value.lineno}")
    return found


def _slug_values(node: ast.AST) -> list[ast.expr | None]:
    match node:
        case ast.keyword(arg="slug", value=value):
            return [value]
        case ast.Assign(targets=[ast.Name(id="slug")], value=value):
            return [value]
        case ast.Dict(keys=keys, values=values):
            return [
                value
                for key, value in zip(keys, values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "slug"
            ]
    return []


def texts_in_source() -> set[str]:
    return {
        node.value
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def pages() -> dict[str, str]:
    return {page.stem: page.read_text(encoding="utf-8") for page in sorted(PAGES.glob("*.md"))}


def test_every_slug_has_its_page():
    missing = {slug: where for slug, where in slugs_raised().items() if slug not in pages()}
    assert not missing, f"write docs/errors/<slug>.md for each of {missing}"


def test_every_page_is_of_a_slug_that_the_source_knows():
    # A slug may also be passed on by position, so any text of the source that equals it counts.
    unknown = pages().keys() - texts_in_source()
    assert not unknown


def test_slugs_are_words_and_dashes():
    assert [slug for slug in slugs_raised() if not FORM.match(slug)] == []


@pytest.mark.parametrize("slug", pages())
def test_a_page_has_its_slug_as_title_and_says_what_why_and_the_way_out(slug: str):
    text = pages()[slug]
    lines = text.splitlines()
    assert lines[0] == f"# {slug}"
    assert "```" in text, "show the error as it looks"
    assert re.search(r"way out", text, re.IGNORECASE), "say the way out"
    assert len([line for line in lines if line.strip()]) >= 6, "say what it means, and why"
