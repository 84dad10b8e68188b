"""Running `propman …` as somebody types it, with nothing of this machine's settings.

By default inside the test's own process, which starts no interpreter and imports nothing anew: the same
entry point, the same exit codes, in a thread of its own. `as_process=True` starts a real one.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typing_extensions import override

from propman.main import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as the document it is."""
        return json.loads(self.out)


async def run_propman(
    *words: str,
    environment: Mapping[str, str],
    module: str = "propman",
    folder: Path | None = None,
    as_process: bool = False,
    typed: str | None = None,
) -> Ran:
    """Run a command in a folder without a project, so that only `environment` tells where servers are.

    `typed` is what somebody answers at a terminal; only in this process.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with tempfile.TemporaryDirectory() as empty:
        settings = kept | {"PYTHONPATH": str(ROOT), "PROPMAN_HOME": empty} | dict(environment)
        here = folder or Path(empty)
        if module != "propman" or as_process:
            return await _in_a_process(module, words, settings, here)
        return await asyncio.to_thread(_in_this_process, words, settings, here, typed)


def _in_this_process(
    words: tuple[str, ...], settings: dict[str, str], folder: Path, typed: str | None
) -> Ran:
    out, err = _Stream(), _Stream()
    code = 0
    with (
        patch.dict(os.environ, settings, clear=True),
        patch.object(sys, "argv", ["propman", *words]),
        patch.object(sys, "stdin", _Stream() if typed is None else _Terminal(typed)),
        chdir(folder),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Ran(code, out.text, err.text)


class _Stream(io.TextIOWrapper):
    """A stream as a pipe is: text on bytes, and no terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        """What was written."""
        self.flush()
        found = self.buffer
        assert isinstance(found, io.BytesIO)
        return found.getvalue().decode()


class _Terminal(io.StringIO):
    """A terminal at which somebody has typed."""

    @override
    def isatty(self) -> bool:
        return True


async def _in_a_process(module: str, words: tuple[str, ...], settings: dict[str, str], folder: Path) -> Ran:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *words,
        env=settings,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())
