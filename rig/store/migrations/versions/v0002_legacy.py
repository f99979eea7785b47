"""Sessions through the original app: what its app claimed.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mark of a legacy session, its counter and the table of its claims."""
    for column in ("legacy", "claimed"):
        kind = sa.Boolean() if column == "legacy" else sa.Integer()
        op.add_column("session", sa.Column(column, kind, nullable=False, server_default="0"))
    op.add_column("session", sa.Column("app", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "claim",
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("earlier", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("suspect", sa.String(), nullable=True),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("rtt_ms", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["session"], ["session.id"], name=op.f("fk_claim_session_session")),
        sa.PrimaryKeyConstraint("session", "idx", name=op.f("pk_claim")),
        sqlite_with_rowid=False,
    )
