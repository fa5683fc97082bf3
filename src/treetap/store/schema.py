"""The tables. ``migrations/`` makes them; a test holds the two together.

An event refers to its node by a key that everybody can compute (``node_key``), so that the hot
path never waits for a database to give one, and to its probe by the number in the probe's id.
A loss is an event too: ``lost`` is then its count, ``number`` the first lost number.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

if TYPE_CHECKING:
    from treetap.model.node import NodeIdentity

metadata = MetaData()

#: SQLite makes a row's address of an INTEGER PRIMARY KEY, and of no other type.
_Id = BigInteger().with_variant(Integer(), "sqlite")

node = Table(
    "node",
    metadata,
    Column("key", _Id, primary_key=True, autoincrement=False),
    Column("node_id", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("name", String(255), nullable=False),
    Column("tree", String(64), nullable=False),
    Column("identity", Text, nullable=False),
    Column("connected_at_s", BigInteger, nullable=False),
    Column("last_seen_at_s", BigInteger, nullable=False),
    Index("node_by_tree", "tree"),
    Index("node_by_node_id", "node_id"),
)

probe = Table(
    "probe",
    metadata,
    Column("number", _Id, primary_key=True, autoincrement=False),
    Column("name", String(255), nullable=False),
    Column("definition", Text, nullable=False),
    # Kept after its removal, for as long as events of it are: they need its expressions.
    Column("is_removed", Boolean, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("probe", BigInteger, nullable=False),
    Column("node", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("time_ns", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    # JSON: a list, one value an expression. Of a loss: where it happened.
    Column("captured", Text, nullable=False),
    Index("event_by_probe", "probe", "id"),
    Index("event_by_node", "node", "id"),
    Index("event_by_time", "time_ns"),
)

#: How far each probe has come in each node, so that a loss is seen across a daemon's restart.
progress = Table(
    "progress",
    metadata,
    Column("node", BigInteger, primary_key=True, autoincrement=False),
    Column("probe", BigInteger, primary_key=True, autoincrement=False),
    Column("next_number", BigInteger, nullable=False),
)

#: What happened beside the hits: ``journal.JournalEntry`` says what its columns mean.
journal = Table(
    "journal",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("node", BigInteger, nullable=False),
    Column("probe", BigInteger, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("details", Text, nullable=False),
    Column("is_acknowledged", Boolean, nullable=False),
    Index("journal_by_time", "time_ns"),
)

#: The next free number of a kind: ``probe``, ``event``.
counter = Table(
    "counter",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("next", BigInteger, nullable=False),
)

#: How many rows there are of a kind, ``event``: to count them would be to read them all.
total = Table(
    "total",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("rows", BigInteger, nullable=False),
)


def node_key(identity: NodeIdentity) -> int:
    """A positive 53-bit number that is this node's on every daemon of a database.

    53 bits, so that JSON readers of other languages keep it whole.
    """
    text = f"{identity.host}\0{identity.boot_id}\0{identity.id}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 11
