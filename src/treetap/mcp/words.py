"""What tools take, each described once, for a model to read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Process = Annotated[
    str, Field(description="Name, pid, node id or tree id of processes. Default: all of them.")
]
ConnectionId = Annotated[str, Field(description="Of list_connections.")]
AnyConnection = Annotated[
    str,
    Field(description="Observe this connection only. Default: every process that runs the code."),
]
Format = Annotated[
    Literal["json", "toon"], Field(description="Answers are JSON, whatever is asked for.")
]

MetricName = Annotated[str, Field(description="Its name, or its id.")]
NewName = Annotated[
    str, Field(description="Letters, digits, _ and -. Default: of the file and the line.")
]
Location = Annotated[
    str,
    Field(
        description='file.py:42, @file.py#42, file.py with line=, file.py:"text on the line", '
        "or package.module:Class.method for the entry of a function."
    ),
]
Line = Annotated[int | None, Field(ge=1, description="Line number.")]
Expressions = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=20,
        description="Python expressions to take at the line, e.g. order.total, len(items).",
    ),
]
Group = Annotated[str, Field(description="Metrics of a group are switched together.")]
Enabled = Annotated[bool, Field(description="On, or off.")]

Mode = Annotated[
    Literal["stream", "sample", "sample_interval", "first", "throttle"],
    Field(description="Which hits: all, every Nth, one in N s, the first, at most N a second."),
]
SampleRate = Annotated[int, Field(ge=1, description="N of mode sample.")]
SampleInterval = Annotated[int, Field(ge=1, description="N of mode sample_interval.")]
MaxPerSecond = Annotated[int, Field(ge=1, description="N of mode throttle.")]
Condition = Annotated[
    str, Field(description="Take values only when this expression is true, e.g. total < 0.")
]
MaxHits = Annotated[int, Field(ge=0, description="Done after so many; 0: no limit.")]
TtlSeconds = Annotated[
    int | None,
    Field(ge=0, description="Ends by itself after so long; 0: never. Default: an hour."),
]
Safety = Annotated[
    Literal["strict", "trusted"],
    Field(description="strict runs no code of the program; trusted takes any expression."),
]

StackTrace = Annotated[bool, Field(description="Take the call stack as well.")]
StackTtl = Annotated[int | None, Field(ge=0, description="The stack for so long only.")]
StackFull = Annotated[bool, Field(description="All frames of the stack.")]
StackHead = Annotated[int | None, Field(ge=0, description="The innermost so many. Default: 5.")]
StackTail = Annotated[int | None, Field(ge=0, description="The outermost so many.")]
MemorySnapshot = Annotated[bool, Field(description="Take the local variables as well.")]
SnapshotTtl = Annotated[int | None, Field(ge=0, description="The variables for so long only.")]
SnapshotScope = Annotated[
    Literal["local", "global", "both"],
    Field(description="Globals are not taken: name those that you need as expressions."),
]

Replace = Annotated[bool, Field(description="Take the place of what is at this line.")]
Wake = Annotated[bool, Field(description="Wake processes that sleep, so that it takes effect.")]
WaitSeconds = Annotated[
    float,
    Field(ge=0, le=60, description="Wait so long for the first values, and answer with them."),
]
Limit = Annotated[int, Field(ge=1, le=1000, description="At most so many.")]
Since = Annotated[str | None, Field(description="Unix seconds, or as 2026-01-31T12:00:00+00:00.")]
Until = Annotated[str | None, Field(description="The first moment that is too late.")]
Where = Annotated[
    str | None,
    Field(description="EXPRESSION OPERATOR VALUE with == != < <= > >= ~, e.g. order.total<0"),
]
FindVariable = Annotated[
    str, Field(description="Without a line: where this variable has just got its value.")
]
Diff = Annotated[str, Field(description="In the unified form, as git diff writes it.")]
OnlyConnection = Annotated[
    str, Field(description="Of list_connections. Default: the only one that there is.")
]
DryRun = Annotated[bool, Field(description="Only say what would be made.")]
