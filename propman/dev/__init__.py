"""Private servers for one developer, one demo or one test run, without Docker."""

from propman.dev.errors import ServersUnavailable
from propman.dev.local_servers import LocalServers
from propman.dev.urls import GivenServers, ServerStatus, ServerUrls

__all__ = ["GivenServers", "LocalServers", "ServerStatus", "ServerUrls", "ServersUnavailable"]
