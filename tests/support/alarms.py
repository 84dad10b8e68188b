"""RabbitMQ's memory alarm, on a node of our own: publishers are blocked until it is over."""

import asyncio
from pathlib import Path
from subprocess import PIPE, STDOUT

from propman.dev.installation import find_rabbitmq
from propman.dev.rabbitmq import Rabbitmq
from propman.dev.state import State


class MemoryAlarm:
    """Raised and cleared by moving the node's memory limit."""

    def __init__(self, directory: Path) -> None:
        programs = find_rabbitmq()
        assert programs is not None
        self._program = programs.server.with_name("rabbitmqctl")
        node = Rabbitmq(State.load(directory))
        self._environment = node._environment()  # what the node itself was started with

    async def raise_(self) -> None:
        """Let any use of memory be too much."""
        await self._ctl("set_vm_memory_high_watermark", "0.00001")

    async def clear(self) -> None:
        """Back to what `propman dev` configures."""
        await self._ctl("set_vm_memory_high_watermark", "0.3")

    async def _ctl(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            str(self._program),
            *("-n", self._environment["RABBITMQ_NODENAME"], *arguments),
            env=self._environment,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
