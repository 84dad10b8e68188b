"""Which services there are: whatever folder under `services` has an `app.py`. Nothing is listed twice."""

from pathlib import Path

import services


def service_names() -> list[str]:
    """The names of all services, sorted; nothing of them is imported."""
    folders = (entry for root in services.__path__ for entry in Path(root).iterdir())
    return sorted(folder.name for folder in folders if (folder / "app.py").is_file())
