"""The hourly sweep: links run out, and signers of those that soon will are reminded."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from services.leasing.domain.signing import Held
from services.leasing.handlers import signing_facts as facts
from services.leasing.store import signing
from shared.contracts.leasing import SigningLinkExpired
from shared.contracts.scheduler import SigningLinkExpiryDue, TriggerOutcome
from shared.messaging.router import Router
from shared.messaging.transaction import Tx

router = Router("leasing")


@dataclass(frozen=True, slots=True)
class Swept:
    """Which links ran out, and whose signers were reminded."""

    expired: tuple[Held, ...] = ()
    reminded: tuple[Held, ...] = ()


@router.on(SigningLinkExpiryDue)
async def sweep_links(due: SigningLinkExpiryDue, tx: Tx) -> None:
    """Expire what has run out and remind of what soon will; twice, or at the same moment, says each once."""
    if due.dry_run:
        swept = await look_at_links(tx.connection, due.as_of, due.days)
    else:
        swept = await expire_and_remind(tx, due.as_of, due.days)
    tx.emit(
        TriggerOutcome(
            occurrence_id=due.occurrence_id,
            trigger=due.topic,
            consumer="leasing",
            state="succeeded",
            counts={"expired": len(swept.expired), "reminded": len(swept.reminded)},
            finished_at=tx.at,
        )
    )


async def expire_and_remind(tx: Tx, at: datetime, days: int | None = None) -> Swept:
    """Claim by conditional update what has run out at that moment, then what is to be reminded of.

    With `days`, also what was issued so many days before or earlier: that brings an end forward, and never
    back to life.
    """
    expired = await signing.claim_expired(tx.connection, at, _issued_by(at, days))
    reminded = await signing.claim_reminders(tx.connection, at)
    tx.emit(
        *(
            facts.to_signer(SigningLinkExpired, held, expired_at=min(held.link.expires_at, at))
            for held in expired
        )
    )
    tx.emit(*(facts.reminder(held) for held in reminded))
    return Swept(tuple(expired), tuple(reminded))


async def look_at_links(connection: AsyncConnection, at: datetime, days: int | None = None) -> Swept:
    """What the sweep would do at that moment; reads only."""
    expired = await signing.expired(connection, at, _issued_by(at, days))
    gone = {held.link.id for held in expired}
    reminded = [held for held in await signing.to_be_reminded(connection, at) if held.link.id not in gone]
    return Swept(tuple(expired), tuple(reminded))


def _issued_by(at: datetime, days: int | None) -> datetime | None:
    return None if days is None else at - timedelta(days=days)
