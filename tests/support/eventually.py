"""Waiting for something that happens elsewhere, without guessing how long it takes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

PAUSE = 0.02


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within: float = 15) -> None:
    """Ask again and again until it is so; fail when it is not so in time."""
    deadline = asyncio.get_running_loop().time() + within
    while not await _holds(condition):
        assert asyncio.get_running_loop().time() < deadline, f"not so after {within} s"
        await asyncio.sleep(PAUSE)


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    found = condition()
    return await found if inspect.isawaitable(found) else found
