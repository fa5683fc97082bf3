"""One function a construct, for the comparison of our hits with those of ``sys.settrace``.

Each takes nothing and returns something that tells whether it still did the same.
"""

import asyncio
import contextlib


def run(coroutine):
    """An event loop of our own making: nothing of asyncio's is traced beside the coroutine."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as exc:
        return exc.value


class Closing:
    def __init__(self, swallows=False):
        self.swallows = swallows

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return self.swallows

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        return self.swallows


async def arange(count):
    for number in range(count):
        yield number


def straight():
    a = 1
    b = a + 1
    return a, b


def if_elif_else():
    found = []
    for value in (1, 2, 3):
        if value == 1:
            found.append("one")
        elif value == 2:
            found.append("two")
        else:
            found.append("other")
    return found


def for_loop():
    total = 0
    for value in range(3):
        total += value
    return total


def for_without_rounds():
    total = 0
    for value in ():
        total += value
    return total


def for_else():
    for value in range(2):
        pass
    else:
        value = 10
    return value


def for_break():
    for value in range(10):
        if value == 3:
            break
    else:
        value = -1
    return value


def for_continue():
    total = 0
    for value in range(5):
        if value % 2:
            continue
        total += value
    return total


def for_return():
    for value in range(5):
        if value == 2:
            return value
    return None


def for_body_ends_in_break():
    for value in range(5):
        total = value
        break
    return total


def for_body_is_an_if():
    found = []
    for value in range(4):
        if value > 1:
            found.append(value)
    return found


def for_body_is_if_else():
    found = []
    for value in range(4):
        if value > 1:
            found.append(value)
        else:
            found.append(-value)
    return found


def for_body_is_a_try():
    found = []
    for value in (1, 0, 2):
        try:
            found.append(4 // value)
        except ZeroDivisionError:
            found.append(None)
    return found


def for_continue_in_try():
    found = []
    for value in (1, 0, 2):
        try:
            if not value:
                continue
            found.append(value)
        finally:
            found.append("f")
    return found


def for_continue_in_with():
    found = []
    for value in (1, 0, 2):
        with Closing():  # hits: injecting 3
            if not value:
                continue
            found.append(value)
    return found


def for_tuple():
    found = {}
    for key, value in {"a": 1, "b": 2}.items():
        found[value] = key
    return found


def for_nested():
    found = []
    for a in range(3):
        for b in range(2):
            if a == b:
                continue
            found.append((a, b))
    return found


def for_nested_last():
    found = []
    for a in range(2):
        for b in range(2):
            found.append((a, b))
        else:
            continue
        found.append("never")
    return found


def for_raises():
    try:
        for value in range(5):
            if value == 2:
                raise ValueError(value)
    except ValueError as exc:
        return exc.args
    return None


def while_loop():
    n = 3
    while n:
        n -= 1
    return n


def while_else():
    n = 3
    while n > 0:
        n -= 1
    else:
        n = 10
    return n


def while_break():
    n = 0
    while n < 10:
        n += 1
        if n == 4:
            break
    return n


def while_continue():
    n = total = 0
    while n < 5:
        n += 1
        if n == 2:
            continue
        total += n
    return total


def while_true():
    n = 0
    while True:
        n += 1
        if n > 3:
            break
    return n


def while_true_continue():
    n = 0
    while True:
        n += 1
        if n < 3:
            continue
        return n


def while_and():
    a, b = 3, 5
    while a and b:
        a -= 1
        b -= 1
    return a, b


def while_not():
    done = []
    while not done:
        done.append(1)
    return done


def while_walrus():
    items = [3, 2, 0, 5]
    found = []
    while (value := items.pop(0)):
        found.append(value)
    return found


def try_finally():
    found = []
    try:
        found.append(1)
    finally:
        found.append(2)
    return found


def try_finally_raises():
    found = []
    try:
        try:
            raise KeyError("k")
        finally:
            found.append(2)
    except KeyError:
        found.append(3)
    return found


def try_finally_returns():
    def inner(found):
        try:
            return found
        finally:
            found.append(2)

    return inner([])


def try_except():
    try:
        value = int("x")
    except ValueError:
        value = 0
    return value


def try_except_several():
    found = []
    for value in ("1", "x", None):
        try:
            found.append(int(value))
        except ValueError:
            found.append("v")
        except TypeError as exc:
            found.append(type(exc).__name__)
        else:
            found.append("fine")
        finally:
            found.append("f")
    return found


def try_except_bare():
    try:
        1 / 0
    except:  # noqa: E722
        value = "bare"
    return value


def try_star():
    found = []
    try:
        raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
    except* ValueError:
        found.append("v")
    except* TypeError:
        found.append("t")
    return found


def with_as():
    with Closing() as closing:  # hits: injecting 1
        value = closing.swallows
    return value


def with_two():
    with Closing() as one, Closing() as two:  # hits: injecting 1
        value = one is two
    return value


def with_nested():
    with Closing():  # hits: injecting 1
        with Closing():  # hits: injecting 1
            value = 1
        value += 1
    return value


def with_swallows():
    value = 1
    with Closing(swallows=True):  # hits: injecting 1
        raise ValueError
    return value


def with_suppress():
    value = 1
    with contextlib.suppress(ZeroDivisionError):  # hits: injecting 1
        value = 1 / 0
    return value


def matching():
    found = []
    for value in (1, "x", [1, 2], {"k": 3}, None):
        match value:
            case 1:
                found.append("one")
            case str():
                found.append("text")
            case [a, b]:
                found.append(a + b)
            case {"k": k}:
                found.append(k)
            case _:
                found.append("other")
    return found


def matching_guard():
    found = []
    for value in (1, 5):
        match value:
            case n if n > 3:
                found.append("big")
            case n:
                found.append("small")
    return found


def comprehensions():
    a = [x for x in range(3)]  # hits: 1
    b = {x for x in range(3)}  # hits: 1
    c = {x: x for x in range(3)}  # hits: 1
    return a, b, c


def comprehension_lines():
    return [  # hits: injecting 1, splicing 2
        x * 2  # hits: injecting any
        for x in range(3)  # hits: injecting 1, splicing 1
        if x  # hits: injecting any
    ]


def generator_expression():
    return sum(x for x in range(3))  # hits: 1


def generator():
    def made():
        for value in range(3):
            got = yield value
        return got

    return list(made())


def generator_from():
    def inner():
        yield 1
        yield 2

    def outer():
        yield 0
        yield from inner()
        yield 3

    return list(outer())


def coroutine():
    async def add(a, b):
        return a + b

    async def main():
        one = await add(1, 2)
        two = await add(one, 3)
        return two

    return run(main())


def async_for():
    async def main():
        total = 0
        async for value in arange(3):
            if value == 1:
                continue
            total += value
        else:
            total += 100
        return total

    return run(main())


def async_with():
    async def main():
        async with Closing() as closing:  # hits: injecting 1
            value = closing.swallows
        return value

    return run(main())


def asyncio_task():
    async def main():
        await asyncio.sleep(0)
        total = 0
        for _ in range(2):
            await asyncio.sleep(0)
            total += 1
        return total

    return asyncio.run(main())


def lambdas():
    double = lambda x: x * 2  # hits: 1
    return [double(x) for x in (1, 2)]  # hits: 1


def recursion():
    def down(n):
        if not n:
            return 0
        return 1 + down(n - 1)

    return down(3)


def conditional():
    a = 1 if for_loop() else 2
    b = a and 3
    return b


def asserting():
    a = 1
    assert a
    return a


def deleting():
    a = [1, 2]
    del a[0]
    return a


def nested_class():
    class Inner:  # hits: 1
        value = 1

        def get(self):
            return self.value

    return Inner().get()


def decorated():
    def twice(function):
        def run_twice():
            function()
            return function()

        return run_twice

    @twice  # hits: injecting 1, splicing 1
    def made():  # hits: injecting 1
        return 1

    return made()


def globals_and_nonlocals():
    count = 0

    def add():
        nonlocal count  # hits: 2
        count += 1

    add()
    add()
    return count


def docstring():
    """A docstring.  # hits: 1"""
    a = 1
    return a


