"""Tools for metrics that are there: the probes, under the name by which Detrix's agents know them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from treetap.mcp import words
from treetap.mcp.services import Refusal, Services, part

_PAGE = 1000


async def list_metrics(
    on: Services,
    group: words.Group | None = None,
    enabled_only: Annotated[bool, Field(description="Leave out those that are off.")] = False,
    format: words.Format = "json",  # noqa: A002 - the parameter's name
) -> dict[str, Any]:
    """All metrics, newest first: where they are, what they take, how often they were hit."""
    found = await all_metrics(on, enabled=True if enabled_only else None)
    if group is not None:
        found = [each for each in found if (each["group"] or "default") == group]
    return {"metrics": found, "total": len(found)}


async def get_metric(on: Services, name: words.MetricName) -> dict[str, Any]:
    """One metric, and how it fares in each process: armed or not, by which engine, why not, its hits and losses."""
    metric = await metric_of(on, name)
    return {**metric, "processes": fared(await on.get(f"/api/v2/probes/{metric['probeId']}"))}


async def update_metric(
    on: Services,
    name: words.MetricName,
    expressions: words.Expressions | None = None,
    group: words.Group | None = None,
    enabled: Annotated[bool | None, Field(description="Switch it on or off.")] = None,
) -> dict[str, Any]:
    """Change what a metric takes, its group, or whether it is on."""
    given = {"expressions": expressions, "group": group, "enabled": enabled}
    body = {field: value for field, value in given.items() if value is not None}
    metric = await metric_of(on, name)
    return dict(await on.put(f"/api/v1/metrics/{metric['metricId']}", body))


async def toggle_metric(
    on: Services, name: words.MetricName, enabled: Annotated[bool, Field(description="On or off.")]
) -> dict[str, Any]:
    """Switch a metric on or off. What it took is kept."""
    verb = "enable" if enabled else "disable"
    metric = await metric_of(on, name)
    return dict(await on.post(f"/api/v1/metrics/{metric['metricId']}/{verb}"))


async def remove_metric(on: Services, name: words.MetricName) -> dict[str, Any]:
    """Remove a metric; it is taken out of every process at once."""
    metric = await metric_of(on, name)
    await on.delete(f"/api/v1/metrics/{metric['metricId']}")
    return {"metricId": metric["metricId"], "name": metric["name"], "status": "removed"}


async def list_groups(
    on: Services,
    format: words.Format = "json",  # noqa: A002 - the parameter's name
) -> dict[str, Any]:
    """The groups of metrics, and how many are on in each; those without a group are in "default"."""
    return {"groups": await on.get("/api/v1/groups")}


async def enable_group(on: Services, group: words.Group) -> dict[str, Any]:
    """Switch all metrics of a group on."""
    return dict(await on.post(f"/api/v1/groups/{part(group)}/enable"))


async def disable_group(on: Services, group: words.Group) -> dict[str, Any]:
    """Switch all metrics of a group off."""
    return dict(await on.post(f"/api/v1/groups/{part(group)}/disable"))


async def metric_of(on: Services, name: str) -> dict[str, Any]:
    """The metric with this name, or this id.

    Raises:
        Refusal: There is none (code ``metric-unknown``), or one in each of several connections
            (``metric-ambiguous``).
    """
    found = [
        each
        for each in await all_metrics(on)
        if name in (each["name"], each["probeId"], str(each["metricId"]))
    ]
    if len(found) > 1:
        ids = ", ".join(f"{each['metricId']} ({each['connectionId']})" for each in found)
        raise Refusal(
            "metric-ambiguous", f"Several metrics have the name {name!r}.", f"Give an id: {ids}."
        )
    if not found:
        raise Refusal("metric-unknown", f"There is no metric {name[:200]!r}.", "See list_metrics.")
    return found[0]


async def all_metrics(on: Services, *, enabled: bool | None = None) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = []
    while True:
        page = await on.get("/api/v1/metrics", enabled=enabled, limit=_PAGE, offset=len(found))
        found += page["metrics"]
        if not page["metrics"] or len(found) >= page["total"]:
            return found


def fared(probe: dict[str, Any]) -> list[dict[str, Any]]:
    """How a probe fares in each process, without what says nothing."""
    wanted = ("name", "pid", "state", "engine", "why", "sites", "differs", "error", "hits", "lost")
    return [{key: node[key] for key in wanted if node[key]} for node in probe["nodes"]]
