"""Campaigns keep what they may be shot in, and can be planned anew.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add scheme and figures to campaigns, and to subsets the revisions they belong to."""
    for column in ("scheme", "figures"):
        op.add_column("campaign", sa.Column(column, sa.JSON(none_as_null=True), nullable=True))
    op.add_column("subset", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("subset", sa.Column("retired", sa.Integer(), nullable=True))
