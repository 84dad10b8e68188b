"""`propman leasing signing-links list` and `show`, and `propman leasing expire-signing-links`."""

from typing import Annotated, cast, get_args

import typer

from services.leasing import handlers
from services.leasing.domain.refusals import Invalid, Unknown, Wrong
from services.leasing.domain.signing import LinkState
from services.leasing.handlers.signing_expiry import Swept
from services.leasing.store import leases
from services.leasing.store import signing as store
from services.leasing.verbs.database import MORE, changing, first, now, reading, refusals
from services.leasing.verbs.signing import LeaseArgument
from services.leasing.verbs.signing_display import (
    link_document,
    print_links,
    print_standing,
    standing_document,
)
from shared.cli import (
    App,
    DryRunOption,
    EnqueueOption,
    JsonOption,
    LimitOption,
    json_wanted,
    print_json,
    say,
    success,
)
from shared.contracts.scheduler import SigningLinkExpiryDue
from shared.identity import new_id

DaysOption = Annotated[
    int | None,
    typer.Option("--days", min=1, max=365, metavar="N", help="Also what was sent N days ago or earlier."),
]


def add_to(app: App, nouns: App) -> None:
    """Offer the sweep to leasing, and the other two to its signing links."""
    app.command()(expire_signing_links)
    nouns.command("list")(list_)
    nouns.command()(show)


async def expire_signing_links(
    days: DaysOption = None,
    dry_run: DryRunOption = False,
    enqueue: EnqueueOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Expire the signing links that have run out, and remind the signers of those that soon will.

    Links run out by themselves at their very instant; this writes it down and tells the signers and the
    office, once. The schedule does it every hour. --days brings an end forward and brings nothing back.

    \b
    Examples:
      propman leasing expire-signing-links --dry-run
      propman leasing expire-signing-links --days 3
    """
    if dry_run and not enqueue:
        async with reading() as connection:
            swept = await handlers.look_at_links(connection, now(), days)
        _report(swept, dry_run=True)
        return
    async with changing("expire_signing_links") as tx:
        if enqueue:
            occurrence = new_id()
            due = SigningLinkExpiryDue(
                occurrence_id=occurrence,
                schedule_key="leasing-command",
                as_of=tx.at,
                origin="manual",
                days=days,
                dry_run=dry_run,
            )
            tx.emit(due, message_id=occurrence)
        else:
            swept = await handlers.expire_and_remind(tx, tx.at, days)
    if not enqueue:
        _report(swept, dry_run=False)
        return
    if json_wanted():
        print_json({"occurrence_id": occurrence, "enqueued": True})
    success(f"SigningLinkExpiryDue is enqueued as {occurrence}; the running leasing service does the rest.")


async def list_(
    state: Annotated[
        str | None, typer.Option("--state", help="pending, signed, expired, replaced or revoked.")
    ] = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    r"""List the newest link of each signer; those that run out next come first.

    \b
    Example:
      propman leasing signing-links list --state pending
    """
    with refusals():
        wanted = _state(state)
    at = now()
    async with reading() as connection:
        rows = first(await store.newest_links(connection, limit + MORE, state=wanted, at=at), limit)
    if as_json:
        print_json([link_document(held, at) for held in rows])
    else:
        print_links(rows, at, empty="There are no signing links here.")


async def show(lease_id: LeaseArgument, as_json: JsonOption = False) -> None:
    r"""Show where a lease stands: each time it was sent, each link, and the evidence of each signature.

    \b
    Example:
      propman leasing signing-links show LEASE
    """
    async with reading() as connection:
        lease = await leases.lease_by_id(connection, lease_id)
        with refusals():
            if lease is None:
                raise Unknown("lease", lease_id)
        standing, requests = await handlers.signature_of(connection, lease)
        held = await store.held_of_lease(connection, lease_id)
    if as_json:
        print_json({"lease_id": lease_id} | standing_document(standing, requests, held, now()))
    else:
        print_standing(standing, requests, held, now())


def _state(text: str | None) -> LinkState | None:
    if text is not None and text not in get_args(LinkState):
        raise Invalid([Wrong("state", f"{text!r} is none of {', '.join(get_args(LinkState))}")])
    return cast("LinkState | None", text)


def _report(swept: Swept, *, dry_run: bool) -> None:
    if json_wanted():
        said = {
            name: [link_document(held, held.link.issued_at) for held in held_ones]
            for name, held_ones in (("expired", swept.expired), ("reminded", swept.reminded))
        }
        print_json(said | {"dry_run": dry_run})
        return
    print_links(
        [*swept.expired, *swept.reminded], None, empty="There is nothing to expire and nobody to remind."
    )
    if swept.expired or swept.reminded:
        say(f"Expired: {len(swept.expired)}. Reminded: {len(swept.reminded)}.")
    if dry_run:
        say("Dry run: nothing was written.")
