"""What a collector of OpenTelemetry's spans is told, over real HTTP; and that no collector costs no message."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pydantic import ValidationError
from typing_extensions import override

from services.leasing.settings import Settings
from shared.messaging.router import Router
from shared.messaging.transaction import Tx
from shared.tracing import NoTracing, Tracing, tracing_for
from tests.support.probe import Followed, Noted
from tests.support.probe_service import Ground, MakeProbe, ProbeService, note

DSN = "postgresql://propman:secret@127.0.0.1/propman"


class Collector(ThreadingHTTPServer):
    """Keeps every span it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.spans: list[Span] = []
        self.services: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"


class _Receive(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
            self.server.services |= {
                item.value.string_value for item in resource.resource.attributes if item.key == "service.name"
            }
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def attributes(span: Span) -> dict[str, str]:
    return {item.key: item.value.string_value for item in span.attributes}


def traced(probe: ProbeService, url: str | None) -> Tracing:
    probe.edge.tracing = tracing_for("probe", url)
    return probe.edge.tracing


@pytest.mark.servers
async def test_a_span_hangs_under_the_one_that_caused_it(
    ground: Ground, make_probe: MakeProbe, router: Router, collector: Collector
) -> None:
    @router.on(Noted)
    async def follow(message: Noted, tx: Tx) -> None:
        tx.emit(Followed(item_id=message.item_id))

    @router.on(Followed)
    async def hear(_message: Followed, _tx: Tx) -> None:
        """The end of the story."""

    probe = make_probe()
    tracing = traced(probe, collector.url)
    await probe.start()
    correlation_id = await ground.emit(Noted())
    await probe.handled(2)
    tracing.close()

    first, second = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    assert {first.trace_id, second.trace_id} == {correlation_id.bytes}
    assert second.parent_span_id == first.span_id
    assert (first.name, second.name) == ("process probe.noted.v1", "process probe.followed.v1")
    assert attributes(first)["propman.outcome"] == "done"
    assert collector.services == {"probe"}


@pytest.mark.servers
async def test_each_message_of_a_batch_has_a_span_of_its_own_trace(
    ground: Ground, make_probe: MakeProbe, collector: Collector
) -> None:
    probe = make_probe(batch=10)
    tracing = traced(probe, collector.url)
    await probe.start(consume=False)
    stories = {await ground.emit(Noted(number=number)) for number in range(3)}
    await probe.waiting(3)
    await probe.consumers.start()
    await probe.handled(3)
    tracing.close()

    assert sorted(span.trace_id for span in collector.spans) == sorted(story.bytes for story in stories)


@pytest.mark.servers
async def test_what_is_buried_is_a_span_in_error_that_tells_nothing_of_the_message(
    ground: Ground, make_probe: MakeProbe, collector: Collector
) -> None:
    async def fail(_message: Noted, _tx: Tx) -> None:
        raise ValueError("Tina Torres owes 12 dollars")

    probe = make_probe(fail)
    tracing = traced(probe, collector.url)
    await probe.start()
    await ground.emit(Noted())
    await probe.handled(1, "dead")
    tracing.close()

    [span] = collector.spans
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert b"Tina" not in span.SerializeToString()


@pytest.mark.servers
async def test_a_collector_that_is_down_costs_no_message(ground: Ground, make_probe: MakeProbe) -> None:
    probe = make_probe(note)
    traced(probe, "http://127.0.0.1:9/v1/traces")
    await probe.start()

    await ground.emit(Noted(number=7))

    await probe.handled(1)
    assert await ground.numbers() == [7]


def test_without_an_address_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPMAN_OTLP_URL", "")
    settings = Settings(database_url=DSN, broker_url="amqp://127.0.0.1")

    assert settings.otlp_url is None
    assert isinstance(tracing_for("leasing", settings.otlp_url), NoTracing)


def test_an_address_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValidationError, match="must begin with http"):
        Settings(database_url=DSN, broker_url="amqp://127.0.0.1", otlp_url="collector:4317")
