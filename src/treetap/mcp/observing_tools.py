"""Tools that begin to observe."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from treetap.errors import LocationError
from treetap.mcp import words
from treetap.mcp.placing import Wanted, place, wake_for
from treetap.mcp.services import Refusal, Services
from treetap.model.location import parse_location
from treetap.model.probe import DEFAULT_TTL_S, Target

if TYPE_CHECKING:
    from treetap.model.location import Location

_HASH_LINE = re.compile(r"@?(?:\./)?(?P<file>.+)#(?P<line>\d+)\Z")
_NAME = re.compile(r"[^\W\d]\w*")
#: Frames of a stack, where it isn't said how many: Detrix's.
_DEFAULT_HEAD = 5


async def add_metric(
    on: Services,
    location: words.Location,
    expressions: words.Expressions,
    name: words.NewName = "",
    line: words.Line = None,
    connection_id: words.AnyConnection = "",
    group: words.Group = "",
    enabled: words.Enabled = True,
    mode: words.Mode = "stream",
    sample_rate: words.SampleRate = 10,
    sample_interval_seconds: words.SampleInterval = 30,
    max_per_second: words.MaxPerSecond = 100,
    condition: words.Condition = "",
    max_hits: words.MaxHits = 0,
    ttl_seconds: words.TtlSeconds = None,
    safety_level: words.Safety = "strict",
    capture_stack_trace: words.StackTrace = False,
    stack_trace_ttl: words.StackTtl = None,
    stack_trace_full: words.StackFull = False,
    stack_trace_head: words.StackHead = None,
    stack_trace_tail: words.StackTail = None,
    capture_memory_snapshot: words.MemorySnapshot = False,
    snapshot_scope: words.SnapshotScope = "local",
    snapshot_ttl: words.SnapshotTtl = None,
    replace: words.Replace = False,
    wake: words.Wake = True,
    wait_seconds: words.WaitSeconds = 0,
) -> dict[str, Any]:
    """Put a metric on a line of running programs, and say in which processes it is armed, or why not. With wait_seconds, the first values come with the answer."""
    where = location_of(location, line)
    rates = {"sample": sample_rate, "sample_interval": sample_interval_seconds}
    wanted = Wanted(
        location=where,
        name=name or free_name(on, where),
        expressions=expressions,
        group=group,
        is_enabled=enabled,
        mode=mode,
        rate={**rates, "throttle": max_per_second}.get(mode, 0),
        condition=condition,
        max_hits=max_hits,
        ttl_s=int(DEFAULT_TTL_S) if ttl_seconds is None else ttl_seconds,
        safety=safety_level,
        takes_stack=capture_stack_trace,
        stack_slice=_slice(stack_trace_full, stack_trace_head, stack_trace_tail),
        stack_ttl_s=stack_trace_ttl or 0,
        takes_locals=capture_memory_snapshot,
        locals_ttl_s=snapshot_ttl or 0,
        scope=snapshot_scope,
        connection=connection_id,
        is_replacing=replace,
    )
    return await place(on, wanted, is_waking=wake, wait_s=wait_seconds)


async def observe(
    on: Services,
    file: words.Location,
    expressions: words.Expressions,
    line: words.Line = None,
    connection_id: words.AnyConnection = "",
    name: words.NewName = "",
    find_variable: words.FindVariable = "",
    group: words.Group = "",
    condition: words.Condition = "",
    capture_stack_trace: words.StackTrace = False,
    capture_memory_snapshot: words.MemorySnapshot = False,
    ttl_seconds: words.TtlSeconds = None,
    wait_seconds: words.WaitSeconds = 0,
) -> dict[str, Any]:
    """The short way: observe expressions in a file, from now on. Without a line it is found: where the first variable has just got its value."""
    if line is None and not _HASH_LINE.match(file) and ":" not in file:
        line = await _line_of(on, file, find_variable or _first_name(expressions))
    return await add_metric(
        on,
        location=file,
        line=line,
        expressions=expressions,
        name=name,
        connection_id=connection_id,
        group=group,
        condition=condition,
        capture_stack_trace=capture_stack_trace,
        capture_memory_snapshot=capture_memory_snapshot,
        ttl_seconds=ttl_seconds,
        wait_seconds=wait_seconds,
    )


async def enable_from_diff(
    on: Services,
    diff: words.Diff,
    connection_id: words.OnlyConnection = "",
    group: words.Group = "",
    ttl_seconds: words.TtlSeconds = None,
    dry_run: words.DryRun = False,
) -> dict[str, Any]:
    """Metrics in place of debugging prints: one for each value that the diff's new print and log lines show. The program needs no restart, and the prints needn't stay."""
    if not connection_id and not dry_run:
        await wake_for(on, Target())
    return dict(
        await on.post(
            "/api/v1/enable_from_diff",
            {
                "diff": diff,
                "connectionId": connection_id or None,
                "group": group or None,
                "ttlSeconds": int(DEFAULT_TTL_S) if ttl_seconds is None else ttl_seconds,
                "dryRun": dry_run,
            },
        )
    )


def location_of(text: str, line: int | None = None) -> Location:
    """A location in any of the ways in which agents write one. A line that is given by itself wins.

    Raises:
        LocationError: It can't be understood.
    """
    found = _HASH_LINE.match(text)
    file = found["file"] if found else text.removeprefix("@")
    if line is None and found:
        line = int(found["line"])
    if line is None:
        return parse_location(file)
    before, _colon, number = file.rpartition(":")
    file = before if before and number.isdigit() else file
    if file.endswith(('"', "'")):
        raise LocationError(
            f"{text!r} says where by itself; a line of its own contradicts it.",
            "Leave one of them out.",
            slug="location-syntax",
        )
    return parse_location(f"{file}:{line}")


def free_name(on: Services, where: Location) -> str:
    """``shop_py_42``, or the like of it that nobody has."""
    last = PurePath(where.file).name or where.qualname
    wanted = re.sub(r"[^A-Za-z0-9]+", "_", f"{last} {where.line or ''}").strip("_")
    wanted = wanted if wanted[:1].isalpha() else f"at_{wanted}"
    taken = {record.probe.name for record in on.daemon.registry.all()}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def _slice(is_full: bool, head: int | None, tail: int | None) -> tuple[int, int] | None:
    if is_full:
        return None
    if head is None and tail is None:
        return (_DEFAULT_HEAD, 0)
    return (head or 0, tail or 0)


def _first_name(expressions: list[str]) -> str:
    found = _NAME.search(expressions[0])
    return found[0] if found else ""


async def _line_of(on: Services, file: str, variable: str) -> int:
    if not variable:
        raise Refusal("arguments", "It isn't said where.", "Give line, or find_variable.")
    seen = await on.post("/api/v1/inspect_file", {"filePath": file, "findVariable": variable})
    lines = seen.get("suggestedLines") or ()
    if not lines:
        similar = seen.get("similarVariables") or ()
        raise Refusal(
            "line-unknown",
            f"{file} gives no variable {variable!r} a value.",
            f"Like it: {', '.join(map(str, similar))}." if similar else "Give the line.",
        )
    return int(lines[0])
