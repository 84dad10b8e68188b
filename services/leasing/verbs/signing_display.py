"""Signing links as people and programs see them; nobody sees what opens one."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final

from services.leasing.domain.signed_content import read_document
from services.leasing.domain.signing import Held, Request, state_at
from shared.cli import print_record, print_table, say
from shared.clock import local_date, zone

_SECRET: Final = frozenset({"ticket", "token_hash", "url", "remind_at", "next_reminder_at"})
_COLUMNS: Final = ("Unit", "Signer", "Role", "Sent to", "Link", "State", "Until", "Lease", "Signer id")


def print_links(
    held: Sequence[Held], at: datetime | None, *, empty: str = "There are no links here."
) -> None:
    """Links as a person scans them, each with its end on the clock of its property."""
    print_table(_COLUMNS, [_cells(item, at or item.link.issued_at) for item in held], empty=empty)


def link_document(held: Held, at: datetime) -> dict[str, Any]:
    """A link as `--json` prints it: what its token is made of stays inside."""
    link, signer, request = held.link, held.signer, held.request
    return {
        "link_id": link.id,
        **{name: value for name, value in asdict(link).items() if name not in _SECRET | {"id"}},
        "state": state_at(link, at),
        "lease_id": request.lease_id,
        "request_id": request.id,
        "property_id": request.property_id,
        "unit_label": request.unit_label,
        "role": signer.role,
        "tenant_id": signer.tenant_id,
        "name": signer.name,
        "signed_at": signer.signed_at,
    }


def signed_on(request: Request) -> date | None:
    """The date on the paper, or the one at the property when the last signer had signed by their link."""
    if request.state == "signed" and request.closed_at is not None:
        return local_date(request.closed_at, request.time_zone)
    return request.signed_on


def print_standing(standing: str, requests: Sequence[Request], held: Sequence[Held], at: datetime) -> None:
    """Where a lease stands, each request with its links, and the evidence of each signature."""
    say(f"Signature: {standing.replace('_', ' ')}.")
    for request in requests:
        print_record(
            {
                "Request": request.id,
                "Sent": moment(request.sent_at, request),
                "State": f"{request.state}: {request.reason}" if request.reason else request.state,
                "Signed on": signed_on(request),
                "Terms (SHA-256)": request.content_hash,
            }
        )
        own = [item for item in held if item.request.id == request.id]
        print_links(own, at, empty="It was sent to nobody.")
        for signer in {item.signer.id: item.signer for item in own if item.signer.signed_at}.values():
            print_record(
                {
                    "Signature of": f"{signer.name} ({signer.role})",
                    "Typed": signer.signed_name,
                    "At": moment(signer.signed_at, request) if signer.signed_at else None,
                    "From": signer.ip,
                    "By": signer.user_agent,
                }
            )


def standing_document(
    standing: str, requests: Sequence[Request], held: Sequence[Held], at: datetime
) -> dict[str, Any]:
    """The same for machines."""
    return {
        "signature": standing,
        "requests": [
            asdict(request)
            | {"document": read_document(request.document), "links": _links(request, held, at)}
            for request in requests
        ],
    }


def moment(at: datetime, request: Request) -> str:
    """An instant on the clock of the property, with the name of its zone."""
    return f"{at.astimezone(zone(request.time_zone)):%Y-%m-%d %H:%M %Z}"


def _links(request: Request, held: Sequence[Held], at: datetime) -> list[dict[str, Any]]:
    return [
        link_document(item, at)
        | {"evidence": {name: getattr(item.signer, name) for name in ("signed_name", "ip", "user_agent")}}
        for item in held
        if item.request.id == request.id
    ]


def _cells(held: Held, at: datetime) -> list[object]:
    link, signer, request = held.link, held.signer, held.request
    state = state_at(link, at)
    return [
        request.unit_label,
        signer.name,
        signer.role,
        link.sent_to,
        link.number,
        f"{state}: {link.reason}" if link.reason else state,
        moment(link.expires_at, request),
        request.lease_id,
        signer.id,
    ]
