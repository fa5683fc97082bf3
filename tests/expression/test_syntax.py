from __future__ import annotations

import ast

import pytest

from treetap.errors import ExpressionError
from treetap.expression.redaction import Redaction
from treetap.expression.syntax import check, names, parse_expression, secret_name


def slug_of(text, **kwargs):
    with pytest.raises(ExpressionError) as caught:
        check(text, **{"safety": "strict", **kwargs})
    error = caught.value
    assert error.hint
    assert len(error.what) < 200
    return error.slug


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a = 1", "a; b", "import os", "a)+(b", "(", "'", "a\nb", "x" * 10 + "\0"],
)
def test_what_is_not_one_expression_is_a_syntax_error(text):
    assert slug_of(text) == "expression-syntax"
    assert slug_of(text, safety="trusted") == "expression-syntax"


@pytest.mark.parametrize(
    "text", ["+".join("a" * 2000), "a" * 10_001, "[" * 70 + "]" * 70, "a" + ".b" * 200]
)
def test_what_is_too_big_to_be_evaluated_safely_is_refused(text):
    assert slug_of(text) == "expression-size"


@pytest.mark.parametrize(
    "text", ["(" * 5000 + ")" * 5000, "-" * 9000 + "1", "not " * 2000 + "a", "[" * 4000]
)
def test_what_the_parser_chokes_on_is_an_error_and_no_crash(text):
    assert slug_of(text) in {"expression-syntax", "expression-size"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lambda: 1", "a lambda"),
        ("(a := 1)", ":="),
        ("[await a]", "await"),
        ("(yield a)", "yield"),
        ("[*a]", "star"),
        ("{**a}", "star"),
        ("len(*a)", "star"),
        ("dict(**a)", "star"),
        ("(x for x in y)", "generator"),
        ("[x async for x in y]", "async"),
        ("[x for a.b in y]", "assigns"),
        ("a @ b", "@"),
        ("open('x')", "open()"),
        ("eval('1')", "eval()"),
        ("getattr(a, 'b')", "getattr()"),
        ("print(a)", "print()"),
        ("order.ship()", ".ship()"),
        ("items.pop()", ".pop()"),
        ("'{}'.format(a)", ".format()"),
        ("f(1)(2)", "computed"),
        ("[len][0](a)", "computed"),
        ("sorted(a, key=len)", "key="),
        ("a.__class__", "__class__"),
        ("a.__dict__", "__dict__"),
        ("f.__globals__", "__globals__"),
        ("a.__class__.__bases__[0].__subclasses__()", "__"),
    ],
)
def test_strict_names_what_it_refuses_and_trusted_does_not_refuse_it(text, named):
    with pytest.raises(ExpressionError) as caught:
        check(text, safety="strict")
    assert caught.value.slug == "expression-unsafe"
    assert named in caught.value.what
    assert "--trusted" in caught.value.hint
    if "await" not in text and "async" not in text and "yield" not in text:
        assert isinstance(check(text, safety="trusted"), ast.expr)


def test_strict_refuses_secrets():
    for text in (
        "user.password",
        "row['api_key']",
        "d.get('ssn')",
        "token",
        "len(password)",
        "passwords[0]",
    ):
        assert slug_of(text) == "expression-secret", text
        check(text, safety="trusted")
    for text in ("token.kind", "token_count", "mapping['shipping']", "card.limit"):
        check(text, safety="strict")
    assert slug_of("customer.number", redaction=Redaction(["number"])) == "expression-secret"


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("a", ("a",)),
        ("a.b[c] + d(e)", ("a", "c", "d", "e")),
        ("len(a) + len(a)", ("len", "a")),
        ("[x for x in xs if x > y]", ("xs", "y")),
        ("[x for x in x]", ("x",)),
        ("[x + y for x in xs for y in x.ys]", ("xs",)),
        ("{k: v for k, v in d.items()}", ("d",)),
        ("[x for x in xs] + [x]", ("xs", "x")),
        ("f'{a:{b}}'", ("a", "b")),
        ("lambda a, *b, c=d, **e: (a, b, c, e, f)", ("d", "f")),
        ("1 + 2", ()),
    ],
)
def test_the_free_names_are_those_that_a_reader_asks_for(text, free):
    assert names(parse_expression(text)) == free


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("user.password", "password"),
        ("user['pass' 'word']", "password"),
        ("password.value", "password"),
        ("cookies['x']", "cookies"),
        ("1 if a else user.secret", "secret"),
        ("str(user.secret)", "secret"),
        ("user.get('secret').upper()", "secret"),
        ("order.total", ""),
        ("token.kind", ""),
    ],
)
def test_the_name_that_makes_it_a_secret_is_found(text, name):
    assert secret_name(parse_expression(text), Redaction()) == name


@pytest.mark.parametrize("text", ["await x", "(yield x)", "(yield from x)", "[i async for i in x]"])
def test_what_only_a_function_could_evaluate_is_no_expression(text):
    with pytest.raises(ExpressionError, match="need a function around them") as caught:
        check(text, safety="trusted")
    assert caught.value.slug == "expression-syntax"
