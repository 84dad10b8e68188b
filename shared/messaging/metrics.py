"""What is counted and timed about messages, one registry per service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class MessagingMetrics:
    """The series of one service; names follow Prometheus's conventions, times are in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Create every series, so that a zero is shown before the first event."""
        self.registry = registry
        self.handled = Counter(
            "propman_messages_handled", "Messages taken, by outcome", ["topic", "outcome"], registry=registry
        )
        self.seconds = Histogram(
            "propman_handle_seconds",
            "From delivery to commit",
            ["topic"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            "propman_message_retries", "Redeliveries asked for, by rung", ["seconds"], registry=registry
        )
        self.dead = Counter(
            "propman_dead_letters", "Messages buried, by reason", ["reason"], registry=registry
        )
        self.published = Counter(
            "propman_outbox_published", "Messages the broker confirmed", ["result"], registry=registry
        )
        self.outbox_pending = Gauge(
            "propman_outbox_pending", "Messages waiting to be published", registry=registry
        )
        self.outbox_age = Gauge(
            "propman_outbox_oldest_age_seconds", "Age of the oldest waiting message", registry=registry
        )
        self.leads = Gauge("propman_relay_leader", "1 on the replica that publishes", registry=registry)
        self.paused = Gauge("propman_consuming_paused", "1 while a server is down", registry=registry)
