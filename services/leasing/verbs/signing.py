"""`propman leasing signing-links send, resend, revoke, record-paper`."""

import socket
from collections.abc import Sequence
from datetime import date, timedelta
from email.utils import parseaddr
from typing import Annotated, Any
from uuid import UUID

import typer

from services.leasing import handlers
from services.leasing.domain.refusals import Invalid, Wrong
from services.leasing.domain.signing import Held, Link
from services.leasing.links import Links, links_of
from services.leasing.settings import Settings
from services.leasing.store import signing as store
from services.leasing.verbs import signing_display
from services.leasing.verbs.database import changing
from shared import heartbeats
from shared.cli import (
    DryRunOption,
    JsonOption,
    UsageProblem,
    date_option,
    id_option,
    parse_id,
    print_json,
    service_app,
    success,
    warning,
)
from shared.clock import SystemClock
from shared.link_keys import VARIABLE
from shared.messaging.transaction import Tx

app = service_app("signing-links", "Leases out for signature: one link per signer, good for a week.")

LeaseArgument = Annotated[UUID, typer.Argument(parser=parse_id, metavar="LEASE")]
SignerOption = Annotated[UUID | None, id_option("--signer", help="Only this signer; `show` lists them.")]
ValidOption = Annotated[
    int | None,
    typer.Option("--valid-days", metavar="N", min=1, max=365, help="Instead of LEASING_SIGNING_DAYS."),
]


@app.command()
async def send(
    lease_id: LeaseArgument,
    landlord: Annotated[
        list[str] | None,
        typer.Option("--landlord", metavar='"NAME <E-MAIL>"', help="Who signs as landlord. Repeatable."),
    ] = None,
    no_landlord: Annotated[
        bool, typer.Option("--no-landlord", help="Only the tenants sign, whoever signed before.")
    ] = False,
    valid_days: ValidOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Ask all tenants of a lease to sign it as it stands, each by a link of their own.

    The lease is in force as before; whoever changes it meanwhile calls the links back. Sent anew, who was
    asked as landlord the last time is asked again, unless you say who.

    \b
    Examples:
      propman leasing signing-links send LEASE
      propman leasing signing-links send LEASE --landlord "Rosa Diaz <rosa@example.com>" --valid-days 14
    """
    links = _links()
    async with changing("send_for_signature", dry_run=dry_run) as tx:
        landlords = _landlords(landlord or [], none=no_landlord)
        await handlers.send_for_signature(
            tx, lease_id, links, landlords=landlords, valid_for=_days(valid_days)
        )
        sent, ports = await _pending(tx, lease_id), await _ports(tx)
    _warn_of_wrong_door(ports)
    _announce(sent, f"{_links_text(len(sent))} on the way.", dry_run=dry_run, as_json=as_json)


@app.command()
async def resend(
    lease_id: LeaseArgument,
    signer_id: SignerOption = None,
    email: Annotated[
        str | None, typer.Option("--email", help="The corrected address of a signer who is no tenant.")
    ] = None,
    valid_days: ValidOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Give those who have not signed a new link; the old one is dead, and the clock begins anew.

    \b
    Examples:
      propman leasing signing-links resend LEASE
      propman leasing signing-links resend LEASE --signer ID --email rosa.diaz@example.com
    """
    links = _links()
    async with changing("resend_links", dry_run=dry_run) as tx:
        fresh = await handlers.resend_links(
            tx, lease_id, links, signer_id=signer_id, email=email, valid_for=_days(valid_days)
        )
        sent, ports = _only(await _pending(tx, lease_id), fresh), await _ports(tx)
    _warn_of_wrong_door(ports)
    _announce(sent, f"{_links_text(len(sent))} on the way.", dry_run=dry_run, as_json=as_json)


@app.command()
async def revoke(lease_id: LeaseArgument, dry_run: DryRunOption = False, as_json: JsonOption = False) -> None:
    """Call a lease back from signature: its links open nothing any more.

    \b
    Example:
      propman leasing signing-links revoke LEASE
    """
    async with changing("revoke_links", dry_run=dry_run) as tx:
        request = await handlers.revoke_links(tx, lease_id)
    _done(request.id, lease_id, "revoked", "No link of this lease opens anything now.", dry_run, as_json)


@app.command("record-paper")
async def record_paper(
    lease_id: LeaseArgument,
    on: Annotated[date, date_option("--on", help="The date on the paper.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Note that everybody has signed on paper; links that are out are dead.

    \b
    Example:
      propman leasing signing-links record-paper LEASE --on 2026-09-14
    """
    async with changing("record_paper", dry_run=dry_run) as tx:
        request = await handlers.record_paper(tx, lease_id, on)
    _done(request.id, lease_id, "paper", f"The lease is signed, on paper, {on}.", dry_run, as_json)


def _links() -> Links:
    links = links_of(Settings())  # from the environment
    if links is None:
        raise UsageProblem(
            f"LEASING_PUBLIC_URL and {VARIABLE} are not set, so that no link could be opened.",
            remedy="See docs/guides/signing.md.",
        )
    return links


async def _ports(tx: Tx) -> set[int]:
    """Where leasing answers on this machine, as far as it is known to run here."""
    rows = await heartbeats.heard(tx.connection)
    here, now = socket.gethostname(), SystemClock().now()
    return {row["http_port"] for row in rows if row["host"] == here and heartbeats.is_alive(row, now)}


def _warn_of_wrong_door(ports: set[int]) -> None:
    words = Settings().wrong_door(ports)  # from the environment
    if words:
        warning(words)


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _landlords(texts: Sequence[str], *, none: bool) -> list[tuple[str, str]] | None:
    """Who signs as landlord; None is those of the last time."""
    if texts and none:
        raise UsageProblem("--landlord and --no-landlord exclude each other.", remedy="Give one of them.")
    return [_person(text) for text in texts] if texts or none else None


def _person(text: str) -> tuple[str, str]:
    name, email = parseaddr(text)
    if not (name and email):
        raise Invalid([Wrong("landlord", f'{text!r} is not somebody such as "Rosa Diaz <rosa@example.com>"')])
    return name, email


async def _pending(tx: Tx, lease_id: UUID) -> list[Held]:
    found = await store.held_of_lease(tx.connection, lease_id)
    return [held for held in found if held.link.state == "pending"]


def _only(held: Sequence[Held], links: Sequence[Link]) -> list[Held]:
    wanted = {link.id for link in links}
    return [item for item in held if item.link.id in wanted]


def _links_text(count: int) -> str:
    return "One link is" if count == 1 else f"{count} links are"


def _announce(sent: Sequence[Held], words: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json([signing_display.link_document(held, held.link.issued_at) for held in sent])
        return
    signing_display.print_links(sent, sent[0].link.issued_at if sent else None)
    if not dry_run:
        success(words)


def _done(request_id: UUID, lease_id: UUID, state: str, words: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        said: dict[str, Any] = {"lease_id": lease_id, "request_id": request_id, "state": state}
        print_json(said)
    elif not dry_run:
        success(words)
