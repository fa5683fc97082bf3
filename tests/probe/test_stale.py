from __future__ import annotations

import gc
import sys

from treetap.probe.stale import exchange_constants


def make():
    """A function with constants of its own, which nothing else holds."""
    namespace = {}
    exec("def f(a):\n return [12345.5, a, 'third text']", namespace)
    return namespace["f"]


def test_a_constant_is_exchanged_for_code_that_exists_already():
    function = make()
    code = function.__code__
    constant = next(value for value in code.co_consts if value == "third text")
    assert exchange_constants(code, {id(constant): [1]})
    assert function(0) == [12345.5, 0, [1]]
    assert function.__code__ is code
    assert not exchange_constants(code, {id(constant): [1]})


def test_every_reference_is_counted():
    function = make()
    code = function.__code__
    old, new = object(), object()
    constant = next(value for value in code.co_consts if value == "third text")
    before = sys.getrefcount(constant), sys.getrefcount(old), sys.getrefcount(new)
    for _ in range(100):
        exchange_constants(code, {id(constant): old})
        exchange_constants(code, {id(old): new})
        exchange_constants(code, {id(new): constant})
    assert (sys.getrefcount(constant), sys.getrefcount(old), sys.getrefcount(new)) == before
    exchange_constants(code, {id(constant): new})
    assert sys.getrefcount(new) == before[2] + 1
    assert sys.getrefcount(constant) == before[0] - 1
    del function, code
    gc.collect()
    assert sys.getrefcount(new) == before[2]
