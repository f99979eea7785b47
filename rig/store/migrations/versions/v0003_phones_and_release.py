"""Phones can be unpaired, photos can be released for deletion on the phone.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add one column to each of three tables."""
    op.add_column(
        "station",
        sa.Column("phone_generation", sa.Integer(), nullable=False, server_default="0"),
    )
    for table in ("photo", "batch"):
        op.add_column(
            table, sa.Column("released", sa.Boolean(), nullable=False, server_default="0")
        )
