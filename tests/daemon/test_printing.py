from __future__ import annotations

import pytest

from treetap.daemon.printing import printed_in


def taken(code: str, suffix: str = ".py"):
    return [(each.expressions, each.confidence) for each in printed_in(code.splitlines(), suffix)]


@pytest.mark.parametrize(
    ("code", "expressions", "confidence"),
    [
        ("print(total)", ["total"], "high"),
        ("    print('total', order.total, sep='')", ["order.total"], "high"),
        ("print(f'{a.b} and {f()} {n:>3}')", ["a.b", "f()", "n"], "medium"),
        ("print(f'{x=}')", ["x"], "high"),
        ("print('%s of %d' % (name, n))", ["name", "n"], "high"),
        ("print('%(a)s' % {'a': first})", ["first"], "high"),
        ("print('{} {k}'.format(a, k=b[0]))", ["a", "b[0]"], "low"),
        ("print(*items)", ["items"], "high"),
        ("pprint.pprint(tree)", ["tree"], "high"),
        ("logger.info('took %s', seconds * 2)", ["seconds * 2"], "low"),
        ("self._log.debug('x', self.x)", ["self.x"], "high"),
        ("logging.getLogger(__name__).warning('%s', x)", ["x"], "high"),
        ("LOG.log(10, 'x %s', x)", ["x"], "high"),
        ("print('here')", [], "low"),
    ],
)
def test_values_are_taken_out_of_what_is_printed(code, expressions, confidence):
    assert taken(code) == [(expressions, confidence)]


@pytest.mark.parametrize(
    "code", ["x = print", "catalog.info(x)", "math.log(x)", "printed(x)", "dialog.show(x)", ""]
)
def test_what_prints_nothing_is_left_alone(code):
    assert taken(code) == []


def test_a_call_may_have_many_lines_and_stand_in_half_a_statement():
    found = printed_in(["else:", "    print(", "        a,", "        b,", "    )", "if c:"], ".py")
    assert [(each.position, each.indent, each.expressions) for each in found] == [
        (1, 4, ["a", "b"])
    ]
    assert found[0].code == "print(\n    a,\n    b,\n)"


def test_go_and_rust_are_read_by_their_calls():
    assert taken('fmt.Println("a", order.Total, len(x))', ".go") == [
        (["order.Total", "len(x)"], "medium")
    ]
    assert taken('\tlog.Printf("%d, %d", a,\n\t\tb)', ".go") == [(["a", "b"], "high")]
    assert taken('println!("{name} {:?}", total)', ".rs") == [(["name", "total"], "high")]
    assert taken("dbg!(&order.total);", ".rs") == [(["order.total"], "high")]
    assert taken("fmt.Println(a", ".go") == [([], "low")]
    assert taken("print(a)", ".txt") == []
