"""Amounts of money as people type them."""

from typing import Annotated

import typer

from shared.cli import UsageProblem
from shared.money import BadAmount, parse_cents

AmountOption = Annotated[str, typer.Option("--amount", help="In the account's currency, e.g. 1250.00.")]


def cents_in(amount: str) -> int:
    """The cents of an amount; what cannot be read in one way only is a usage problem."""
    try:
        cents = parse_cents(amount)
    except BadAmount as error:
        raise UsageProblem(f"{error}.") from error
    if cents <= 0:
        raise UsageProblem(f"{amount} is no amount to move.", remedy="Give one of 0.01 or more.")
    return cents
