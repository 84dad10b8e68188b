"""Who tries addresses that lead nowhere is made to wait. Kept by each process for itself.

A token of 256 bits is not found by guessing; this keeps the guessing from costing us anything.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final

MOST: Final = 20
"""Wrong addresses in one window; somebody who copies a link by hand needs two or three."""
WINDOW: Final = timedelta(minutes=15)
REMEMBERED: Final = 10_000
"""Sources; beyond that the oldest is forgotten, so that nobody can fill our memory."""


class Guesses:
    """Counts wrong addresses by where they come from."""

    def __init__(self) -> None:
        """Begins with nobody."""
        self._seen: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def refuse_until(self, source: str, at: datetime) -> datetime | None:
        """Until when a source has to wait; None where it may go on."""
        begun, count = self._seen.get(_network(source), (at, 0))
        ends = begun + WINDOW
        return ends if count >= MOST and at < ends else None

    def note(self, source: str, at: datetime) -> None:
        """One more wrong address from there."""
        key = _network(source)
        begun, count = self._seen.pop(key, (at, 0))
        self._seen[key] = (at, 1) if at >= begun + WINDOW else (begun, count + 1)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


def _network(source: str) -> str:
    """One subscriber has a whole /64 of IPv6."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)
