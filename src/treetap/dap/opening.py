"""The first exchange with an adapter, which is the same for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treetap.dap.channel import Channel

_ADAPTER_IDS = {"python": "debugpy", "go": "go"}


async def initialize(channel: Channel, language: str, timeout_s: float) -> frozenset[str]:
    """Say who we are; what the adapter can.

    Raises:
        DapError: See ``Channel.request``.
    """
    answer = await channel.request(
        "initialize",
        {
            "clientID": "treetap",
            "clientName": "treetap",
            "adapterID": _ADAPTER_IDS.get(language, "lldb-dap"),
            "pathFormat": "path",
            "linesStartAt1": True,
            "columnsStartAt1": True,
            "supportsVariableType": True,
            "supportsRunInTerminalRequest": False,
        },
        timeout_s=timeout_s,
    )
    body = answer.body if isinstance(answer.body, dict) else {}
    return frozenset(name for name, value in body.items() if value is True)
