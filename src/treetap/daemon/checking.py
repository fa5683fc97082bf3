"""Whether an expression may be put into a probe, told without putting it there."""

from __future__ import annotations

import re
from typing import NamedTuple

from treetap.daemon.language import LANGUAGES
from treetap.errors import ExpressionError, ProbeError
from treetap.expression import syntax
from treetap.model.probe import MAX_EXPRESSION_CHARS, SAFETIES

_QUOTED = r'"(?:\\.|[^"\\])*"'
_CHARACTER = r"'(?:\\.[^']{0,9}|[^'\\])'"
#: Texts, in which nothing is looked for. Go alone has texts between backticks: for a debugger
#: of the others these begin a command.
_STRINGS = re.compile(f"{_QUOTED}|{_CHARACTER}")
_STRINGS_OF_GO = re.compile(f"{_QUOTED}|`[^`]*`|{_CHARACTER}")
_ASSIGNMENT = re.compile(r":=|[+\-*/%&|^]=|<<=|>>=|(?<![=!<>])=(?![=])|\+\+|--|<-|[;\n`]")
#: What stands before a bracket: a name, and what that belongs to; or the end of something.
_CALL = re.compile(r"(\.|::|)\b([A-Za-z_]\w*!?)\s*\(|()([)\]}]|::<[^()]{0,200}>)\s*\(")
#: Of a template, or a comparison: that can't be told.
_TEMPLATE = re.compile(r">\s*\(")
_AROUND_DOTS = re.compile(r"(?<!\s)\s*\.\s*")
#: Macros may have other brackets; a block may hold anything.
_BLOCK = re.compile(r"\w!\s*[\[{]|[{}]")
#: Two words in a row are a command, or a statement, but for these.
_TWO_WORDS = re.compile(r"\b([A-Za-z_]\w*)\s+(?=([A-Za-z_]\w*))")
_C_TYPES = frozenset(
    "const volatile unsigned signed struct union enum long short int char float double".split()  # noqa: SIM905
)
_JOINING = {
    "go": frozenset[str](),
    "rust": frozenset({"as", "mut"}),
    "c": _C_TYPES,
    "cpp": _C_TYPES,
}
#: What is called like a function and runs no code of the program's.
_PURE = {
    "go": frozenset(
        [
            "len",
            "cap",
            "real",
            "imag",
            "min",
            "max",
            "string",
            "bool",
            "byte",
            "rune",
            "float32",
            "float64",
            "int",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "uintptr",
        ]
    ),
    "rust": frozenset[str](),
    "c": frozenset({"sizeof"}),
    "cpp": frozenset({"sizeof"}),
}

_PAIRS = {")": "(", "]": "[", "}": "{"}


class Verdict(NamedTuple):
    """Attributes:
    is_safe: Whether a probe would take it.
    violations: Why not.
    warnings: What somebody who takes it should know.
    """

    is_safe: bool
    violations: list[str]
    warnings: list[str]


def check_expression(text: str, *, language: str, safety: str) -> Verdict:
    """Look at an expression.

    Args:
        text: The expression.
        language: One of ``LANGUAGES``; nothing is safe in another.
        safety: ``strict`` or ``trusted``.

    Raises:
        ProbeError: There is no such level (slug ``probe-invalid``).
    """
    if safety not in SAFETIES:
        raise ProbeError(
            f"{safety[:80]!r} is not a safety level.",
            f"Use one of {', '.join(SAFETIES)}.",
            slug="probe-invalid",
        )
    known = LANGUAGES.get(language.lower())
    if known is None:
        return _refused(
            f"{language[:80]!r} is no language whose expressions are known here: "
            f"{', '.join(LANGUAGES)}."
        )
    return _check_python(text, safety) if known == "python" else _check_other(text, known, safety)


def _check_python(text: str, level: str) -> Verdict:
    try:
        syntax.check(text, safety=level)
    except ExpressionError as exc:
        # Some readers look for a secret among the warnings.
        warnings = [exc.what] if exc.slug == "expression-secret" else []
        return Verdict(is_safe=False, violations=[exc.line], warnings=warnings)
    warnings = []
    if level == "trusted":
        try:
            syntax.check(text, safety="strict")
        except ExpressionError as exc:
            warnings = [f"A strict probe would not take it: {exc.what}"]
    return Verdict(is_safe=True, violations=[], warnings=warnings)


def _check_other(text: str, language: str, level: str) -> Verdict:
    """What can be told without a parser: the adapter has the last word.

    What looks like a call is one. That a program's operators may run its code, isn't seen.
    """
    if len(text) > MAX_EXPRESSION_CHARS:
        return _refused(f"An expression of {len(text)} characters is too long.")
    strings = _STRINGS_OF_GO if language == "go" else _STRINGS
    bare = _AROUND_DOTS.sub(".", strings.sub('""', text).strip())
    if not bare or not _is_balanced(bare):
        return _refused(f"{text[:80]!r} is no expression: a bracket or the whole of it is missing.")
    pairs = [set(found) for found in _TWO_WORDS.findall(bare)]
    if _ASSIGNMENT.search(bare) or any(not pair & _JOINING[language] for pair in pairs):
        return _refused("It is a statement, or assigns: a probe only reads.")
    calls = [
        name or end
        for owner, name, _, end in _CALL.findall(bare)
        if owner or name not in _PURE[language]
    ]
    if language == "cpp":
        calls += [found.strip("( ") for found in _TEMPLATE.findall(bare)]
    told = ""
    if calls:
        told = f"It calls {', '.join(dict.fromkeys(calls))}, which runs the program's code."
    elif _BLOCK.search(bare):
        told = "It has a block in braces, or a macro, which may run anything."
    if told and level == "strict":
        return _refused(told)
    return Verdict(is_safe=True, violations=[], warnings=[told] if told else [])


def _refused(why: str) -> Verdict:
    return Verdict(is_safe=False, violations=[why], warnings=[])


def _is_balanced(text: str) -> bool:
    opened: list[str] = []
    for char in text:
        if char in "([{":
            opened.append(char)
        elif char in _PAIRS and (not opened or opened.pop() != _PAIRS[char]):
            return False
    return not opened
