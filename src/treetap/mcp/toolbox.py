"""All tools: their names, what they take, and the words that tell a model how to use them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mcp import types
from mcp.server.mcpserver.tools import Tool

from treetap.mcp import daemon_tools, metric_tools, observing_tools, process_tools, value_tools
from treetap.mcp.services import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

INSTRUCTIONS = """\
treetap shows values from any line of running Python programs, without a restart or a pause.
1. list_processes says what runs; wake wakes what sleeps (observe does it, too).
2. inspect_file shows a file with the variables that can be seen at a line.
3. observe (or add_metric) puts a probe, called a metric here, on a line; wait_seconds waits for its first values.
4. query_metrics reads the values; where= and since= choose among them.
5. remove_metric when done; a metric ends by itself after an hour.
Processes that have no treetap are reached by create_connection, through a debug adapter that they run.
"""

READS = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = types.ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
ENDS = types.ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

_TABLE: tuple[tuple[types.ToolAnnotations, tuple[Callable[..., Any], ...]], ...] = (
    (
        READS,
        (
            process_tools.list_processes,
            process_tools.dump_stacks,
            process_tools.get_connection,
            process_tools.list_connections,
            metric_tools.list_metrics,
            metric_tools.get_metric,
            metric_tools.list_groups,
            value_tools.query_metrics,
            daemon_tools.get_status,
            daemon_tools.validate_expression,
            daemon_tools.inspect_file,
            daemon_tools.query_system_events,
            daemon_tools.get_config,
            daemon_tools.validate_config,
            daemon_tools.get_mcp_usage,
        ),
    ),
    (
        WRITES,
        (
            observing_tools.observe,
            observing_tools.add_metric,
            observing_tools.enable_from_diff,
            process_tools.wake,
            process_tools.create_connection,
            metric_tools.update_metric,
            metric_tools.toggle_metric,
            metric_tools.enable_group,
            metric_tools.disable_group,
            daemon_tools.acknowledge_events,
            daemon_tools.update_config,
            daemon_tools.reload_config,
        ),
    ),
    (
        ENDS,
        (process_tools.sleep, process_tools.close_connection, metric_tools.remove_metric),
    ),
)


@cache
def by_name() -> dict[str, Tool]:
    """All tools; those that only read first."""
    return {
        function.__name__: Tool.from_function(
            function,
            description=_description(function),
            # The services: what a tool acts through is not its caller's to say.
            context_kwarg="on",
            annotations=annotations,
            structured_output=False,
        )
        for annotations, functions in _TABLE
        for function in functions
    }


@cache
def listing() -> types.ListToolsResult:
    """As the protocol tells it."""
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name=tool.name,
                description=tool.description,
                input_schema=_without_titles(tool.parameters),
                annotations=tool.annotations,
            )
            for tool in by_name().values()
        ]
    )


def arguments(tool: Tool, given: dict[str, Any]) -> dict[str, Any]:
    """What was given, if the tool knows all of it.

    Raises:
        Refusal: It doesn't (code ``arguments``). Ignored, a misspelt condition would be a lie.
    """
    known = tool.parameters.get("properties", {})
    given = {name: value for name, value in given.items() if value is not None}
    if "expression" in given and "expression" not in known and "expressions" in known:
        # Detrix's own instructions for agents still say so.
        given.setdefault("expressions", [given.pop("expression")])
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise Refusal(
            "arguments",
            f"{tool.name} takes no {unknown[0]!r}.",
            f"It takes: {', '.join(known)}." if known else "It takes nothing.",
        )
    return given


def _description(function: Callable[..., Any]) -> str:
    return " ".join((function.__doc__ or "").split())


def _without_titles(schema: Any) -> Any:
    """Each parameter's name over again, which a model would have to read."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_titles(each)
        for name, each in schema.items()
        if name != "title" or not isinstance(each, str)
    }
