"""Running `propman …` as a process of its own, with nothing of this machine's settings."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    *words: str, environment: Mapping[str, str], module: str = "propman", folder: Path | None = None
) -> Ran:
    """Run a command in a folder without a project, so that only `environment` tells where servers are."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with tempfile.TemporaryDirectory() as empty:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *words,
            env=kept | {"PYTHONPATH": str(ROOT), "PROPMAN_HOME": empty} | dict(environment),
            cwd=folder or empty,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())
