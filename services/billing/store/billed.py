"""What is billed already: the periods of a lease's invoices, and the charges on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing.domain.billing_reasons import Invoiced
from services.billing.domain.due_periods import LONGEST_PERIOD_DAYS
from services.billing.schema import billed_charges, invoices
from shared.db import columnar, insert_rows, plan_for_values

TERMS_BEFORE_POLICIES: Final = UUID("6b9f1f0e-54a5-5c0e-8a57-7465726d7330")
"""What invoices have that are older than the record of their charges; migration 0002 gave it to them."""

_KEPT: Final = ("lease_id", "code", "occurs_on", "invoice_id")
_KEEP: Final = insert_rows(billed_charges, _KEPT).on_conflict_do_nothing()
_LOOK_BACK: Final = timedelta(days=400)
"""How far back a charge that missed its invoice is still looked for: a year, and then some."""


@dataclass(slots=True)
class Known:
    """What a lease's invoices hold."""

    periods: dict[tuple[date, date], str] = field(default_factory=dict)
    """First and last day of each, and the invoice's number."""
    charges: set[tuple[str, date]] = field(default_factory=set)


class BilledStore:
    """Reads and writes over one open transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def plan_for_values(self) -> None:
        """Look at invoices by plans of now: within one run their table grows from nothing to full size."""
        await plan_for_values(self._connection)

    async def near(
        self, periods: Iterable[tuple[UUID, date, date]]
    ) -> dict[UUID, dict[tuple[date, date], str]]:
        """For leases and periods: the periods of their invoices that may overlap, with their numbers."""
        return await self._near(list(periods), invoices.c.state != "void")

    async def voided(
        self, periods: Iterable[tuple[UUID, date, date]]
    ) -> dict[UUID, dict[tuple[date, date], str]]:
        """The same, of the invoices that were voided."""
        return await self._near(list(periods), invoices.c.state == "void")

    async def _near(
        self, wanted: Sequence[tuple[UUID, date, date]], state: sa.ColumnElement[bool]
    ) -> dict[UUID, dict[tuple[date, date], str]]:
        found: dict[UUID, dict[tuple[date, date], str]] = {}
        if not wanted:
            return found
        given = _given(wanted)
        query = (
            sa.select(
                invoices.c.lease_id,
                invoices.c.period_starts_on,
                invoices.c.period_ends_on,
                invoices.c.number,
            )
            .join(given, given.c.lease_id == invoices.c.lease_id)
            .where(invoices.c.kind == "rent", state)
            .where(invoices.c.period_starts_on > given.c.starts_on - LONGEST_PERIOD_DAYS)
            .where(invoices.c.period_starts_on <= given.c.ends_on)
        )
        for lease_id, starts_on, ends_on, number in await self._connection.execute(query):
            found.setdefault(lease_id, {})[starts_on, ends_on] = number
        return found

    async def of_lease(self, lease_id: UUID) -> list[Invoiced]:
        """Every invoice of a lease for its rent, void ones too, in order of time."""
        query = (
            sa.select(
                invoices.c.number,
                invoices.c.period_starts_on,
                invoices.c.period_ends_on,
                invoices.c.state == "void",
            )
            .where(invoices.c.lease_id == lease_id, invoices.c.kind == "rent")
            .order_by(invoices.c.period_starts_on, invoices.c.number)
        )
        return [Invoiced(*row) for row in await self._connection.execute(query)]

    async def known(self, lease_ids: Iterable[UUID], before: date) -> dict[UUID, Known]:
        """What these leases' invoices of about the last year hold.

        Invoices that are older than the record of their charges are left out: nobody knows what is on them.
        """
        found = {lease_id: Known() for lease_id in lease_ids}
        ids = {"ids": list(found), "since": before - _LOOK_BACK}
        periods = (
            sa.select(
                invoices.c.lease_id, invoices.c.period_starts_on, invoices.c.period_ends_on, invoices.c.number
            )
            .where(invoices.c.lease_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))))
            .where(invoices.c.kind == "rent", invoices.c.state != "void")
            .where(invoices.c.period_starts_on >= sa.bindparam("since", type_=sa.Date))
            .where(invoices.c.terms_id != TERMS_BEFORE_POLICIES)
        )
        for lease_id, starts_on, ends_on, number in await self._connection.execute(periods, ids):
            found[lease_id].periods[starts_on, ends_on] = number
        charges = (
            sa.select(billed_charges.c.lease_id, billed_charges.c.code, billed_charges.c.occurs_on)
            .join(invoices, invoices.c.invoice_id == billed_charges.c.invoice_id)
            .where(billed_charges.c.lease_id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Uuid))))
            .where(invoices.c.period_starts_on >= sa.bindparam("since", type_=sa.Date))
        )
        for lease_id, code, occurs_on in await self._connection.execute(charges, ids):
            found[lease_id].charges.add((code, occurs_on))
        return found

    async def keep(self, rows: Sequence[dict[str, Any]]) -> None:
        """Record which occurrences of charges are on which invoice."""
        if rows:
            await self._connection.execute(_KEEP, columnar(rows, _KEPT))

    async def free(self, invoice_id: UUID) -> None:
        """A voided invoice's charges are to be billed again."""
        await self._connection.execute(
            sa.delete(billed_charges).where(billed_charges.c.invoice_id == invoice_id)
        )


def _given(wanted: Sequence[tuple[UUID, date, date]]) -> Any:
    kinds: dict[str, sa.types.TypeEngine[Any]] = {
        "lease_id": sa.Uuid(),
        "starts_on": sa.Date(),
        "ends_on": sa.Date(),
    }
    arrays = [
        sa.bindparam(name, [item[index] for item in wanted], type_=ARRAY(kind), unique=True)
        for index, (name, kind) in enumerate(kinds.items())
    ]
    named = [sa.column(name, kind) for name, kind in kinds.items()]
    return sa.func.unnest(*arrays).table_valued(*named).render_derived(name="given")
