"""Asking before something that cannot be undone."""

import sys

import typer

from shared.cli.errors import UsageProblem
from shared.cli.output import json_wanted


def confirm(question: str, *, yes: bool = False, no_input: bool = False) -> bool:
    """Ask the person; `--yes` and `--no-input` answer for scripts.

    Without a terminal nobody can answer, and waiting for it would hang a cron job: that is a usage problem.
    """
    if yes or no_input:
        return True
    if json_wanted() or not sys.stdin.isatty():
        raise UsageProblem(f"This needs a confirmation: {question}", remedy="Say --yes if you mean it.")
    return typer.confirm(question, default=False, err=True)
