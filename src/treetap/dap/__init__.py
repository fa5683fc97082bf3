"""A client of debug adapters of others: debugpy, delve, lldb-dap. Floor 3 of the daemon tower.

``attach`` gives a ``Session``; ``Session.set_logpoints`` puts logpoints into the program behind it,
and ``on_hit`` is called with what they capture. Nothing here knows of probes, nodes or the store.
"""

from treetap.dap.attaching import attach
from treetap.dap.child import Child
from treetap.dap.hit import Fault, Hit
from treetap.dap.logpoint import Counts, Logpoint, Placed
from treetap.dap.session import Session
from treetap.errors import DapError

__all__ = ["Child", "Counts", "DapError", "Fault", "Hit", "Logpoint", "Placed", "Session", "attach"]
