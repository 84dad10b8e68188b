"""What the numbers were measured on; without it they mean nothing."""

import os
import platform
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from propman.dev import ServerUrls


async def machine_facts(urls: ServerUrls) -> dict[str, Any]:
    """Cores, processor, load and versions."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "postgresql": await _postgresql(urls.postgres_url),
        "rabbitmq": _rabbitmq(urls.rabbitmq_management_url),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


async def _postgresql(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        version, fsync = await connection.fetchrow(
            "select current_setting('server_version'), current_setting('fsync')"
        )
    finally:
        await connection.close()
    return f"{version} (fsync {fsync})"


def _rabbitmq(url: str) -> str:
    overview = httpx.get(f"{url}/api/overview", timeout=30)
    return str(overview.raise_for_status().json()["rabbitmq_version"])
