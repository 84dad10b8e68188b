"""Free TCP ports on the loopback interface, and asking what listens there."""

import random
import socket
from collections.abc import Collection
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 20000, 32767
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections of a former server in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(taken: Collection[int] = ()) -> int:
    """Choose a free port at random, below the range from which the kernel serves clients.

    Inside that range a client that keeps trying to reach a server which is down is sooner or later given
    the server's own port, connects to itself, and keeps the server from coming back.
    """
    highest = HIGHEST
    if EPHEMERAL_RANGE.exists():
        first_ephemeral = int(EPHEMERAL_RANGE.read_text().split()[0])
        highest = min(HIGHEST, first_ephemeral - 1) if first_ephemeral > LOWEST + 1000 else HIGHEST
    for _ in range(500):
        port = random.randint(LOWEST, highest)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port between {LOWEST} and {highest}")


def greeting(port: int, opening: bytes = b"", length: int = 4) -> bytes:
    """Return the first bytes a server says, after `opening` if it waits for one; nothing if it is away."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(opening)
            return connection.recv(length)
    except OSError:
        return b""
