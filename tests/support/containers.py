"""The same servers from containers, for machines with a Docker engine (`PROPMAN_TEST_SERVERS=docker`)."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from propman.dev import ServerUrls


@contextmanager
def containers() -> Iterator[ServerUrls]:
    """PostgreSQL and RabbitMQ as containers, and the mail sink as a process of ours."""
    # Imported here: the library wants a Docker client at import, which most runs do not have.
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    postgres = (
        DockerContainer("postgres:17")
        .with_env("POSTGRES_PASSWORD", "test")
        .with_exposed_ports(5432)
        .waiting_for(LogMessageWaitStrategy("database system is ready to accept connections", times=2))
    )
    rabbitmq = (
        DockerContainer("rabbitmq:4-management")
        .with_env("RABBITMQ_DEFAULT_USER", "test")
        .with_env("RABBITMQ_DEFAULT_PASS", "test")
        .with_exposed_ports(5672, 15672)
        .waiting_for(LogMessageWaitStrategy("Server startup complete"))
    )
    with postgres as database, rabbitmq as broker, _mail_sink() as (port, folder):
        host = database.get_container_host_ip()
        amqp = f"test:test@{broker.get_container_host_ip()}"
        yield ServerUrls(
            postgres_url=f"postgresql://postgres:test@{host}:{database.get_exposed_port(5432)}/postgres",
            rabbitmq_url=f"amqp://{amqp}:{broker.get_exposed_port(5672)}/",
            rabbitmq_management_url=f"http://{amqp}:{broker.get_exposed_port(15672)}",
            smtp_url=f"smtp://127.0.0.1:{port}",
            mail_dir=folder,
        )


@contextmanager
def _mail_sink() -> Iterator[tuple[int, Path]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "propman.dev.mail_sink", "--dir", folder, "--port", str(port)]
        sink = subprocess.Popen(command)
        try:
            yield port, Path(folder)
        finally:
            sink.terminate()
            sink.wait()
