"""Commands as somebody types them, and what they print."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from typer.testing import Result

Run = Callable[..., Awaitable[Result]]


async def a_lease(run: Run) -> tuple[str, str, str]:
    """Ids of a unit, a tenant and a lease, made the way a person makes them."""
    place = (
        await run("properties", "add", "--name", "Maple Court", "--time-zone", "America/New_York")
    ).stdout
    unit = (await run("units", "add", "--property", place.strip(), "--label", "1A")).stdout.strip()
    tenant = (await run("tenants", "add", "--name", "Ann Lee", "--email", "ann@example.com")).stdout.strip()
    lease = await run(
        *("leases", "add", "--unit", unit, "--tenant", tenant, "--rent", "1,234.50"),
        *(
            "--starts-on",
            "2026-01-01",
            "--charge",
            "pet_rent:Pet rent:35.00",
            "--charge",
            "parking:Parking:50",
        ),
    )
    assert lease.exit_code == 0, lease.output
    return unit, tenant, lease.stdout.strip()


def document(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
