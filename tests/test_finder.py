"""What Python's own way of finding modules would have found, found sooner."""

from __future__ import annotations

import compileall
import os
import py_compile
import sys
from importlib.machinery import FileFinder, SourceFileLoader, SourcelessFileLoader
from importlib.util import module_from_spec

import pytest

from treetap import finder
from treetap.finder import OwnFinder


@pytest.fixture
def directory(tmp_path):
    """A package's directory, with a module and a package in it, and bytecode for both."""
    (tmp_path / "shop.py").write_text('"""Sells."""\nstock = 3\n')
    (tmp_path / "cart").mkdir()
    (tmp_path / "cart" / "__init__.py").write_text("items = []\n")
    (tmp_path / "cart" / "item.py").write_text("price = 7\n")
    compileall.compile_dir(tmp_path, quiet=2)
    yield tmp_path
    for path in [path for path in sys.path_importer_cache if path.startswith(str(tmp_path))]:
        del sys.path_importer_cache[path]


def load(spec):
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["ours.shop", "ours.cart"])
def test_a_module_is_what_it_would_be_without_us(directory, name):
    ours = load(OwnFinder(str(directory)).find_spec(name))
    usual = load(FileFinder(str(directory), (SourceFileLoader, [".py"])).find_spec(name))
    names = ("__name__", "__doc__", "__package__", "__file__", "__cached__", "__path__")
    assert [getattr(ours, each, "-") for each in names] == [
        getattr(usual, each, "-") for each in names
    ]
    names = ("origin", "cached", "has_location", "submodule_search_locations", "parent")
    assert [getattr(ours.__spec__, each) for each in names] == [
        getattr(usual.__spec__, each) for each in names
    ]
    assert isinstance(ours.__loader__, SourceFileLoader)
    assert ours.__loader__.get_code(name) == usual.__loader__.get_code(name)
    assert ours.__loader__.get_source(name) == usual.__loader__.get_source(name)


def test_bytecode_that_was_compiled_under_another_name_has_its_own(directory):
    path = directory / "shop.py"
    py_compile.compile(str(path), dfile="elsewhere/shop.py", doraise=True)
    code = OwnFinder(str(directory)).find_spec("ours.shop").loader.get_code("ours.shop")
    assert code.co_filename == str(path)


def test_the_modules_of_a_package_are_found_by_us_as_well(directory):
    assert "ours.cart" in OwnFinder(str(directory)).find_spec("ours.cart").name
    found = sys.path_importer_cache[str(directory / "cart")]
    assert type(found) is OwnFinder
    assert load(found.find_spec("ours.cart.item")).price == 7


def test_a_source_that_has_changed_is_compiled_anew(directory):
    source = directory / "shop.py"
    before = source.stat()
    source.write_text('"""Sells."""\nstock = 30\n')
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load(OwnFinder(str(directory)).find_spec("ours.shop")).stock == 30
    source.write_text('"""Sells."""\nstock = 40\n')
    os.utime(source, (before.st_atime + 2, before.st_mtime + 2))
    assert load(OwnFinder(str(directory)).find_spec("ours.shop")).stock == 40


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_each_kind_of_bytecode_is_heeded_as_python_does(directory, mode):
    source = directory / "shop.py"
    py_compile.compile(str(source), invalidation_mode=mode)
    assert load(OwnFinder(str(directory)).find_spec("ours.shop")).stock == 3
    source.write_text('"""Sells."""\nstock = 50\n')
    usual = load(FileFinder(str(directory), (SourceFileLoader, [".py"])).find_spec("ours.shop"))
    py_compile_again = load(OwnFinder(str(directory)).find_spec("ours.shop"))
    assert py_compile_again.stock == usual.stock


@pytest.mark.parametrize("content", [b"", b"nothing of the kind, but long enough"])
def test_broken_bytecode_is_none(directory, content):
    spec = OwnFinder(str(directory)).find_spec("ours.shop")
    with open(spec.cached, "wb") as file:
        file.write(content)
    assert load(spec).stock == 3


def test_what_is_not_there_is_not_found(directory):
    assert OwnFinder(str(directory)).find_spec("ours.nowhere") is None


def test_bytecode_without_a_source_is_left_to_python(directory):
    os.replace(directory / "__pycache__" / f"shop.{sys.implementation.cache_tag}.pyc", directory / "shop.pyc")  # fmt: skip
    (directory / "shop.py").unlink()
    spec = OwnFinder(str(directory)).find_spec("ours.shop")
    assert isinstance(spec.loader, SourcelessFileLoader)
    assert load(spec).stock == 3


def test_a_python_that_keeps_no_bytecode_finds_modules_its_own_way(directory, monkeypatch):
    monkeypatch.setattr(sys.implementation, "cache_tag", None)
    finder.install(str(directory))
    assert str(directory) not in sys.path_importer_cache
