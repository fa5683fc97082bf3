"""The shapes of ``/api/v2`` as JSON schemas; ``openapi`` puts them beside the routes."""

from __future__ import annotations

from treetap.api.json_schema import (
    ANYTHING,
    NUMBER,
    SWITCH,
    TEXT,
    WHOLE,
    Schema,
    array,
    closed,
    nullable,
    ref,
    said,
)
from treetap.model.probe import DEFAULT_TTL_S, MODES, SAFETIES, Limits, Probe, Target
from treetap.model.status import ProbeState

_MOMENT = said(NUMBER, "Seconds since the epoch.")
_LINK = closed(unix=TEXT, host=TEXT, port=WHOLE)
_TARGET = closed(tree=TEXT, name=TEXT, pid=WHOLE)
_LIMITS = closed(max_depth=WHOLE, max_items=WHOLE, max_chars=WHOLE, max_fields=WHOLE)
_MODE: Schema = {"type": "string", "enum": list(MODES)}
_SAFETY: Schema = {"type": "string", "enum": list(SAFETIES)}

_SKIPPED: Schema = {"type": "object", "additionalProperties": WHOLE}

_STATUS: dict[str, Schema] = {
    "probe_id": TEXT,
    "state": {"type": "string", "enum": [v for k, v in vars(ProbeState).items() if k.isupper()]},
    "engine": said(TEXT, "injecting, monitoring, tracing, or several joined by +."),
    "why": TEXT,
    "sites": array(TEXT),
    "differs": said(SWITCH, "The file on disk is not the code that runs."),
    "error": said(array(TEXT), "Slug, what and hint of what keeps it from being armed."),
    "hits": WHOLE,
    "recorded": WHOLE,
    "skipped": _SKIPPED,
    "lost": said(WHOLE, "Rows overwritten in the ring of the process."),
}
_NODE_OF_EVENT: dict[str, Schema] = {"node": TEXT, "pid": WHOLE, "name": TEXT, "tree": TEXT}

_ASKED: dict[str, Schema] = {
    "location": said(TEXT, 'shop.py:42, shop.py:"text", or package.module:Class.method.'),
    "expressions": array(TEXT),
    "snapshot": said(SWITCH, "Take locals and stack, too."),
    "condition": TEXT,
    "mode": _MODE,
    "rate": said(NUMBER, "The mode's number."),
    "max_hits": said(WHOLE, "0 for no limit."),
    "ttl_s": said({**NUMBER, "default": DEFAULT_TTL_S}, "Seconds to live; 0 for ever."),
    "safety": _SAFETY,
    "allow_calls": said(SWITCH, "Let strict expressions read properties."),
    "limits": {**_LIMITS, "required": [], "default": Limits()._asdict()},
    "budget_percent": said(
        {**NUMBER, "default": Probe._field_defaults["budget_percent"]},
        "CPU it may cost, in percent of a core; 0 for no limit.",
    ),
    "target": {**_TARGET, "required": [], "default": Target()._asdict()},
    "name": TEXT,
    "is_enabled": SWITCH,
    "group": said(TEXT, "Probes of one group are enabled and disabled together."),
    "language": said(TEXT, "Of its expressions: python, go, rust; else that of its file."),
}

_TARGET_ASKED: dict[str, Schema] = {
    "host": said(TEXT, "Of the adapter, as the daemon reaches it."),
    "port": said({**WHOLE, "minimum": 1, "maximum": 65535}, "Of the adapter."),
    "name": said(TEXT, "Of the program."),
    "language": said({**TEXT, "default": "python"}, "python, go or rust."),
    "workspace_root": said(TEXT, "Directory of its sources, as the program sees it."),
    "hostname": said(TEXT, "Of the machine that it runs on."),
    "is_safe_mode": said(SWITCH, "Take nothing that could hold it up."),
}

