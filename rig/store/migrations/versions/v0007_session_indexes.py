"""Indexes for what every session page asks: who shoots again, and what a station shot last.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A session page costs the same with twenty sessions and with twenty thousand."""
    op.create_index("ix_session_reshoots", "session", ["reshoots"])
    op.create_index("ix_session_station_started_ns", "session", ["station", "started_ns"])
    op.create_index("ix_session_parent", "session", ["parent"])