def only_docstring():
    """Nothing else."""


def ellipsis_body(): ...


def pass_body():
    pass


def passes():
    for _ in range(2):
        pass
    if True:
        pass
    return 1


def constants():
    a = 1
    "a text that does nothing"
    return a


def one_line(): return 1


def one_line_if():
    a = 0
    if not a: a = 1
    return a


def one_line_for():
    a = 0
    for x in range(3): a += x  # hits: monitoring 1
    return a


def one_line_while():
    n = 3
    while n: n -= 1  # hits: injecting 4, monitoring 1
    return n


def semicolons():
    a = 1; b = 2; c = a + b
    return c


def raise_from():
    try:
        try:
            raise KeyError(1)
        except KeyError as exc:
            raise ValueError(2) from exc
    except ValueError as exc:
        return type(exc.__cause__).__name__


def multi_line_call():
    return max(  # hits: injecting 1, splicing 1
        1,
        2,
        3,
    )


def multi_line_if():
    a = 1
    b = 2
    if (  # hits: injecting any
        a
        and b
    ):
        return a + b
    return 0


def multi_line_for():
    total = 0
    for value in (
        1,
        2,
    ):
        total += value
    return total


def multi_line_assign():
    value = [
        1,
        for_loop(),
        straight(),
    ]
    return value


def multi_line_chain():
    text = (
        "a,b"
        .replace(",", ";")
        .upper()
    )
    return text


def default_arguments():
    def inner(
        a=1,
        b=2,
    ):  # hits: 1
        return a + b

    return inner()


def star_arguments(*rest, **named):
    return rest, named


def type_annotated():
    a: int = 1
    b: int
    return a


def imports():
    import json
    from json import dumps

    return json.dumps is dumps


def if_constant():
    if 0:
        a = 1
    else:
        a = 2
    if __debug__:
        a += 1
    return a


def nested_try_in_loops():
    found = []
    for a in range(3):
        try:
            for b in range(3):
                try:
                    if a == b == 1:
                        raise ValueError
                    if b == 2:
                        break
                    continue
                except ValueError:
                    continue
                finally:
                    found.append((a, b))
        except KeyError:
            pass
    return found


def loop_in_finally():
    found = []
    try:
        found.append(0)
    finally:
        for x in range(2):
            found.append(x)
    return found


def loop_in_except():
    found = []
    try:
        raise ValueError
    except ValueError:
        for x in range(2):
            if x:
                continue
            found.append(x)
    return found


def loop_in_match():
    found = []
    for x in (1, 2):
        match x:
            case 1:
                continue
            case 2:
                for y in range(2):
                    found.append(y)
    return found


def closures():
    made = []
    for x in range(2):
        def inner(y, x=x):
            return x + y

        made.append(inner)
    return [f(1) for f in made]  # hits: 1


def many_globals():
    global _written  # hits: 1
    _written = 1
    return _written


#: In the order of the file.
ALL = [
    value
    for name, value in list(globals().items())
    if getattr(value, "__module__", None) == __name__
    and type(value).__name__ == "function"
    and name not in ("run", "arange")
]
