"""What a person calls this process, at the prompt and in its queue."""

from __future__ import annotations

import os
import sys

from treetap.debug import kinship

#: ``PID NAME``, of a process that is named by ``treetap.init``.
_NAME_VARIABLE = "TREETAP_OWN_NAME"


def own_name() -> str:
    """What the user, or who has started it, calls this process; else its program's name."""
    actor = kinship.actor_here()
    if actor is not None:
        return actor[0]
    pid, _, given = os.environ.get(_NAME_VARIABLE, "").partition(" ")
    if given and pid == str(os.getpid()):
        return given
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        return str(multiprocessing.current_process().name)
    script = sys.argv[0] if sys.argv else ""
    if os.path.basename(script) == "__main__.py":
        script = os.path.dirname(script)
    program = os.path.basename(script).removesuffix(".py") or "python"
    return _workers_name() or os.environ.get("TREETAP_NAME", "") or program


def _workers_name() -> str:
    """What Celery's pool, or pytest-xdist, calls a worker of its own; ``""`` if this is none."""
    billiard = sys.modules.get("billiard.process")
    name = str(getattr(getattr(billiard, "_current_process", None), "name", ""))
    if name and name != "MainProcess":
        return name
    # What a test starts in turn has the variable too.
    if sys.argv[:1] == ["-c"] and "execnet.gateway_base" in sys.modules:
        return os.environ.get("PYTEST_XDIST_WORKER", "")
    return ""
