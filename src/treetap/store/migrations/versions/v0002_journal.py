"""The journal: what happened to probes, nodes and the daemon itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("time_ns", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("node", sa.BigInteger, nullable=False),
        sa.Column("probe", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("is_acknowledged", sa.Boolean, nullable=False),
    )
    op.create_index("journal_by_time", "journal", ["time_ns"])


def downgrade() -> None:
    op.drop_table("journal")
