"""The program that is measured: one small module, written several times with one line changed.

``handle`` takes about 300 ns, as a small function of a real program does. A probe takes three values
on a line in its middle: an attribute of a local, a local, and a length.
"""

from __future__ import annotations

import importlib.util
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType

EXPRESSIONS = ("order.total", "qty", "len(items)")
#: Never true for the order that the benchmarks use: of an attribute, and of a local.
FALSE_CONDITION = "order.total < 0"
FALSE_LOCAL_CONDITION = "qty < 0"
#: Text of the line that a probe sits on, and of the one before the loop of ``beside``.
PROBED_TEXT = "tax = (subtotal - discount) * 0.2"
BESIDE_TEXT = "total = order.total"

_TEMPLATE = """\
import logging
import time
from time import time_ns

rows = []
log = logging.getLogger(__name__)


class Order:
    def __init__(self, total):
        self.total = total


def handle(order, qty, items):
    subtotal = order.total * qty
    discount = subtotal * 0.05 if qty > 2 else 0.0
{hand}    tax = (subtotal - discount) * 0.2
    weight = len(items) * qty + 1
    if tax > 100 and weight > 10:
        size = "large"
    elif tax > 50 or weight > 5:
        size = "middle"
    else:
        size = "small"
    shipping = weight * 0.5 + (4.9 if size == "small" else 9.9)
    return subtotal - discount + tax + shipping


def beside(order, n):
    total = order.total
    for i in range(n):
        total += i & 3
        total -= i & 1
    return total


def other(n):
    total = 0
    for i in range(n):
        total += i & 3
        total -= i & 1
    return total


def serve(order, qty, items, stop):
    # A request handler's loop, never left until `stop` holds something.
    while not stop:
        handle(order, qty, items)
        time.sleep(0)
"""

#: What a programmer writes by hand in place of a probe.
HAND = {
    "bare": "",
    "append": "    rows.append((time_ns(), order.total, qty, len(items)))\n",
    "if": "    if order.total < 0:\n        rows.append(time_ns())\n",
    "logging": '    log.info("order %s %s %s", order.total, qty, len(items))\n',
}

_numbers = count(1)


class Shop(NamedTuple):
    """One imported copy of the module."""

    module: ModuleType
    path: str

    def line_of(self, text: str) -> int:
        lines = Path(self.path).read_text(encoding="utf-8").splitlines()
        return next(n for n, line in enumerate(lines, 1) if line.strip() == text)

    def call(self) -> tuple[object, int, list[int]]:
        """Arguments for ``handle``."""
        return self.module.Order(30.5), 3, [1, 2, 3, 4]


def write_shop(directory: Path, name: str, hand: str = "") -> Path:
    path = directory / f"{name}.py"
    path.write_text(_TEMPLATE.format(hand=hand), encoding="utf-8")
    return path


def open_shop(directory: Path, hand: str = "", head: str = "") -> Shop:
    """Write a copy with ``hand`` as its one more line, under a name of its own, and import it.

    Args:
        directory: Where it is written.
        hand: A line of ``HAND``.
        head: Lines before the first. Codes of equal text at the same lines are equal, and debugpy
            takes one for the other.
    """
    name = f"shop_{next(_numbers)}"
    path = write_shop(directory, name, hand)
    if head:
        path.write_text(head + path.read_text(encoding="utf-8"), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return Shop(module, str(path))
