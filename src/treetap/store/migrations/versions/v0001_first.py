"""The first tables: node, probe, event, progress, counter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "node",
        sa.Column("key", _ID, primary_key=True, autoincrement=False),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("tree", sa.String(64), nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("connected_at_s", sa.BigInteger, nullable=False),
        sa.Column("last_seen_at_s", sa.BigInteger, nullable=False),
    )
    op.create_index("node_by_tree", "node", ["tree"])
    op.create_index("node_by_node_id", "node", ["node_id"])
    op.create_table(
        "probe",
        sa.Column("number", _ID, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("is_removed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("id", _ID, primary_key=True, autoincrement=False),
        sa.Column("probe", sa.BigInteger, nullable=False),
        sa.Column("node", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
        sa.Column("captured", sa.Text, nullable=False),
    )
    op.create_index("event_by_probe", "event", ["probe", "id"])
    op.create_index("event_by_node", "event", ["node", "id"])
    op.create_index("event_by_time", "event", ["time_ns"])
    op.create_table(
        "progress",
        sa.Column("node", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("probe", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "counter",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("counter", "progress", "event", "probe", "node"):
        op.drop_table(table)
