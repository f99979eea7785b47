"""Locks, signed-in devices, the audit log and answers to repeated commands.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody holds anything, and every browser has to sign in anew."""
    op.create_table(
        "lock",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_lock")),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=True),
        sa.Column("revoked_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("sha256", name=op.f("uq_device_sha256")),
    )
    _audit()
    op.create_table(
        "answer",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_answer")),
    )
    op.create_index("ix_answer_created_ns", "answer", ["created_ns"])
    op.create_index("ix_session_kind_created_ns_id", "session", ["kind", "created_ns", "id"])
    op.create_index("ix_session_campaign_id", "session", ["campaign", "id"])
    op.create_index("ix_job_created_ns_id", "job", ["created_ns", "id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("time_ns", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("session", sa.String(), nullable=True),
        sa.Column("campaign", sa.String(), nullable=True),
        sa.Column("target", sa.String(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("why", sa.String(), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    for column in ("actor", "campaign", "session"):
        op.create_index(f"ix_audit_{column}_seq", "audit", [column, "seq"])
    for what in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{what.lower()} BEFORE {what} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only ever appended to'); END"
        )
