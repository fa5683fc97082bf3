"""How many events there are, kept beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "total",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("rows", sa.BigInteger, nullable=False),
    )
    # Reads them all, this once.
    op.execute("INSERT INTO total (kind, rows) SELECT 'event', count(*) FROM event")


def downgrade() -> None:
    op.drop_table("total")
