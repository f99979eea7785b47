"""Logs to standard error: lines for people on a terminal, JSON otherwise. Never a secret or key."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog

from rig.plain import plain_event


def configure(stream: TextIO = sys.stderr, *, level: int = logging.INFO) -> None:
    """Send structlog's and the standard library's records to *stream* in one form.

    Args:
        stream: where to.
        level: of our own records; those of libraries begin at INFO or WARNING.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Never with local variables: they hold cookies, tokens and names of patients.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    renderer: list[structlog.typing.Processor] = (
        [
            plain_event,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
        if stream.isatty()
        else [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("rig").setLevel(level)
    # Requests are logged by route in `rig.web.middleware`; these would log paths, headers with
    # tokens and whole messages.
    for chatty in ("uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
