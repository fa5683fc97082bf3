"""What the daemon remembers: nodes, probes and events in a database.

``Store`` is the whole of it. One thread writes, many rows a transaction; whoever asks, reads on a
connection of his own. One SQL layer (SQLAlchemy Core) over SQLite, and PostgreSQL by its URL.
"""

from treetap.store.event import EventBatch, EventFilter, EventPage, LossRow
from treetap.store.store import Store

__all__ = ["EventBatch", "EventFilter", "EventPage", "LossRow", "Store"]
