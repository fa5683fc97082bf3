"""The options of ``treetap probe add``, with their help."""

from __future__ import annotations

from typing import Annotated

import typer

Location = Annotated[
    str,
    typer.Argument(
        metavar="LOCATION",
        help="file.py:42, 'file.py:\"text on the line\"' or package.module:Class.method.",
    ),
]
Expressions = Annotated[
    list[str] | None, typer.Argument(metavar="EXPR", help="What to take at each hit.")
]
Condition = Annotated[
    str, typer.Option("--if", metavar="EXPR", help="Record only when it is true.")
]
Sample = Annotated[int | None, typer.Option(metavar="N", min=1, help="Every Nth hit.")]
Every = Annotated[
    str | None, typer.Option(metavar="DURATION", help="One hit in this time, e.g. 5s.")
]
First = Annotated[bool, typer.Option("--first", help="The first hit only.")]
Throttle = Annotated[float | None, typer.Option(metavar="N", help="At most N hits a second.")]
MaxHits = Annotated[int | None, typer.Option(metavar="N", help="Disarm after N records.")]
TimeToLive = Annotated[
    str, typer.Option("--for", metavar="DURATION", help="Time to live, or 'never'.")
]
Snapshot = Annotated[bool, typer.Option("--snapshot", help="Take locals and stack.")]
Trusted = Annotated[
    bool, typer.Option("--trusted", help="Any expression, also one that runs user code.")
]
AllowCalls = Annotated[
    bool, typer.Option("--allow-calls", help="Let expressions read properties and __getattr__.")
]
Name = Annotated[str, typer.Option(metavar="NAME", help="A name for the probe; unique.")]
Group = Annotated[
    str, typer.Option(metavar="GROUP", help="Probes that are enabled and disabled together.")
]
NodeName = Annotated[str, typer.Option("--node", metavar="NAME", help="Only nodes of this name.")]
Tree = Annotated[str, typer.Option(metavar="TREE", help="Only nodes of this tree.")]
Pid = Annotated[int | None, typer.Option(metavar="PID", help="Only this process.")]
Depth = Annotated[
    int | None, typer.Option(metavar="N", help="Levels of nesting captured. [default: 3]")
]
Items = Annotated[
    int | None, typer.Option(metavar="N", help="Items of a container captured. [default: 100]")
]
Chars = Annotated[
    int | None, typer.Option(metavar="N", help="Characters of a text captured. [default: 255]")
]
Fields = Annotated[
    int | None, typer.Option(metavar="N", help="Fields of an object captured. [default: 20]")
]
Budget = Annotated[
    float | None,
    typer.Option(metavar="PERCENT", help="CPU it may cost; 0: no limit. [default: 1]"),
]
Wake = Annotated[bool, typer.Option("--wake/--no-wake", help="Wake the nodes that it is for.")]
Keep = Annotated[bool, typer.Option("--keep", help="Keep a probe that can't be armed anywhere.")]
AsJson = Annotated[bool, typer.Option("--json", help="The probe as one JSON object.")]