SCHEMAS: dict[str, Schema] = {
    "Error": closed(error=closed(slug=TEXT, what=TEXT, hint=TEXT)),
    "Health": closed(
        service={"type": "string", "enum": ["detrix"]},
        status=TEXT,
        uptimeSeconds=WHOLE,
        adapterConnected=SWITCH,
        advertiseUrl={"type": "null"},
        treetap=closed(version=TEXT, protocol=WHOLE, pid=WHOLE, link=_LINK),
    ),
    "Status": closed(
        version=TEXT,
        protocol=WHOLE,
        pid=WHOLE,
        url=TEXT,
        link=_LINK,
        started_at=_MOMENT,
        uptime_s=NUMBER,
        nodes=said(WHOLE, "How many are connected."),
        probes=WHOLE,
        listeners=said(WHOLE, "Of the live stream."),
        rows=said(WHOLE, "Received since the start."),
        lost_rows=said(WHOLE, "Known to be lost, anywhere on the way."),
        unplaced_rows=said(WHOLE, "Of probes that this store doesn't know."),
        store=closed(
            url=TEXT,
            size_bytes=WHOLE,
            events=said(WHOLE, "About so many."),
            queued_rows=WHOLE,
            written_rows=WHOLE,
            max_age_s=NUMBER,
            max_bytes=WHOLE,
        ),
    ),
    "ProbeStatus": closed(**_STATUS),
    "Node": closed(
        id=TEXT,
        name=TEXT,
        pid=WHOLE,
        start_ns=WHOLE,
        host=TEXT,
        boot_id=TEXT,
        tree=TEXT,
        parent=TEXT,
        python=TEXT,
        program=TEXT,
        state={"type": "string", "enum": ["awake", "gone"]},
        reason=said(TEXT, "Why it is gone: sleep, exit, lost."),
        connected_at=_MOMENT,
        last_seen_at=_MOMENT,
        probes=array(ref("ProbeStatus")),
    ),
    "Tree": closed(id=TEXT, root_pid=WHOLE, awake=SWITCH, nodes=WHOLE),
    "NewProbe": {**closed(**_ASKED), "required": ["location"]},
    "ProbeChange": {
        **closed(
            **{
                name: schema
                for name, schema in _ASKED.items()
                if name not in ("location", "expressions", "snapshot", "language")
            }
        ),
        "required": [],
    },
    "Probe": closed(
        **{**_ASKED, "target": _TARGET, "limits": _LIMITS},
        id=TEXT,
        is_expired=SWITCH,
        created_at=_MOMENT,
        expires_at=nullable(_MOMENT),
        hits=said(WHOLE, "In all nodes since the daemon started."),
        recorded=WHOLE,
        skipped=said(_SKIPPED, "By reason. With recorded it makes hits."),
        lost=said(WHOLE, "Rows that never came or could not be kept."),
        nodes=array(closed(**_NODE_OF_EVENT, **_STATUS)),
        last_node=said(
            nullable(closed(**_NODE_OF_EVENT, **_STATUS)),
            "How it fared in the last node that is gone, for ten minutes.",
        ),
    ),
    "Hit": closed(
        kind={"type": "string", "enum": ["hit"]},
        id=WHOLE,
        probe=TEXT,
        probe_name=TEXT,
        location=TEXT,
        **_NODE_OF_EVENT,
        number=said(WHOLE, "Counts the probe's rows in this node."),
        time_ns=WHOLE,
        values={"type": "object", "additionalProperties": ANYTHING},
    ),
    "Loss": closed(
        kind={"type": "string", "enum": ["loss"]},
        id=WHOLE,
        probe=TEXT,
        probe_name=TEXT,
        location=TEXT,
        **_NODE_OF_EVENT,
        number=said(WHOLE, "Of the first lost row."),
        time_ns=WHOLE,
        lost=said(WHOLE, "How many rows."),
        where={"type": "string", "enum": ["node", "store"]},
    ),
    "NewTarget": {
        **closed(**_TARGET_ASKED, pid=said(WHOLE, "Its process id; 0 if unknown.")),
        "required": ["host", "port", "name"],
    },
    "Target": closed(
        **_TARGET_ASKED,
        id=TEXT,
        state={"type": "string", "enum": ["connecting", "connected", "disconnected", "failed"]},
        error={"oneOf": [{"type": "null"}, closed(slug=TEXT, what=TEXT, hint=TEXT)]},
        attempts=said(WHOLE, "How many failed since it was connected."),
        parent=said(TEXT, "Id of the target that started it."),
        tree=said(TEXT, "Of its nodes; what a probe's target may be."),
        node=said(TEXT, "Id of its node; empty if it has none yet."),
        pid=WHOLE,
        created_at=_MOMENT,
        connected_at=nullable(_MOMENT),
        last_active_at=nullable(_MOMENT),
    ),
    "Config": closed(
        path=said(TEXT, "Of config.toml."),
        toml=said(TEXT, "What holds now; secrets are left out."),
        settings=array(
            closed(
                key=said(TEXT, "table.key"),
                value=ANYTHING,
                origin=said(TEXT, "command line, a variable, config.toml, daemon_url or default."),
                needs_restart=said(SWITCH, "A change holds from the daemon's next start on."),
            )
        ),
    ),
    "ConfigChange": closed(
        applied=said(array(TEXT), "Keys whose new value holds now."),
        after_restart=said(array(TEXT), "Keys whose new value holds from the next start on."),
        warnings=array(TEXT),
    ),
    "ConfigCheck": closed(is_valid=SWITCH, errors=array(TEXT), warnings=array(TEXT)),
    "EventPage": closed(
        events=array({"oneOf": [ref("Hit"), ref("Loss")]}), next_cursor=nullable(TEXT)
    ),
}
