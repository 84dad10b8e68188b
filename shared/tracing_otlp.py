"""Spans sent to a collector by OTLP over HTTP; imported only where an address is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from shared.messaging.envelope import Envelope
from shared.tracing import EXPORT_SECONDS, Step, Tracing

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_FAILED: Final = frozenset({"retried", "dead"})


class OtlpTracing(Tracing):
    """A span for each message, by OpenTelemetry's conventions for messaging."""

    def __init__(self, service: str, url: str) -> None:
        """Sends nothing yet; a collector that is down costs spans and never a message."""
        resource = Resource.create({SERVICE_NAMESPACE: "propman", SERVICE_NAME: service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("propman")

    @override
    @contextmanager
    def handling(self, queue: str, envelope: Envelope) -> Iterator[Step]:
        """One span; ids only, nothing of what a message says."""
        parent = _TRACE_CONTEXT.extract({"traceparent": envelope.traceparent or ""})
        attributes: dict[str, str | int] = {
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "process",
            "messaging.destination.name": queue,
            "messaging.message.id": str(envelope.message_id),
            "messaging.message.conversation_id": str(envelope.correlation_id),
            "propman.subject": envelope.subject,
            "propman.attempt": envelope.attempt,
        }
        with self._tracer.start_as_current_span(
            f"process {envelope.topic}",
            parent,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            record_exception=False,
        ) as span:
            step = Step(_traceparent(span))
            yield step
            span.set_attribute("propman.outcome", step.outcome)
            if step.outcome in _FAILED:
                span.set_status(Status(StatusCode.ERROR))

    @override
    def close(self) -> None:
        self._provider.shutdown()


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
