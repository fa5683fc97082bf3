from __future__ import annotations

import gc

from treetap.probe.swap import Swapper


def make(number):
    def f():
        return number

    return f


def other():
    number = 2

    def f():
        return number + 100

    return f


def test_every_function_that_shares_the_code_is_changed_and_put_back_by_identity():
    swapper = Swapper()
    functions = [make(1), make(2)]
    original, stand_in = functions[0].__code__, other().__code__.replace()
    assert swapper.swap([(original, stand_in)]) == 2
    assert [function() for function in functions] == [101, 102]
    assert swapper.original(stand_in) is original
    assert swapper.current(original) is stand_in
    assert swapper.swap([(original, original)]) == 2
    assert all(function.__code__ is original for function in functions)
    assert swapper.current(original) is original
    assert swapper.original(stand_in) is original
    key = id(stand_in)
    del stand_in
    swapper.forget_stale()
    assert not swapper.has_issued(key)


def test_a_function_made_from_an_older_stand_in_is_changed_too():
    swapper = Swapper()
    function = make(1)
    original = function.__code__
    first, second = other().__code__, other().__code__.replace()
    swapper.swap([(original, first)])
    late = make(3)
    late.__code__ = first
    swapper.swap([(original, second)])
    assert late.__code__ is second
    swapper.swap([(original, original)])
    assert late.__code__ is original


def test_code_that_is_equal_and_not_the_same_is_left_alone():
    swapper = Swapper()
    function, twin = make(1), make(2)
    twin.__code__ = twin.__code__.replace()
    assert twin.__code__ == function.__code__
    swapper.swap([(function.__code__, other().__code__)])
    assert (function(), twin()) == (101, 2)


def test_a_remembered_function_is_found_though_the_collector_hides_it():
    swapper = Swapper()
    function = make(1)
    swapper.remember([function])
    gc.freeze()
    try:
        swapper.swap([(function.__code__, other().__code__)])
        assert function() == 101
    finally:
        gc.unfreeze()


def test_remembering_keeps_nothing_alive():
    swapper = Swapper()
    function = make(1)
    swapper.remember([function])
    del function
    gc.collect()
    assert swapper._known_functions() == []


def test_a_code_object_is_rebuilt_with_the_stand_ins_of_what_is_nested_in_it():
    swapper = Swapper()
    inner = make(1).__code__
    stand_in = other().__code__
    swapper.swap([(inner, stand_in)])
    rebuilt = swapper.rebuilt(make.__code__)
    assert any(value is stand_in for value in rebuilt.co_consts)
    assert swapper.rebuilt(other.__code__) is other.__code__


def test_a_stand_in_that_a_frame_still_runs_is_kept():
    swapper = Swapper()

    def f():
        yield 1
        yield 2

    original = f.__code__
    swapper.swap([(original, first := original.replace())])
    suspended = f()
    assert next(suspended) == 1
    swapper.swap([(original, original.replace())])
    key = id(first)
    del first
    swapper.forget_stale()
    assert swapper.has_issued(key)
    suspended.close()
    del suspended
    swapper.forget_stale()
    assert not swapper.has_issued(key)


def test_stale_stand_ins_are_forgotten_as_probes_change():
    swapper = Swapper()
    function = make(1)
    original = function.__code__
    for _ in range(40):
        swapper.swap([(original, other().__code__.replace())])
        swapper.forget_stale()
        assert len(swapper.issued(original)) == 1
    assert function() == 101
    swapper.swap([(original, original)])
    swapper.forget_stale()
    assert swapper.issued(original) == ()
