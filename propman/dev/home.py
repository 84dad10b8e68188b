"""Where the running project keeps what is not in git: `.local/`."""

import os
from pathlib import Path

FOLDER = ".local"


def local_folder() -> Path:
    """Return `.local` of $PROPMAN_HOME, else of the nearest project upwards, else of the current folder."""
    if named := os.environ.get("PROPMAN_HOME"):
        return Path(named).absolute() / FOLDER
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FOLDER).is_dir() or (folder / "pyproject.toml").is_file():
            return folder / FOLDER
    return here / FOLDER


def demo_instance() -> Path:
    """The state directory of `propman dev` and of the demo."""
    return local_folder() / "dev"


def environment_file() -> Path:
    """The file that every command reads its settings from."""
    return local_folder() / "propman.env"


def test_instance(pid: int) -> Path:
    """The state directory of one test run."""
    return local_folder() / f"test-{pid}"
