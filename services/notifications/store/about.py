"""What a notice is about, by the names people know it by: the property, the unit and who lives there."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.notifications.schema import contacts, notifications, properties

AT_PROPERTY: Final = properties.c.property_id == sa.cast(
    notifications.c.context["property_id"].astext, sa.Uuid
)
"""How a notice is joined with its property; one that is about no property finds none."""

_HOME: Final = """(
    select jsonb_build_object(
        'unit', lease.unit_label,
        'tenants', (select jsonb_agg(person.name order by person.name) from contacts as person
            where person.version > 0 and person.tenant_id = any(lease.tenant_ids || array[
                cast(notifications.context ->> 'tenant_id' as uuid),
                cast(notifications.context ->> 'person_id' as uuid)])))
    from (select) as once left join leases as lease
        on lease.lease_id = cast(notifications.context ->> 'lease_id' as uuid))"""


def what_it_is_about() -> Sequence[sa.ColumnElement[Any]]:
    """Columns beside a notice that joins its recipient (`contacts`) and its property by `AT_PROPERTY`.

    The unit and the tenants are looked up for the office alone: tenants know where they live.
    """
    home = sa.literal_column(_HOME, type_=JSONB)
    return (
        sa.func.coalesce(contacts.c.name, "").label("tenant_name"),
        sa.func.coalesce(properties.c.name, "").label("property_name"),
        properties.c.time_zone.label("zone"),
        sa.case((notifications.c.template == sa.literal_column("'office'"), home)).label("home"),
    )
