from __future__ import annotations

import pytest

from treetap.daemon.checking import check_expression
from treetap.errors import ProbeError


def verdict(text, language="python", safety="strict"):
    return check_expression(text, language=language, safety=safety)


@pytest.mark.parametrize(
    "text", ["order.total", "len(items)", "name.upper()", "a + b > 3", "f'{a}'"]
)
def test_what_a_strict_probe_takes_is_safe(text):
    assert verdict(text) == (True, [], [])


@pytest.mark.parametrize("text", ["eval('1')", "x = 1", "1 +", "", "open('f')", "x" * 10_001])
def test_what_it_doesn_t_take_is_told_with_the_reason(text):
    answer = verdict(text)
    assert not answer.is_safe
    assert len(answer.violations) == 1
    assert "[expression-" in answer.violations[0]


def test_a_secret_is_a_violation_and_a_warning():
    answer = verdict("user.password")
    assert not answer.is_safe
    assert "password" in answer.violations[0]
    assert "password" in answer.warnings[0]
    assert verdict("shipping.token_count").is_safe


def test_trusted_takes_any_expression_and_says_what_strict_would_not():
    answer = verdict("order.save()", safety="trusted")
    assert answer.is_safe
    assert "strict" in answer.warnings[0]
    assert verdict("len(x)", safety="trusted").warnings == []
    assert not verdict("x = 1", safety="trusted").is_safe


@pytest.mark.parametrize("language", ["go", "golang", "rust", "Rust", "c", "C++", "cpp"])
def test_other_languages_are_looked_at_for_calls_and_assignments(language):
    for text in (
        "order.Total",
        'items[0] == "a=(b; c d"',
        "*p",
        "&x",
        "a && !(b || c)",
        "x != (y)",
        "'c'",
        "-1 <= x",
    ):
        assert verdict(text, language) == (True, [], []), text
    for text in (
        "x = 1",
        "x := 1",
        "x++",
        "a; b",
        "",
        "f(",
        "a)",
        "ch <- 1",
        "process kill",
        "a\nb",
    ):
        for safety in ("strict", "trusted"):
            assert not verdict(text, language, safety).is_safe, text
    for text in (
        "save(x)",
        "o.Save()",
        "a[0].Save()",
        "(*p).Save()",
        "p.a.b.Save (x)",
        "(f)(x)",
        "fs[0](x)",
        "f (x)",
        "a{}",
        "{ x }",
        "panic!(1)",
    ):
        assert not verdict(text, language).is_safe, text
        assert verdict(text, language, "trusted").warnings, text
    assert "Save" in verdict("o.Save()", language, "trusted").warnings[0]


def test_go_has_functions_that_run_no_code_of_the_program():
    for text in (
        "len(items) >= 2",
        "string(b[:n])",
        "b[1:len(b)]",
        "int64(x) + cap(y)",
        "`raw (text) = here`",
    ):
        assert verdict(text, "go").is_safe, text
    for text in (
        "o.len(x)",
        "o. len(x)",
        "o .len(x)",
        "append(x, y)",
        "func() int { return 1 }()",
        "x as y",
    ):
        assert not verdict(text, "go").is_safe, text


def test_of_rust_macros_generic_calls_and_a_debugger_s_commands_are_seen():
    for text in ("x as i64", "&mut order", "a.0 + b.1", "order.items[3]"):
        assert verdict(text, "rust").is_safe, text
    for text in (
        '"1".parse::<i32>()',
        "::std::process::exit(1)",
        "f::<i32> (1)",
        "vec![1]",
        "println!{}",
        "o.len()",
        "`process kill`",
    ):
        assert not verdict(text, "rust").is_safe, text


def test_of_c_and_cpp_casts_are_no_calls_and_templates_may_be():
    for language in ("c", "cpp"):
        for text in (
            "p->total",
            "(unsigned long)x",
            "sizeof(x) * 2",
            "*(struct order *)p",
            r"'\x41'",
        ):
            assert verdict(text, language).is_safe, text
        for text in ("p->save()", "delete p", "new order", "exit(1)", "::exit(1)"):
            assert not verdict(text, language).is_safe, text
    assert verdict("x > (y + 1)", "c").is_safe
    assert not verdict("f<int>(x)", "cpp").is_safe


def test_an_unknown_level_is_refused_and_in_an_unknown_language_nothing_is_safe():
    with pytest.raises(ProbeError) as caught:
        verdict("a", "python", "loose")
    assert caught.value.slug == "probe-invalid"
    answer = verdict("a", "cobol")
    assert not answer.is_safe
    assert "cobol" in answer.violations[0]
