"""The rules of signing without a database: what is signed, until when, and when one is reminded."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.leasing.domain.leases import Lease
from services.leasing.domain.properties import Property
from services.leasing.domain.refusals import Invalid
from services.leasing.domain.signed_content import content_hash, document_of, read_document
from services.leasing.domain.signing import Request, RequestState, checked_validity, reminders_of, standing_of
from services.leasing.domain.terms import RentChange
from shared.identity import new_id
from tests.leasing.orders import PET

AT = datetime(2026, 3, 2, 15, tzinfo=UTC)
PLACE = Property(id=new_id(), name="Maple Court", address="1 Maple Street", time_zone="America/New_York")
LEASE = Lease(
    id=new_id(),
    property_id=PLACE.id,
    unit_id=new_id(),
    unit_label="1A",
    tenant_ids=(new_id(),),
    time_zone="America/New_York",
    currency="USD",
    rent_cents=125_000,
    starts_on=date(2026, 1, 1),
    charges=(PET,),
    rent_changes=(RentChange(effective_on=date(2026, 7, 1), rent_cents=130_000),),
)
HOURS = st.lists(st.integers(min_value=1, max_value=400), max_size=6)


def hash_of(lease: Lease = LEASE, place: Property = PLACE, *names: str) -> str:
    return content_hash(document_of(lease, place, names or ["Ann"], []))


@given(HOURS, st.integers(min_value=1, max_value=300))
def test_reminders_lie_within_the_link_in_order_and_each_once(before: list[int], valid: int) -> None:
    end = AT + timedelta(hours=valid)

    found = reminders_of(AT, end, [timedelta(hours=hours) for hours in before])

    assert list(found) == sorted(set(found))
    assert all(AT < instant < end for instant in found)
    assert {(end - instant) / timedelta(hours=1) for instant in found} == {
        hours for hours in before if hours < valid
    }


@pytest.mark.parametrize(
    "other",
    [
        replace(LEASE, rent_cents=125_001),
        replace(LEASE, due_day=2),
        replace(LEASE, ends_on=date(2026, 12, 31)),
        replace(LEASE, ends_on=date(2026, 12, 31), rolls_over=True),
        replace(LEASE, charges=()),
        replace(LEASE, charges=(replace(PET, amount_cents=3_501),)),
        replace(LEASE, rent_changes=()),
        replace(LEASE, free_periods=("2026-02",)),
        replace(LEASE, frequency="weekly"),
        replace(LEASE, currency="CAD"),
        replace(LEASE, unit_label="1B"),
    ],
    ids=lambda lease: str(lease.unit_label),
)
def test_whatever_is_agreed_is_in_the_hash(other: Lease) -> None:
    assert hash_of(other) != hash_of()


def test_parties_and_place_are_in_the_hash_and_what_is_technical_is_not() -> None:
    assert hash_of(LEASE, replace(PLACE, address="2 Maple Street")) != hash_of()
    assert hash_of(LEASE, PLACE, "Anna") != hash_of()
    assert hash_of(LEASE, PLACE, "Ann", "Ben") != hash_of(LEASE, PLACE, "Ben", "Ann")

    technical = replace(LEASE, version=7, time_zone="America/Chicago", id=new_id(), account_id=new_id())
    assert hash_of(technical, replace(PLACE, latitude=41.0, longitude=-70.0, version=3)) == hash_of()


def test_what_is_signed_is_written_in_one_way_for_ever() -> None:
    document = document_of(LEASE, PLACE, ["Ann Núñez"], ["Rosa"])

    assert document == json.dumps(
        read_document(document), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    # The hash of a lease that is out must not change with our code: its links would be void.
    assert hash_of() == "8f78e8d9fdf3eb10e0a0658cddd707babb06a3b52d41e9c9ba36eb8b92bd29e0"


@pytest.mark.parametrize(("days", "good"), [(0, False), (1, True), (365, True), (366, False)])
def test_a_link_is_good_for_a_day_to_a_year(days: int, good: bool) -> None:
    if good:
        assert checked_validity(timedelta(days=days)) == timedelta(days=days)
    else:
        with pytest.raises(Invalid):
            checked_validity(timedelta(days=days))


def a_request(state: RequestState, signed: str = "now") -> Request:
    return Request(
        id=new_id(),
        lease_id=LEASE.id,
        state=state,
        document="",
        content_hash=signed,
        sent_at=AT,
        property_id=PLACE.id,
        unit_label="1A",
        time_zone="UTC",
    )


@pytest.mark.parametrize(
    ("requests", "standing"),
    [
        ([], "unsigned"),
        ([a_request("out")], "out"),
        ([a_request("revoked")], "unsigned"),
        ([a_request("signed")], "signed"),
        ([a_request("paper")], "paper"),
        ([a_request("signed", "before")], "changed_since"),
        ([a_request("signed", "before"), a_request("out")], "out"),
        ([a_request("signed"), a_request("revoked", "other")], "signed"),
    ],
)
def test_where_a_lease_stands_follows_from_its_requests(requests: list[Request], standing: str) -> None:
    assert standing_of(requests, "now") == standing
