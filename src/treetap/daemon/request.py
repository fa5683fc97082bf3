"""What somebody asks for, as JSON, made into a checked probe."""

from __future__ import annotations

import time
from typing import Any

from treetap.daemon.checking import check_expression
from treetap.daemon.language import LANGUAGES
from treetap.daemon.record import ProbeRecord
from treetap.errors import ExpressionError, ProbeError
from treetap.expression import syntax
from treetap.model.location import Location, parse_location
from treetap.model.probe import DEFAULT_TTL_S, Probe, Target, check_probe

#: Field of the request: its type. ``float`` takes whole numbers too.
_FIELDS: dict[str, type] = {
    "location": str,
    "expressions": list,
    "snapshot": bool,
    "condition": str,
    "mode": str,
    "rate": float,
    "max_hits": int,
    "ttl_s": float,
    "safety": str,
    "allow_calls": bool,
    "limits": dict,
    "budget_percent": float,
    "target": dict,
    "name": str,
    "is_enabled": bool,
    "group": str,
    "language": str,
}
_MAX_GROUP_CHARS = 255
#: What a probe takes, and where: another answer makes it another probe, whose rows don't fit
#: the ones that are kept.
FIXED_FIELDS = ("location", "expressions", "snapshot", "language")
#: The language of a probe that names none, by its file.
_SUFFIXES = {".go": "go", ".rs": "rust"}


def probe_asked(fields: dict[str, Any]) -> ProbeRecord:
    """A new probe, which has no number yet: see ``record.numbered``.

    Raises:
        ProbeError, LocationError, ExpressionError: What is wrong with it.
    """
    given = _checked_types(fields)
    if "location" not in given:
        raise _invalid("the probe has no location", 'Say where: "location": "shop.py:42".')
    now_s = time.time()
    ttl_s = _ttl(given.pop("ttl_s", DEFAULT_TTL_S))
    group = _group(given.pop("group", ""))
    location = parse_location(given.pop("location"))
    language = _language(given.pop("language", ""), location)
    probe = Probe(id="p0", location=location)
    probe = _with_fields(probe, given)._replace(expires_at_s=now_s + ttl_s if ttl_s else 0)
    return ProbeRecord(0, _checked(probe, language), now_s, ttl_s, group, language)


def probe_changed(record: ProbeRecord, fields: dict[str, Any]) -> ProbeRecord:
    """The same probe with some fields changed; a new ``ttl_s`` counts from now.

    Raises:
        ProbeError: A field that can't change (slug ``probe-fixed``), or makes no sense.
        ExpressionError: The condition is wrong.
    """
    given = _checked_types(fields)
    for name in FIXED_FIELDS:
        if name in given:
            raise ProbeError(
                f"The {name} of probe {record.probe.id} can't be changed.",
                "Its rows so far would not fit the next ones. Add another probe, and remove "
                "this one.",
                slug="probe-fixed",
            )
    if "ttl_s" in given:
        ttl_s = _ttl(given.pop("ttl_s"))
        expires_at_s = time.time() + ttl_s if ttl_s else 0.0
        record = record._replace(
            ttl_s=ttl_s, probe=record.probe._replace(expires_at_s=expires_at_s)
        )
    if "group" in given:
        record = record._replace(group=_group(given.pop("group")))
    probe = record.probe
    if given.get("mode", probe.mode) != probe.mode and "rate" not in given:
        given["rate"] = 0.0
    return record._replace(probe=_checked(_with_fields(probe, given), record.language))


def _with_fields(probe: Probe, given: dict[str, Any]) -> Probe:
    if "expressions" in given:
        given["expressions"] = tuple(given["expressions"])
    if "limits" in given:
        given["limits"] = _tuple_of(probe.limits, "limits", given["limits"], int)
    if "target" in given:
        given["target"] = _tuple_of(Target(), "target", given["target"], None)
    return probe._replace(**given)


def _checked(probe: Probe, language: str) -> Probe:
    probe = check_probe(probe)
    if len(set(probe.expressions)) < len(probe.expressions):
        raise _invalid("an expression is named twice", "Each value has its expression as a name.")
    for text in (*probe.expressions, *filter(None, [probe.condition])):
        if language == "python":
            syntax.check(text, safety=probe.safety)
        else:
            _check_foreign(text, language, probe.safety)
    return probe


def _check_foreign(text: str, language: str, safety: str) -> None:
    """Raises ``ExpressionError`` (slug ``expression-unsafe``); the adapter has the last word."""
    verdict = check_expression(text, language=language, safety=safety)
    if not verdict.is_safe:
        raise ExpressionError(
            f"{text[:80]!r} may not be taken from a program in {language}.",
            " ".join(verdict.violations),
            slug="expression-unsafe",
        )


def _language(name: str, location: Location) -> str:
    if not name:
        return next((_SUFFIXES[end] for end in _SUFFIXES if location.file.endswith(end)), "python")
    language = LANGUAGES.get(name.lower())
    if language is None:
        raise _invalid(f"{name[:80]!r} is not a language", f"Use one of {', '.join(LANGUAGES)}.")
    return language


def _checked_types(fields: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(fields) - set(_FIELDS))
    if unknown:
        raise _invalid(
            f"{unknown[0]!r} is no field of a probe", f"It has: {', '.join(sorted(_FIELDS))}."
        )
    given = {}
    for name, value in fields.items():
        # JSON has no other way to say "as if I had not said it".
        if value is not None:
            given[name] = _typed(name, value, _FIELDS[name])
    if not all(isinstance(text, str) for text in given.get("expressions", ())):
        raise _invalid("an expression is not a text", 'Write "expressions": ["a", "b.c"].')
    return given


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**63:
        return float(value)
    if type(value) is not kind:
        raise _invalid(f"the field {name} is {repr(value)[:80]}", f"It is of type {kind.__name__}.")
    return value


def _tuple_of(old: Any, name: str, fields: dict[str, Any], kind: type | None) -> Any:
    known = type(old)._field_defaults
    for key, value in fields.items():
        if key not in known:
            raise _invalid(f"{name} has no {key!r}", f"It has: {', '.join(known)}.")
        _typed(f"{name}.{key}", value, kind or type(known[key]))
    return old._replace(**fields)


def _ttl(ttl_s: float) -> float:
    if not 0 <= ttl_s < 1e10:
        raise _invalid(f"the field ttl_s is {ttl_s}", "Give seconds, or 0 for no end.")
    return ttl_s


def _group(name: str) -> str:
    if len(name) > _MAX_GROUP_CHARS:
        raise _invalid(
            f"the name of a group has {len(name)} characters", f"The limit is {_MAX_GROUP_CHARS}."
        )
    return name


def _invalid(what: str, hint: str) -> ProbeError:
    return ProbeError(what[0].upper() + what[1:] + ".", hint, slug="probe-invalid")
