"""What is known of every factor of a session's environment.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of conditions, and how a session ended and why something is asked of it."""
    op.create_table(
        "condition",
        sa.Column("session", sa.String(), nullable=False),
        sa.Column("factor", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("readback", sa.String(), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session"], ["session.id"], name=op.f("fk_condition_session_session")
        ),
        sa.PrimaryKeyConstraint("session", "factor", name=op.f("pk_condition")),
        sqlite_with_rowid=False,
    )
    for column in (
        sa.Column("run", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("reshoots", sa.String(), nullable=True),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.Column("finish", sa.JSON(), nullable=True),
    ):
        op.add_column("session", column)
