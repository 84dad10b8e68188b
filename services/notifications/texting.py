"""The text of a notification as it is read now: in the inbox, and at the command line."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.notifications.rendering import Rendered, Templates
from services.notifications.store.cleaning import CLEANED
from shared.clock import local_date


def rendered_row(templates: Templates, row: Mapping[str, Any], at: datetime) -> Rendered:
    """What a stored notification says, from a row with its context, names, locale and zone."""
    if row["context"] == CLEANED:
        return Rendered(subject="(cleaned up)", text="The text of this message was cleaned up.", html="")
    zone = row["zone"] or "UTC"
    values = {
        **row["context"],
        "tenant_name": row["tenant_name"],
        "property_name": row["property_name"],
        "home": row["home"],
        "today": str(local_date(at, zone)),
        "zone": zone,
    }
    return templates.render(row["template"], row["locale"], values)
