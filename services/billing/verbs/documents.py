"""Reading the JSON documents that commands take."""

import json
import sys
from pathlib import Path
from typing import Any

from shared.cli import UsageProblem
from shared.documents import json_fault


def read_json(file: str, what: str) -> Any:
    """The document in a file, or on standard input for "-"; raises `UsageProblem` that names it as `what`."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{what}: {file} is not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:
        raise UsageProblem(f"{what}: {file} is not JSON: {json_fault(error)}.") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A field that is there twice has two values, and nobody knows which was meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            message = f"the field {name!r} is there twice"
            raise ValueError(message)
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    message = f"{name} is not a number"
    raise ValueError(message)
