"""Who is told together: invoices that share a tenant are decided together, and told in one message."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar
from uuid import UUID, uuid5


class HasTenants(Protocol):
    """Something that is told to tenants."""

    @property
    def tenant_ids(self) -> tuple[UUID, ...]:
        """Whom it is told to."""


T = TypeVar("T", bound=HasTenants)


@dataclass(frozen=True, slots=True)
class MessageKey:
    """One reminder: whom, on which day, in which currency; however many invoices it is about."""

    tenant_id: UUID
    on: date
    currency: str

    @property
    def reminder_id(self) -> UUID:
        """The same reminder is never announced under two ids."""
        return uuid5(self.tenant_id, f"reminder {self.on} {self.currency}")


def households(items: Sequence[T]) -> list[list[T]]:
    """Items that share a tenant, directly or through others, in the order in which they first appear."""
    parents: dict[UUID, UUID] = {}

    def root(tenant: UUID) -> UUID:
        parents.setdefault(tenant, tenant)
        while parents[tenant] != tenant:
            parents[tenant] = parents[parents[tenant]]
            tenant = parents[tenant]
        return tenant

    for item in items:
        for tenant in item.tenant_ids[1:]:
            parents[root(tenant)] = root(item.tenant_ids[0])
    found: dict[UUID, list[T]] = {}
    alone: list[list[T]] = []
    for item in items:
        if item.tenant_ids:
            found.setdefault(root(item.tenant_ids[0]), []).append(item)
        else:
            alone.append([item])
    return [*found.values(), *alone]


def in_chunks(items: Sequence[T], size: int) -> list[list[T]]:
    """The items in pieces of about `size`; whatever shares a tenant is in one piece."""
    chunks: list[list[T]] = []
    for household in households(items):
        if not chunks or len(chunks[-1]) + len(household) > size:
            chunks.append([])
        chunks[-1] += household
    return chunks
