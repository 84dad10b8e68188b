"""Structured logs: JSON lines, or coloured ones on a terminal. Ids only, nothing personal."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

import structlog

Format = Literal["auto", "json", "console"]


def configure_logging(*, level: str = "info", style: Format = "auto", stream: TextIO | None = None) -> None:
    """Set up logging once per process; everything goes to stderr, where data never does."""
    out = stream or sys.stderr
    threshold = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    console = style == "console" or (style == "auto" and out.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty()) if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(threshold, logging.WARNING), stream=out, format="%(name)s: %(message)s")
    # Reconnecting is their trade; our own lines say what it means.
    for noisy in ("aio_pika", "aiormq", "faststream"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


@contextmanager
def only_errors() -> Iterator[None]:
    """For a command that does a service's work in the foreground: it reports itself, on its own streams."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
