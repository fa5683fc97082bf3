from __future__ import annotations

import os

import pytest

from treetap.daemon.inspection import inspect_file
from treetap.errors import DaemonError

SHOP = '''\
import json

LIMIT = 10

class Cart:
    """A cart."""

    rate = 2

    def add(self, order, *rest, key=None, **more):
        total = order.price
        for item in rest:
            total += item.price
        self.total = total
        doubled = [each * 2 for each in rest]

        def inner(factor):
            result = total * factor
            return result

        return inner(LIMIT)

    async def load(self):
        async with open_it() as file:
            if (size := len(file)) > LIMIT:
                raise ValueError
        try:
            pass
        except OSError as error:
            return error
'''


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.py"
    path.write_text(SHOP, encoding="utf-8")
    return str(path)


def line_of(text: str) -> int:
    return next(i for i, line in enumerate(SHOP.splitlines(), 1) if text in line)


def available(shop: str, text: str) -> list[str]:
    return inspect_file(shop, line=line_of(text)).available


def test_what_can_be_read_at_a_line_is_what_is_bound_above_it_and_what_the_module_has(shop):
    names = ["self", "order", "rest", "key", "more"]
    assert sorted(available(shop, "total = order.price")) == sorted([*names, "LIMIT"])
    assert sorted(available(shop, "self.total =")) == sorted([*names, "total", "item", "LIMIT"])
    assert available(shop, "rate = 2") == ["LIMIT"]
    assert available(shop, "LIMIT = 10") == []


def test_a_function_reads_of_those_around_it_what_it_uses(shop):
    assert available(shop, "return result") == ["factor", "result", "total", "LIMIT"]


def test_names_of_with_walrus_and_except_are_names(shop):
    assert {"file", "size"} <= set(available(shop, "raise ValueError"))
    assert "error" in available(shop, "return error")


def test_a_line_is_shown_with_those_around_it_and_whether_it_holds_code(shop):
    seen = inspect_file(shop, line=line_of("total = order.price"))
    assert seen.language == "Python"
    assert seen.holds_code
    assert [number for number, _ in seen.context] == list(range(1, 22))
    assert dict(seen.context)[seen.line] == "        total = order.price"
    empty = inspect_file(shop, line=line_of("def inner") - 1)
    assert (empty.holds_code, empty.nearest) == (False, [empty.line - 1, empty.line + 1])


def test_a_name_is_found_where_it_is_bound_and_read_on_the_line_after(shop):
    seen = inspect_file(shop, name="total")
    assert seen.definitions == [
        (line_of("total = order.price"), "Cart.add", "total = order.price"),
        (line_of("total += item.price"), "Cart.add", "total += item.price"),
    ]
    assert seen.suggested == [line_of("for item in rest"), line_of("self.total = total")]
    assert inspect_file(shop, name="self.total").definitions[0][1] == "Cart.add"
    assert inspect_file(shop, name="LIMIT").definitions == [(3, "module", "LIMIT = 10")]
    assert inspect_file(shop, name="totel").similar[0] == "total"


def test_without_a_wish_the_beginning_is_shown(shop):
    seen = inspect_file(shop)
    assert [number for number, _ in seen.context] == list(range(1, 21))
    assert len(seen.lines) == SHOP.count("\n")


def test_what_can_t_be_parsed_is_shown_all_the_same(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n    x = 1\n")
    seen = inspect_file(str(broken), line=2)
    assert (seen.complaint[:24], seen.holds_code) == ("The file can't be parsed", None)
    assert seen.context == [(1, "def f(:"), (2, "    x = 1")]
    outside = tmp_path / "outside.py"
    outside.write_text("x = 1\nreturn x\n")
    assert "can't be compiled" in inspect_file(str(outside), line=2).complaint
    deep = tmp_path / "deep.py"
    deep.write_text("x = " + "+".join(["1"] * 30_000) + "\ny = x\n")
    assert inspect_file(str(deep), line=2).line == 2


def test_a_huge_file_is_shown_and_not_parsed(tmp_path):
    huge = tmp_path / "huge.py"
    huge.write_text("x = 1\n" * 100_000)
    seen = inspect_file(str(huge), line=99_999, name="x")
    assert "isn't parsed" in seen.complaint
    assert (len(seen.context), len(seen.definitions), seen.holds_code) == (12, 50, None)


def test_other_languages_are_searched_by_how_they_bind(tmp_path):
    go = tmp_path / "shop.go"
    go.write_text(
        "package main\nfunc f() {\n\ttotal, err := g()\n\tvar rate int\n\ttotalled == 1\n}\n"
    )
    assert inspect_file(str(go), name="total").definitions == [(3, "", "total, err := g()")]
    assert inspect_file(str(go), name="rate").suggested == [5]
    rust = tmp_path / "shop.rs"
    rust.write_text("fn f() {\n    let mut total = 1;\n    total = 2;\n}\n")
    assert [line for line, *_ in inspect_file(str(rust), name="total").definitions] == [2, 3]


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("shop.py", "source-path"),
        ("", "source-path"),
        ("/a\0b", "source-path"),
        ("/" + "a" * 5000, "source-path"),
        ("/nowhere/shop.py", "source-missing"),
        ("/dev/null/shop.py", "source-missing"),
        ("/dev/zero", "source-unreadable"),
        ("/", "source-unreadable"),
        ("/" + "a" * 300, "source-unreadable"),
    ],
)
def test_a_path_of_no_source_is_refused(path, slug):
    with pytest.raises(DaemonError) as caught:
        inspect_file(path)
    assert caught.value.slug == slug


def test_a_pipe_is_not_waited_for_and_no_text_is_no_source(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "big.py").write_bytes(b"#" * (2 * 1024 * 1024 + 1))
    (tmp_path / "raw.py").write_bytes(b"\xff\xfe")
    for name in ("pipe.py", "big.py", "raw.py"):
        with pytest.raises(DaemonError) as caught:
            inspect_file(str(tmp_path / name))
        assert caught.value.slug == "source-unreadable"


def test_a_line_that_isn_t_there_is_refused(shop):
    for line in (-1, 10_000):
        with pytest.raises(DaemonError) as caught:
            inspect_file(shop, line=line)
        assert caught.value.slug == "source-line"
