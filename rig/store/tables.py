"""The tables. `event` is the truth; session, capture, photo, condition... are its projections."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

SUBSET, ALIGNMENT = "subset", "alignment"
"""Kinds of sessions: photos of x-rays, and one photo of the test card."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

catalog = Table(
    "catalog",
    metadata,
    Column("id", String, primary_key=True),  # 16 hex digits
    Column("name", String, nullable=False, unique=True),
    Column("csv", String, nullable=False),
    Column("data_dir", String, nullable=False),
    Column("ordering", String, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("problems", JSON, nullable=False),  # [{"line","path","reason"}] that were left out
    Column("created_ns", BigInteger, nullable=False),
)

xray = Table(
    "xray",
    metadata,
    Column("catalog", String, ForeignKey("catalog.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),  # 1..N; `index` would shadow tuple.index of a row
    Column("key", String, nullable=False),
    Column("path", String, nullable=False),
    Column("file", String, nullable=False),
    Column("sha256", String, nullable=False, index=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("split", String, nullable=False),
    Column("row", JSON, nullable=False),
    UniqueConstraint("catalog", "key"),
    sqlite_with_rowid=False,
)

campaign = Table(
    "campaign",
    metadata,
    Column("id", String, primary_key=True),  # 16 hex digits, goes into every photo's name
    Column("name", String, nullable=False, unique=True),
    Column("catalog", String, ForeignKey("catalog.id"), nullable=False),
    Column("device", String, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("size_min", Integer, nullable=False),
    Column("size_max", Integer, nullable=False),
    Column("settle_ms", Integer, nullable=False),
    Column("subsets", Integer, nullable=False),
    Column("xrays", Integer, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("scheme", JSON(none_as_null=True)),  # factors, constraints, listed environments
    Column("figures", JSON(none_as_null=True)),  # of the newest revision's design
)

subset = Table(
    "subset",
    metadata,
    Column("campaign", String, ForeignKey("campaign.id"), primary_key=True),
    Column("id", Integer, primary_key=True),  # from 1
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("environment", String, nullable=False),
    Column("levels", JSON, nullable=False),
    Column("revision", Integer, nullable=False, server_default="1"),  # that planned it
    Column("retired", Integer),  # revision that replaced it; null: it stands
    sqlite_with_rowid=False,
)

balance = Table(
    "balance",  # figures of a plan, which follow from it and take seconds; a missing row is made
    metadata,
    Column("campaign", String, ForeignKey("campaign.id"), primary_key=True),
    Column("revision", Integer, nullable=False),  # of the plan that they are of
    Column("told", JSON, nullable=False),
)

station = Table(
    "station",
    metadata,
    Column("name", String, primary_key=True),
    Column("token_sha256", String, nullable=False, unique=True),
    Column("created_ns", BigInteger, nullable=False),
    Column("phone_generation", Integer, nullable=False, server_default="0"),  # of its phone's token
)

event = Table(
    "event",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("time_ns", BigInteger, nullable=False),  # the source's clock
    Column("received_ns", BigInteger, nullable=False),  # the controller's clock
    Column("actor", String, nullable=False),
    Column("session", String),
    Column("source_seq", Integer),  # the display agent's own number; null for the controller's
    Column("idx", Integer),
    Column("attempt", Integer),
    Column("kind", String, nullable=False),
    Column("body", JSON, nullable=False),
    UniqueConstraint("session", "source_seq"),
    Index("ix_event_session_kind_seq", "session", "kind", "seq"),
    Index("ix_event_session_seq", "session", "seq"),
    sqlite_autoincrement=True,
)

session = Table(
    "session",
    metadata,
    Column("id", String, primary_key=True),  # "s" + 16 hex digits
    Column("campaign", String, nullable=False),
    Column("subset", Integer, nullable=False),
    Column("station", String, ForeignKey("station.name"), nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("requested", String),  # what a person asked for and the rig has not confirmed
    Column("requested_ns", BigInteger),
    Column("refused", String),  # why the last request failed
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("started_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Column("source_seq", Integer, nullable=False),  # every agent event up to here is stored
    Column("committed", Integer, nullable=False),
    Column("retakes", Integer, nullable=False),
    Column("photos", Integer, nullable=False),
    Column("verified", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("painted_index", Integer),
    Column("last_index", Integer),
    Column("rtt_ms", Float),
    Column("link", String),  # "up", "lost" or null: never connected
    Column("phone", JSON(none_as_null=True)),  # camera, free_bytes, battery_pct, boot_id
    Column("paused", JSON(none_as_null=True)),  # code, why
    Column("abort", JSON(none_as_null=True)),  # abort_id, code, why, expected, got, by
    Column("chain", String),
    Column("legacy", Boolean, nullable=False, server_default="0"),  # shot through the original app
    Column("claimed", Integer, nullable=False, server_default="0"),
    Column("app", JSON(none_as_null=True)),  # legacy: address, start_number
    Column("run", Integer, nullable=False, server_default="0"),  # nth session of its subset, from 0
    Column("reshoots", String),  # the session whose photos it replaces
    Column("asked", JSON(none_as_null=True)),  # by, code, why of what is requested
    Column("finish", JSON(none_as_null=True)),  # reason, by, code, why, count
    Column("kind", String, nullable=False, server_default=SUBSET),
    Column("parent", String),  # of an alignment shot: the session that it is taken for
    Column("alignment", JSON(none_as_null=True)),  # the newest shot, see rig.capture.alignment_rows
    ForeignKeyConstraint(["campaign", "subset"], ["subset.campaign", "subset.id"]),
    Index("ix_session_campaign_subset", "campaign", "subset"),
    Index("ix_session_station_state", "station", "state"),
    Index("ix_session_reshoots", "reshoots"),
    Index("ix_session_station_started_ns", "station", "started_ns"),
    Index("ix_session_parent", "parent"),
    Index("ix_session_kind_created_ns_id", "kind", "created_ns", "id"),
    Index("ix_session_campaign_id", "campaign", "id"),
    Index("ix_session_kind_state", "kind", "state"),
    Index("ix_session_station_kind_created_ns_id", "station", "kind", "created_ns", "id"),
    Index("ix_session_campaign_kind_created_ns_id", "campaign", "kind", "created_ns", "id"),
)

capture = Table(
    "capture",
    metadata,
    Column("session", String, ForeignKey("session.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("committed", Boolean, nullable=False),
    Column("retakes", Integer, nullable=False),
    Column("why", String),  # of the last retake
    Column("time_ns", BigInteger, nullable=False),
    Column("sha256", String),
    Column("size", Integer),
    Column("name", String),
    Column("t_trigger_ns", BigInteger),
    Column("t_done_ns", BigInteger),
    Column("w", Integer),
    Column("h", Integer),
    Column("rtt_ms", Float),
    Column("source_sha256", String),
    Index("ix_capture_session_time_ns", "session", "time_ns"),
    sqlite_with_rowid=False,
)

photo = Table(
    "photo",
    metadata,
    Column("session", String, ForeignKey("session.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("idx", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sha256", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("received_ns", BigInteger, nullable=False),
    Column("verified", Boolean),  # null: not looked at yet
    Column("reason", String),
    Column("score", Float),
    Column("homography", JSON(none_as_null=True)),
    Column("detail", JSON(none_as_null=True)),
    Column("verified_ns", BigInteger),
    Column("released", Boolean, nullable=False, server_default="0"),  # may be deleted on the phone
    Index("ix_photo_session_idx_attempt", "session", "idx", "attempt"),
    Index("ix_photo_unseen", "session", sqlite_where=text("verified IS NULL")),
    sqlite_with_rowid=False,
)

claim = Table(
    "claim",  # what the original app says it has: nothing of it is proved
    metadata,
    Column("session", String, ForeignKey("session.id"), primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("name", String, nullable=False),  # that the app was asked to save it under
    Column("earlier", JSON, nullable=False),  # other names that were asked for
    Column("by", String, nullable=False),  # "phone" or "operator"
    Column("suspect", String),  # what disturbed the screen meanwhile
    Column("time_ns", BigInteger, nullable=False),
    Column("rtt_ms", Float),
    sqlite_with_rowid=False,
)

batch = Table(
    "batch",
    metadata,
    Column("session", String, ForeignKey("session.id"), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("chain", String, nullable=False),
    Column("missing", Integer, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("completed_ns", BigInteger),
    Column("released", Boolean, nullable=False, server_default="0"),
)

condition = Table(
    "condition",  # what is known of a factor; one without a row waits
    metadata,
    Column("session", String, ForeignKey("session.id"), primary_key=True),
    Column("factor", String, primary_key=True),
    Column("state", String, nullable=False),  # waiting, confirmed, unconfirmed, failed, differs
    Column("by", String),  # who set or confirmed it: "person", "display" or an actuator
    Column("name", String),  # of the person
    Column("note", String),
    Column("readback", String),
    Column("why", String),
    Column("evidence", JSON, nullable=False),  # [{"sha256","time_ns"}] of the kept pictures
    Column("time_ns", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

job = Table(
    "job",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("session", String),
    Column("state", String, nullable=False),  # running, done, failed, cancelled, interrupted
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("error", String),
    Column("result", JSON(none_as_null=True)),
    Column("created_ns", BigInteger, nullable=False),
    Column("updated_ns", BigInteger, nullable=False),
    Column("wanted", JSON(none_as_null=True)),  # what was asked for; null: it cannot be resumed
    Index("ix_job_created_ns_id", "created_ns", "id"),
)

lock = Table(
    "lock",  # who has a session or a campaign in hand; a projection of the log
    metadata,
    Column("target", String, primary_key=True),  # "session:<id>" or "campaign:<id>"
    Column("name", String, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("asked", JSON, nullable=False),  # names of those who asked for it since
)

device = Table(
    "device",  # signed-in browsers and the tokens of scripts: each can be voided by itself
    metadata,
    Column("id", String, primary_key=True),  # "d" + 16 hex digits
    Column("kind", String, nullable=False),  # "browser" or "script"
    Column("name", String),  # of the person who acts through it
    Column("label", String, nullable=False),
    Column("sha256", String, nullable=False, unique=True),  # of its cookie or token
    Column("epoch", String, nullable=False),  # of the access token: another one voids all of them
    Column("address", String, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger),
    Column("revoked_ns", BigInteger),
)

audit = Table(
    "audit",  # who asked for what, when, and what was answered; rows are never changed
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("time_ns", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("device", String),
    Column("action", String, nullable=False),  # operation id of the API, or kind of event
    Column("session", String),
    Column("campaign", String),  # its name
    Column("target", String),
    Column("status", Integer),  # of HTTP; null: done without the API
    Column("why", String),  # it was refused
    Column("told", JSON, nullable=False),  # what was asked, without secrets
    Index("ix_audit_actor_seq", "actor", "seq"),
    Index("ix_audit_campaign_seq", "campaign", "seq"),
    Index("ix_audit_session_seq", "session", "seq"),
    sqlite_autoincrement=True,
)

answer = Table(
    "answer",  # to commands with an Idempotency-Key
    metadata,
    Column("key", String, primary_key=True),  # HMAC of who asked and the key
    Column("fingerprint", String, nullable=False),  # HMAC of method, path and body
    Column("status", Integer),  # null: under way, or cut short
    Column("headers", JSON, nullable=False),
    Column("sealed", LargeBinary),
    Column("created_ns", BigInteger, nullable=False, index=True),
)
