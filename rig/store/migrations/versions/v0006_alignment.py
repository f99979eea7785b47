"""Alignment shots: sessions of one photo of the test card, taken for another session.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sessions have a kind; of an alignment shot it is known for whom, and what it showed."""
    for column in (
        sa.Column("kind", sa.String(), nullable=False, server_default="subset"),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("alignment", sa.JSON(none_as_null=True), nullable=True),
    ):
        op.add_column("session", column)
