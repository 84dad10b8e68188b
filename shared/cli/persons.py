"""Who gives an order: everything that a person decides is kept with their name."""

import getpass
from typing import Annotated

import typer

ByOption = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who decides this; by default, whoever is logged in."),
]


def signed(by: str | None) -> str:
    """The name an order is kept under."""
    return (by or "").strip() or getpass.getuser()
