"""A contact as one row: the copy itself, and all that the person said about being told things."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any, Final

import sqlalchemy as sa

from services.notifications.domain.contacts import Contact
from services.notifications.domain.quiet_hours import QuietWindow
from services.notifications.domain.suppressions import Suppression, Why
from services.notifications.schema import contacts, preferences, quiet_hours, suppressions

_PREFIX: Final = "contact_"


def contact_columns(at_address: sa.FromClause | None = None) -> list[sa.ColumnElement[Any]]:
    """What `contact_of` needs of a query that has `contacts` in its FROM, under names of its own.

    Closed are the addresses the person has now or, with `at_address`, the one a delivery was queued under.

    Sub-selects and no joins: they neither multiply the rows nor cost a statement, and a person with
    no wishes costs three look-ups in an index.
    """
    person = contacts.c
    plain = {
        "tenant_id": person.tenant_id,
        "version": person.version,
        "kind": person.kind,
        "name": person.name,
        "email": person.email,
        "phone": person.phone_e164,
        "locale": person.locale,
        "channel": person.channel,
        "time_zone": person.time_zone,
        "webhook_url": person.webhook_url,
        "webhook_secret": person.webhook_secret,
        "sms_consent": person.sms_consent_at.is_not(None),
        "preferences": _preferences(),
        "quiet": _quiet(),
        "suppressed": _suppressed(at_address),
    }
    return [column.label(f"{_PREFIX}{name}") for name, column in plain.items()]


def _preferences() -> sa.ScalarSelect[Any]:
    wish = preferences.c
    pairs = sa.func.jsonb_agg(sa.func.jsonb_build_array(wish.category, wish.channel, wish.enabled))
    return _list(sa.select(pairs).where(wish.tenant_id == contacts.c.tenant_id))


def _quiet() -> sa.ScalarSelect[Any]:
    window = quiet_hours.c
    triples = sa.func.jsonb_agg(sa.func.jsonb_build_array(window.channel, window.starts, window.ends))
    return _list(sa.select(triples).where(window.tenant_id == contacts.c.tenant_id))


def _suppressed(at_address: sa.FromClause | None) -> sa.ScalarSelect[Any]:
    closed = suppressions.c
    found = sa.func.jsonb_agg(
        sa.func.jsonb_build_array(closed.channel, closed.reason, closed.scope, closed.until)
    )
    if at_address is not None:
        frozen = at_address.c
        here = sa.and_(closed.channel == frozen.channel, closed.address == sa.func.lower(frozen.address))
        query = sa.select(found).where(closed.lifted_at.is_(None), here)
        return query.correlate(at_address).scalar_subquery()
    mine = sa.or_(
        sa.and_(closed.channel == "email", closed.address == sa.func.lower(contacts.c.email)),
        sa.and_(closed.channel == "sms", closed.address == contacts.c.phone_e164),
        sa.and_(closed.channel == "webhook", closed.address == sa.func.lower(contacts.c.webhook_url)),
    )
    return _list(sa.select(found).where(closed.lifted_at.is_(None), mine))


def _list(query: sa.Select[Any]) -> sa.ScalarSelect[Any]:
    return query.correlate(contacts).scalar_subquery()


def contact_of(row: Mapping[str, Any]) -> Contact | None:
    """The contact of a row; None where nobody has been announced yet (version 0, or no row at all)."""
    said = {name.removeprefix(_PREFIX): row[name] for name in row if name.startswith(_PREFIX)}
    if not said.get("version"):
        return None
    return Contact(
        tenant_id=said["tenant_id"],
        name=said["name"],
        email=said["email"],
        phone=said["phone"],
        kind=said["kind"],
        locale=said["locale"],
        preferred=said["channel"],
        time_zone=said["time_zone"],
        webhook_url=said["webhook_url"],
        sms_consent=said["sms_consent"],
        preferences={(category, channel): on for category, channel, on in said["preferences"] or ()},
        quiet={
            channel: QuietWindow(time.fromisoformat(starts), time.fromisoformat(ends))
            for channel, starts, ends in said["quiet"] or ()
        },
        suppressed=suppressed_of(row),
    )


def suppressed_of(row: Mapping[str, Any]) -> tuple[Suppression, ...]:
    """What is closed, also where the address belongs to nobody we know."""
    return tuple(
        Suppression(channel, Why(reason), scope, datetime.fromisoformat(until) if until else None)
        for channel, reason, scope, until in row[f"{_PREFIX}suppressed"] or ()
    )


def split_contact(row: Mapping[str, Any]) -> tuple[dict[str, Any], Contact | None]:
    """A row's own values, and the contact that came with them."""
    own = {name: value for name, value in row.items() if not name.startswith(_PREFIX)}
    return own, contact_of(row)
