"""What a home of ten million captures needs for its pages: indexes, and two things kept.

Revision ID: 0009
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Photos nobody looked at, sessions by state, what jobs were asked for, figures of plans."""
    op.create_index(
        "ix_photo_unseen", "photo", ["session"], sqlite_where=sa.text("verified IS NULL")
    )
    op.create_index("ix_session_kind_state", "session", ["kind", "state"])
    for one in ("station", "campaign"):
        columns = [one, "kind", "created_ns", "id"]
        op.create_index(f"ix_session_{'_'.join(columns)}", "session", columns)
    op.create_table(
        "balance",
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", name=op.f("pk_balance")),
        sa.ForeignKeyConstraint(
            ["campaign"], ["campaign.id"], name=op.f("fk_balance_campaign_campaign")
        ),
    )
    op.add_column("job", sa.Column("wanted", sa.JSON(none_as_null=True), nullable=True))
    _jobs()


def _jobs() -> None:
    """What a job was asked for stands in its first event."""
    connection = op.get_bind()
    # Along the index over sessions: a home of years has ten million events of other kinds.
    own = "SELECT body FROM event WHERE session IS NULL AND kind = 'job' ORDER BY seq"
    of_session = (
        "SELECT body FROM event WHERE kind = 'job' AND session IN "
        "(SELECT session FROM job WHERE session IS NOT NULL) ORDER BY seq"
    )
    first: dict[str, str] = {}
    for query in (own, of_session):
        for (text,) in connection.execute(sa.text(query)):
            body = json.loads(text)
            if body.get("wanted") is not None:
                first.setdefault(str(body["id"]), json.dumps(body["wanted"]))
    write = sa.text("UPDATE job SET wanted = :wanted WHERE id = :id")
    for ident, wanted in first.items():
        connection.execute(write, {"id": ident, "wanted": wanted})
