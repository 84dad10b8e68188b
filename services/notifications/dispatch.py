"""From a claimed delivery to a parcel: is it still to be sent, and what does it say today."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from services.notifications.domain.decisions import Telling, decide, decide_address
from services.notifications.domain.deliveries import Beginning, Channel
from services.notifications.domain.kinds import kind_of
from services.notifications.domain.texts import plain_text, segments, shortened
from services.notifications.domain.truth import still_true, untrue
from services.notifications.gateways.carrier import Parcel
from services.notifications.handlers.telling import zones_for
from services.notifications.rendering import NotRenderable, Rendered, Templates
from services.notifications.store.deliveries import Claimed
from shared.clock import local_date
from shared.link_keys import VARIABLE, LinkKeys, WrongKey, address_of

Unsubscribe = Callable[[str, str, UUID | None], str | None]
"""The address at which an e-mail address ends a category, for somebody."""


_ADDRESS_FIELDS: Final = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.WEBHOOK: "webhook_url"}


class TooLong(Exception):
    """A text that does not fit into the text messages its template may take."""


def today_of(claimed: Claimed, at: datetime) -> date:
    """The date where a delivery is about; without a place, where its reader is."""
    home = claimed.contact.time_zone if claimed.contact else None
    return local_date(at, claimed.zone or home or "UTC")


def decide_again(claimed: Claimed, at: datetime) -> Beginning:
    """The decision of the moment: what was right when it was written may not be now.

    The address is the one it was queued under, whatever the contact has become since.
    """
    telling = Telling(
        claimed.template,
        claimed.category,
        claimed.criticality,
        claimed.useless_at,
        untrue(claimed.template, claimed.context, claimed.standing, today_of(claimed, at)),
        is_due=True,
    )
    if claimed.contact is None:
        return decide_address(telling, claimed.address, claimed.channel, at, claimed.closed)
    field = _ADDRESS_FIELDS.get(claimed.channel)
    here: dict[str, Any] = {field: claimed.address} if field else {}
    contact = replace(claimed.contact, suppressed=claimed.closed, **here)
    return decide(telling, contact, claimed.channel, at, zones_for(contact, claimed.zone))


def render(
    templates: Templates, claimed: Claimed, at: datetime | None = None, keys: LinkKeys | None = None
) -> Rendered:
    """The text of a claimed delivery, from what is known of its tenant and property now."""
    today = today_of(claimed, at) if at else None
    values: Mapping[str, Any] = {
        **still_true(claimed.context, claimed.standing, today),
        "tenant_name": claimed.tenant_name,
        "property_name": claimed.property_name,
        "home": claimed.home,
        "today": str(today),
        "zone": claimed.context.get("time_zone") or claimed.zone or "UTC",
    }
    if claimed.channel is not Channel.EMAIL or "ticket" not in claimed.context:
        return templates.render(claimed.template, claimed.locale, values)
    token = _token(claimed.context, keys)
    link = address_of(claimed.context["url"], UUID(claimed.context["link_id"]), token)
    return replace(templates.render(claimed.template, claimed.locale, {**values, "link": link}), secret=token)


def _token(context: Mapping[str, Any], keys: LinkKeys | None) -> str:
    """What opens a signing link, made for the mail that is being written; it is in nothing we keep."""
    if keys is None:
        raise NotRenderable(f"{VARIABLE} is not set, so that its link cannot be made")
    try:
        return keys.token_again(context["ticket"], context["check"])
    except WrongKey as error:
        raise NotRenderable(str(error)) from error


def render_all(
    templates: Templates, items: Sequence[Claimed], at: datetime, keys: LinkKeys | None = None
) -> Rendered:
    """One message for everything that goes to a person together."""
    rendered = [render(templates, item, at, keys) for item in items]
    if len(rendered) == 1:
        return rendered[0]
    return templates.render_digest(rendered, items[0].locale, {})


def parcel(claimed: Claimed, text: Rendered, at: datetime, unsubscribe: Unsubscribe | None = None) -> Parcel:
    """What a carrier gets; raises `TooLong` for a text message that would take too many."""
    can_end = claimed.channel is Channel.EMAIL and kind_of(claimed.template).unsubscribable
    link = None
    if unsubscribe is not None and can_end:
        link = unsubscribe(claimed.address, claimed.category, claimed.tenant_id)
    return Parcel(
        delivery_id=claimed.id,
        address=claimed.address,
        subject=text.subject,
        text=text.text,
        html=text.html,
        sms=_fitting(claimed, text) if claimed.channel is Channel.SMS else "",
        written_at=claimed.created_at,
        at=at,
        expires_at=claimed.expires_at,
        unsubscribe=link,
        secret=claimed.webhook_secret,
        payload={
            "id": str(claimed.notification_id),
            "event": claimed.context.get("event", claimed.template),
            "at": claimed.created_at.isoformat(),
            "subject": text.subject,
            "data": dict(claimed.context),
        },
    )


def _fitting(claimed: Claimed, text: Rendered) -> str:
    most = kind_of(claimed.template).segments
    body = plain_text(text.sms)
    if claimed.template != "announcement":
        return shortened(body, most)  # the whole of it is in the app
    if segments(body) > most:
        raise TooLong(f"{segments(body)} text messages; {most} is the most")
    return body


__all__ = ["NotRenderable", "TooLong", "decide_again", "parcel", "render", "render_all", "today_of"]
