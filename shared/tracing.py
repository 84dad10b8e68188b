"""Spans for OpenTelemetry where somebody collects them, and nothing at all where nobody does.

The id of a trace is the correlation id that every message carries anyway, so a collector and `propman
trace` tell the same story. A span is the handling of one message; what the handler emits names it as its
parent, in the W3C header `traceparent` (https://www.w3.org/TR/trace-context/), and so the next service's
span hangs under it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from typing_extensions import override

from shared.messaging.envelope import Envelope

EXPORT_SECONDS: Final = 5
"""A collector that does not answer keeps a service from ending for no longer than this."""


@dataclass(slots=True)
class Step:
    """The handling of one message, while it goes on."""

    traceparent: str | None
    """What a message that is emitted meanwhile has to say."""
    outcome: str = ""


class Tracing(Protocol):
    """Whatever takes note of what is handled."""

    def handling(self, queue: str, envelope: Envelope) -> AbstractContextManager[Step]:
        """Around the handling of one message; set the step's `outcome` before it ends."""

    def close(self) -> None:
        """Hand over what is still here; it may take `EXPORT_SECONDS`."""


class NoTracing(Tracing):
    """Passes on what a message said of its trace, and notes nothing."""

    @override
    @contextmanager
    def handling(self, queue: str, envelope: Envelope) -> Iterator[Step]:
        yield Step(envelope.traceparent)

    @override
    def close(self) -> None:
        """There is nothing to hand over."""


def tracing_for(service: str, url: str | None) -> Tracing:
    """What a service notes its work with: `url` is an OTLP collector's address for traces, over HTTP."""
    if url is None:
        return NoTracing()
    from shared.tracing_otlp import OtlpTracing  # noqa: PLC0415 - an optional extra

    return OtlpTracing(service, url)
